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
        /// A local ICE candidate for the peer; the text begins with `candidate:`.
        case iceCandidateFound(candidate: String, mid: String, line: Int)
        case iceGatheringDone
        case iceComponentStateChanged(IceComponentState)
        /// Whole candidate lines.
        case newCandidatePairSelected(local: String, remote: String)
        case dtlsConnectionStateChange(DtlsConnectionState)
        case mediaSessionStarted
        case mediaSessionTerminated
        case connectionStateChanged(old: ConnectionState, new: ConnectionState)
        case mediaStateChanged(old: MediaState, new: MediaState)
        case dataChannelOpened(Int)
        case dataChannelClosed(Int)
        /// The SRTP key for that kind of media has protected nearly as many packets as it may.
        case onKeySoftLimit(MediaKind)
        /// A telephone key was pressed (RFC 4733): 0–9, 10 star, 11 pound, 12–15 A–D.
        case keyPressed(Int)
        /// A bar code or QR code was seen: its kind in zbar's words (`QR-Code`, `EAN-13`) and what it says.
        case codeFound(type: String, value: String)
    }
    /// The element's name in its pipeline.
    package let element: String
    package let className: String
    package let detail: Detail
}

package enum UriEndpointState: String, Hashable, Sendable { case stop = "STOP", start = "START", pause = "PAUSE" }

/// Of the ICE component of a `WebRtcEndpoint`.
package enum IceComponentState: String, Hashable, Sendable {
    case disconnected = "DISCONNECTED", gathering = "GATHERING", connecting = "CONNECTING", connected = "CONNECTED"
    case ready = "READY", failed = "FAILED"
}

package enum DtlsConnectionState: String, Hashable, Sendable {
    case new = "NEW", connecting = "CONNECTING", connected = "CONNECTED", closed = "CLOSED", failed = "FAILED"
}

/// Whether all transports of an endpoint are up.
package enum ConnectionState: String, Hashable, Sendable { case disconnected = "DISCONNECTED", connected = "CONNECTED" }

/// Whether RTCP of the peer arrives.
package enum MediaState: String, Hashable, Sendable { case disconnected = "DISCONNECTED", connected = "CONNECTED" }

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
    /// What programs may want to tell apart.
    package enum Reason: Hashable, Sendable {
        case refused
        /// The operation is not there for that kind of media.
        case unsupportedMedia
    }
    package let description: String
    package let reason: Reason
    package init(_ description: String, reason: Reason = .refused) {
        self.description = description
        self.reason = reason
    }
}
