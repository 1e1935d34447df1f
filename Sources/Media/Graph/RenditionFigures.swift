package import Core

/// What one rendition of a source is and has done so far, for whoever looks at a pipeline. A value of one moment.
package struct RenditionFigures: Hashable, Sendable {
    package var key: RenditionKey
    /// What its coded frames are; nil for pictures, samples and messages, and before the first frame.
    package var format: EncodedFormat?
    /// Pixels; 0 where nothing says.
    package var width = 0
    package var height = 0
    /// Frames and, of coded ones, bytes handed on since it began.
    package var frames = 0
    package var bytes = 0
    /// Sinks that share it now, stages that convert it further among them.
    package var sinks = 0
}

extension MediaSource {
    /// Every rendition that somebody wants now, the native one first.
    package var figures: [RenditionFigures] {
        renditions.sorted { $0.key.order < $1.key.order }.map { figures(of: $0.value, $0.key) }
    }

    /// Of the rendition that a sink gets; nil where it gets none.
    func figures(for sink: any MediaSink) -> RenditionFigures? {
        attachments.first { $0.sink === sink }?.key.flatMap { key in renditions[key].map { figures(of: $0, key) } }
    }

    /// Whether decoded pictures or samples of it are there without asking for a decoder.
    package var isDecoded: Bool {
        if case .encoded = form { return renditions[.raw] != nil }
        return renditions[.native] != nil
    }

    private func figures(of rendition: Rendition, _ key: RenditionKey) -> RenditionFigures {
        var out = RenditionFigures(key: key)
        out.format = key == .raw ? nil : rendition.codedFormat
        out.frames = rendition.framesSent
        out.bytes = rendition.bytesSent
        out.sinks = rendition.sinkCount
        if case .video(let format) = out.format { (out.width, out.height) = (format.width, format.height) }
        if case .video(let wanted) = key { (out.width, out.height) = (wanted.width ?? 0, wanted.height ?? 0) }
        if case .pictures(let width, let height, _) = form, out.width == 0 { (out.width, out.height) = (width, height) }
        // The frames of a peer do not always say how large they are; what was decoded of them does.
        let seen = rendition.pictureSize ?? renditions[.raw]?.pictureSize
        if let seen, out.width == 0 { (out.width, out.height) = seen }
        return out
    }
}

extension RenditionKey {
    /// From what came to what was made of it.
    fileprivate var order: Int {
        switch self {
        case .native: 0
        case .raw: 1
        case .video(let specification): 2 + specification.bitrate
        case .audio(let specification): 2 + specification.bitrate
        }
    }
}
