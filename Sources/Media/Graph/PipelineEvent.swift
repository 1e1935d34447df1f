package import Core

/// Something that happened to an element, for clients, logs and the summary. Names and members follow Kurento.
package struct PipelineEvent: Sendable {
    package enum Detail: Hashable, Sendable {
        case error(type: ErrorType, description: String)
        case warning(String)
        case elementConnected(sink: String, kind: MediaKind)
        case elementDisconnected(sink: String, kind: MediaKind)
        case mediaFlowOutStateChanged(kind: MediaKind, isFlowing: Bool)
        case mediaFlowInStateChanged(kind: MediaKind, isFlowing: Bool)
        case mediaTranscodingStateChanged(kind: MediaKind, isTranscoding: Bool)
        case uriEndpointStateChanged(UriEndpointState)
        case endOfStream
        case recording
        case paused
        case stopped
    }
    /// The element's name in its pipeline.
    package let element: String
    package let className: String
    package let detail: Detail
}

package enum UriEndpointState: String, Hashable, Sendable { case stop = "STOP", start = "START", pause = "PAUSE" }

/// Kurento's error event types, as far as elements raise them.
package enum ErrorType: String, Hashable, Sendable {
    case resourceOpen = "RESOURCE_ERROR_OPEN"
    case resourceWrite = "RESOURCE_ERROR_WRITE"
    case noSpaceLeft = "RESOURCE_ERROR_NO_SPACE_LEFT"
    case streamFailed = "STREAM_ERROR_FAILED"
    case streamDecode = "STREAM_ERROR_DECODE"
    case invalidURI = "INVALID_URI"
    case invalidMedia = "INVALID_MEDIA"
}

/// An operation on the graph was refused; the text names the place, what was wrong and what is allowed.
package struct GraphError: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}
