import Core
import Media

/// The identification header of RFC 7845 section 5.1.
struct OpusHead {
    let channels: Int
    let preSkip: Int
    /// 1/256 dB.
    let gain: Int
    let streams: Int
    let coupled: Int
    /// For each output channel, in libav's order of speakers, the decoded channel it comes from.
    let mapping: [UInt8]

    /// One stream whose channels come out in order: no multistream decoder is needed.
    var isPlain: Bool {
        streams == 1 && channels <= 2 && mapping == (channels == 1 ? [0] : [0, 1]) && coupled == channels - 1
    }

    /// Where each speaker of libav's default layouts stands in Vorbis order (RFC 7845, 5.1.1.2), for 1…8 channels.
    private static let vorbisOrder: [[Int]] = [
        [0], [0, 1], [0, 2, 1], [0, 1, 2, 3], [0, 2, 1, 3, 4], [0, 2, 1, 5, 3, 4], [0, 2, 1, 6, 5, 3, 4],
        [0, 2, 1, 7, 5, 6, 3, 4],
    ]

    init(_ format: AudioFormat) throws(CodecError) {
        let bytes = format.configuration
        func malformed(_ text: String) -> CodecError { CodecError(call: "OpusHead", code: -1, text: text) }
        guard bytes.count >= 19, bytes.starts(with: Array("OpusHead".utf8)) else {
            guard (1...2).contains(format.channels) else {
                throw malformed("Opus with \(format.channels) channels needs an OpusHead header")
            }
            (channels, preSkip, gain) = (format.channels, 0, 0)
            (streams, coupled, mapping) = (1, format.channels - 1, format.channels == 1 ? [0] : [0, 1])
            return
        }
        channels = Int(bytes[9])
        preSkip = Int(bytes[10]) | Int(bytes[11]) << 8
        gain = Int(Int16(truncatingIfNeeded: Int(bytes[16]) | Int(bytes[17]) << 8))
        if bytes[18] == 0 {
            guard (1...2).contains(channels) else { throw malformed("OpusHead has \(channels) channels in family 0") }
            (streams, coupled, mapping) = (1, channels - 1, channels == 1 ? [0] : [0, 1])
            return
        }
        guard bytes[18] == 1, (1...8).contains(channels), bytes.count >= 21 + channels else {
            throw malformed(
                "OpusHead has the channel mapping family \(bytes[18]) with \(channels) channels; "
                    + "families 0 and 1 with at most 8 channels are supported")
        }
        (streams, coupled) = (Int(bytes[19]), Int(bytes[20]))
        mapping = Self.vorbisOrder[channels - 1].map { bytes[21 + $0] }
    }

    /// The header of a stream of one or two channels, 19 bytes.
    static func bytes(channels: Int, preSkip: Int) -> [UInt8] {
        let rate = UInt32(AudioFrame.sampleRate)
        return Array("OpusHead".utf8) + [1, UInt8(channels), UInt8(preSkip & 0xFF), UInt8(preSkip >> 8 & 0xFF)]
            + (0..<4).map { UInt8(truncatingIfNeeded: rate >> (8 * $0)) } + [0, 0, 0]
    }
}
