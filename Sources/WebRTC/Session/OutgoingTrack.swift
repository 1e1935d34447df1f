package import Core
package import RTP
package import SDP

/// What we send on one m-line. Owned by an `RTPSession`.
package final class OutgoingTrack {
    /// Place of its m-line.
    package let index: Int
    package let kind: MediaKind
    package internal(set) var media: NegotiatedMedia
    package let stream: RTPSendStream
    /// What packets carry now; one of `media.codecs`.
    package private(set) var codec: NegotiatedCodec

    init(index: Int, kind: MediaKind, media: NegotiatedMedia, codec: NegotiatedCodec, stream: RTPSendStream) {
        self.index = index
        self.kind = kind
        self.media = media
        self.codec = codec
        self.stream = stream
    }

    /// The codec of that name, if the peer takes it.
    package func codec(named name: String) -> NegotiatedCodec? {
        media.codecs.first { $0.canSend && $0.name.lowercased() == name.lowercased() }
    }

    /// From the next frame on.
    package func use(_ codec: NegotiatedCodec) {
        guard codec.payloadType != self.codec.payloadType else { return }
        self.codec = codec
        stream.setPayloadType(codec.payloadType, retransmission: codec.rtxPayloadType)
    }
}
