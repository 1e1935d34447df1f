package import Core

/// A frame put together from its packets.
package struct AssembledFrame: Sendable {
    /// What libavcodec wants of the codec: a VP8 or VP9 frame, NAL units with four-byte length prefixes, a run of OBUs
    /// with size fields and without temporal delimiters.
    package var payload: Payload
    package var isKey: Bool
    /// Pixels, where a key frame tells.
    package var size: PictureSize?
    /// The decoder configuration (avcC, hvcC) when it has become another one; nil: as before.
    package var configuration: [UInt8]?

    /// Width and height in pixels.
    package struct PictureSize: Hashable, Sendable {
        package var width: Int
        package var height: Int
        package init(width: Int, height: Int) {
            self.width = width
            self.height = height
        }
    }
}

/// Turns payloads of one video stream into frames. Owned by the receiver of the stream; its only state is the parameter
/// sets of H264 and H265.
package struct VideoDepacketizer {
    package let codec: VideoCodec
    private var sets = ParameterSets()

    /// Bytes of one frame; more is malformed. A 4K key frame at a very high rate has about two million.
    package static let frameSizeMax = 16 << 20

    package init(codec: VideoCodec) { self.codec = codec }

    /// What a packet says about itself. `payload` is what `RTPHeader.payload` points at. An empty one (padding, sent to
    /// probe the line) is malformed.
    package static func info(
        _ payload: RawSpan, codec: VideoCodec, marker: Bool
    ) throws(RTPError) -> PayloadInfo {
        do {
            switch codec {
            case .vp8: return try VP8Payload.info(payload, marker: marker)
            case .vp9: return try VP9Payload.info(payload, marker: marker)
            case .h264: return try H264Payload.info(payload, marker: marker)
            case .h265: return try H265Payload.info(payload, marker: marker)
            case .av1: return try AV1Payload.info(payload, marker: marker)
            }
        } catch {
            throw .malformedPayload
        }
    }

    /// Makes one frame of all its packets in order, which is the one copy of the bytes behind the jitter buffer.
    package mutating func assemble(_ packets: [FramePacket]) throws(RTPError) -> AssembledFrame {
        var total = 0
        for packet in packets {
            total += packet.payload.count
            // Infos that were not read from these bytes: our own mistake, but not one to read beyond memory for.
            guard packet.info.media.upperBound <= packet.payload.count else { throw .malformedPayload }
        }
        guard total > 0, total <= VideoDepacketizer.frameSizeMax else { throw .malformedPayload }
        do {
            switch codec {
            case .vp8: return try VP8Payload.assemble(packets)
            case .vp9: return try VP9Payload.assemble(packets)
            case .h264: return try H264Payload.assemble(packets, &sets)
            case .h265: return try H265Payload.assemble(packets, &sets)
            case .av1: return try AV1Payload.assemble(packets)
            }
        } catch {
            throw .malformedPayload
        }
    }

    /// Takes parameter sets that came outside the stream (SDP's sprop-parameter-sets and sprop-vps, -sps, -pps).
    package mutating func learn(parameterSet: [UInt8]) {
        switch codec {
        case .h264: H264Payload.learn(parameterSet.span.bytes, &sets)
        case .h265: H265Payload.learn(parameterSet.span.bytes, &sets)
        default: break
        }
    }
}
