import Core
import RTP
import Testing

/// Frames of each codec that are right where a packetizer and a depacketizer look, and random behind.
enum TestFrames {
    // Parameter sets of x264 and x265, and a sequence header of libaom, for 318 × 182 pixels.
    static let avcSequence = hex("6742c00bda05067a9b011000000300100000030140f142aa")
    static let avcPicture = hex("68ce0fc8")
    static let hevcVideo = hex("40010c01ffff01600000030090000003000003003c959809")
    static let hevcSequence = hex(
        "42010101600000030090000003000003003ca00a080b9d565959a4932bc05a020000030002000003001410")
    static let hevcPicture = hex("4401c172b46240")
    static let av1Sequence = hex("0a0b000000043cf6d4daf90040")

    static func hex(_ text: String) -> [UInt8] {
        let digits = Array(text.utf8)
        return stride(from: 0, to: digits.count - 1, by: 2).map {
            UInt8(String(decoding: digits[$0...($0 + 1)], as: UTF8.self), radix: 16) ?? 0
        }
    }

    static func format(_ codec: VideoCodec) -> VideoFormat {
        var format = VideoFormat(codec: codec, width: 318, height: 182)
        switch codec {
        case .h264:
            format.configuration = AVC.configuration(sequence: [avcSequence], picture: [avcPicture]) ?? []
        case .h265:
            format.configuration =
                HEVC.configuration(video: [hevcVideo], sequence: [hevcSequence], picture: [hevcPicture]) ?? []
        default: break
        }
        return format
    }

    static func bytes(_ count: Int, _ random: inout SeededRandom) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
    }

    /// A frame of about `count` bytes.
    static func frame(_ codec: VideoCodec, isKey: Bool, count: Int, _ random: inout SeededRandom) -> EncodedFrame {
        var out: [UInt8]
        switch codec {
        case .vp8: out = (isKey ? [0x10, 0, 0, 0x9D, 0x01, 0x2A, 0x3E, 0x01, 0xB6, 0] : [0x11, 0, 0])
        case .vp9: out = isKey ? hex("824983420013d00b5600") : [0x86, 0]
        case .av1: out = isKey ? av1Sequence : []
        case .h264, .h265: out = []
        }
        switch codec {
        case .vp8, .vp9: out += bytes(count, &random)
        case .av1:
            for part in split(count, &random) {
                out += [0x32] + leb128(part) + bytes(part, &random)
            }
        case .h264:
            for part in split(count, &random) {
                out += length(part + 1) + [isKey ? 0x65 : 0x41] + bytes(part, &random)
            }
        case .h265:
            for part in split(count, &random) {
                out += length(part + 2) + [isKey ? 0x26 : 0x02, 0x01] + bytes(part, &random)
            }
        }
        return EncodedFrame(payload: Payload(out), pts: .zero, isKey: isKey)
    }

    /// One to eight parts.
    private static func split(_ count: Int, _ random: inout SeededRandom) -> [Int] {
        let parts = Int.random(in: 1...8, using: &random)
        return (0..<parts).map { count * ($0 + 1) / parts - count * $0 / parts }
    }

    private static func length(_ count: Int) -> [UInt8] {
        [0, 0, UInt8(count >> 8), UInt8(count & 0xFF)]
    }

    static func leb128(_ value: Int) -> [UInt8] {
        value < 0x80 ? [UInt8(value)] : [UInt8(value & 0x7F) | 0x80] + leb128(value >> 7)
    }
}

extension PacketizedFrame {
    /// All payloads, each with whether it is the last.
    func payloads(_ numbers: PictureNumbers = PictureNumbers(pictureID: 5, tl0PictureIndex: 6)) -> [[UInt8]] {
        slices.map { slice in
            var buffer = [UInt8](repeating: 0, count: slice.count)
            let count = buffer.withUnsafeMutableBytes { write(slice, numbers, into: $0) }
            #expect(count == slice.count)
            return buffer
        }
    }
}

extension VideoDepacketizer {
    /// The frame of these payloads; the last one has the marker.
    mutating func assemble(_ payloads: [[UInt8]]) throws -> AssembledFrame {
        let sources = payloads.map { Payload($0) }
        var packets: [FramePacket] = []
        for (index, source) in sources.enumerated() {
            let memory = source.withUnsafeBytes { $0 }
            let info = try VideoDepacketizer.info(memory.bytes, codec: codec, marker: index == sources.count - 1)
            packets.append(FramePacket(payload: memory, info: info))
        }
        // The packets' memory is the sources'.
        return try withExtendedLifetime(sources) { try assemble(packets) }
    }
}

func info(_ payload: [UInt8], _ codec: VideoCodec, marker: Bool = false) throws -> PayloadInfo {
    try VideoDepacketizer.info(payload.span.bytes, codec: codec, marker: marker)
}
