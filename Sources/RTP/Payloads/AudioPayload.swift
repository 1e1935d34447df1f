package import Core

/// What an audio packet's payload is: the codec's packet as it is (Opus RFC 7587; PCMU, PCMA, G722 RFC 3551), so there
/// is nothing to put together or to cut.
package enum AudioPayload {
    /// RTP clock ticks that a payload lasts: what the next packet's timestamp is ahead by. Opus at 48 kHz whatever it
    /// carries; nil for a malformed Opus packet or an empty payload.
    ///
    /// The clock of G722 is 8 kHz although its samples come at 16 kHz (RFC 3551, section 4.5.2), so that a byte is a
    /// tick for all three of that RFC's codecs. `channels` counts for PCMU and PCMA.
    package static func ticks(_ payload: RawSpan, codec: AudioCodec, channels: Int = 1) -> Int? {
        guard payload.byteCount > 0 else { return nil }
        return codec == .opus ? opusTicks(payload) : payload.byteCount / max(1, channels)
    }

    /// The table of contents byte and the count of frames (RFC 6716, sections 3.1 and 3.2.5); at most 120 ms.
    private static func opusTicks(_ payload: RawSpan) -> Int? {
        var reader = ByteReader(payload)
        guard let toc = try? reader.u8() else { return nil }
        let configuration = Int(toc >> 3)
        let frame: Int
        switch configuration {
        case 0..<12: frame = configuration & 3 == 3 ? 2880 : 480 << (configuration & 3)
        case 12..<16: frame = configuration & 1 == 0 ? 480 : 960
        default: frame = 120 << (configuration & 3)
        }
        let count: Int
        switch toc & 3 {
        case 0: count = 1
        case 1, 2: count = 2
        default:
            guard let byte = try? reader.u8() else { return nil }
            count = Int(byte & 0x3F)
        }
        let ticks = frame * count
        return (1...5760).contains(ticks) ? ticks : nil
    }

    /// Whether an Opus packet carries two channels (RFC 6716, section 3.1).
    package static func isOpusStereo(_ payload: RawSpan) -> Bool {
        var reader = ByteReader(payload)
        return ((try? reader.u8()) ?? 0) & 0x04 != 0
    }
}
