package import Core

/// Cuts frames of one video codec into RTP payloads.
package struct Packetizer: Sendable {
    package enum H264Mode: Int, Hashable, Sendable {
        /// Each packet is one NAL unit (packetization-mode 0).
        case singleNAL = 0
        /// Aggregates and fragments, in decoding order (packetization-mode 1).
        case nonInterleaved = 1
    }
    package enum VP9Mode: Hashable, Sendable {
        /// Each picture names those it refers to: what browsers take (RFC 9628, section 3.3).
        case flexible
        /// None does, there are no layers: what readers of the format's older drafts take too.
        case nonFlexible
    }
    package let codec: VideoCodec
    package let h264Mode: H264Mode
    package let vp9Mode: VP9Mode

    /// Smaller payloads than this are not asked for: each must hold a descriptor and something of the frame.
    package static let payloadSizeMin = 64

    package init(codec: VideoCodec, h264Mode: H264Mode = .nonInterleaved, vp9Mode: VP9Mode = .flexible) {
        self.codec = codec
        self.h264Mode = h264Mode
        self.vp9Mode = vp9Mode
    }

    /// Cuts `frame`, whose format is `format` (its configuration goes in front of key frames of H264 and H265), into
    /// payloads of at most `sizeMax` bytes (64–65535), descriptor included. Throws if the frame is not what its codec
    /// says, is empty, or cannot be cut (mode 0).
    package func packetize(
        _ frame: EncodedFrame, format: VideoFormat, sizeMax: Int
    ) throws(RTPError) -> PacketizedFrame {
        guard frame.payload.count > 0 else { throw .malformedPayload }
        let sizeMax = min(max(sizeMax, Packetizer.payloadSizeMin), 65_535)
        var result: PacketizedFrame
        switch codec {
        case .vp8: result = VP8Payload.packetize(frame, sizeMax: sizeMax)
        case .vp9: result = VP9Payload.packetize(frame, sizeMax: sizeMax, mode: vp9Mode)
        case .h264: result = try H264Payload.packetize(frame, format: format, sizeMax: sizeMax, mode: h264Mode)
        case .h265: result = try H265Payload.packetize(frame, format: format, sizeMax: sizeMax)
        case .av1: result = try AV1Payload.packetize(frame, format: format, sizeMax: sizeMax)
        }
        result.endFrame()
        return result
    }
}

extension PacketizedFrame {
    /// Cuts `range` of the payload into parts of nearly equal size, each with the descriptor and what `prefix` adds to
    /// its piece (`prefixCount` bytes, told whether it is the first and the last), one packet each. Equal sizes, so that
    /// no small last packet costs a header for some bytes.
    mutating func cut(
        _ range: Range<Int>, sizeMax: Int, prefixCount: Int = 0, isParameters: Bool = false,
        prefix: (inout PacketPiece, Bool, Bool) -> Void = { _, _, _ in }
    ) {
        let room = max(1, sizeMax - descriptor.countMax - prefixCount)
        let count = (range.count + room - 1) / room
        var from = range.lowerBound
        if slices.isEmpty {
            pieces.reserveCapacity(count)
            slices.reserveCapacity(count)
        }
        for index in 0..<count {
            let end = range.lowerBound + range.count * (index + 1) / count
            var piece = PacketPiece(from..<end)
            piece.isParameters = isParameters
            prefix(&piece, index == 0, index == count - 1)
            pieces.append(piece)
            endSlice()
            from = end
        }
    }
}
