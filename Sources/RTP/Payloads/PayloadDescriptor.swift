import Core

/// The payload descriptors that carry a viewer's own numbers.
enum PayloadDescriptor: Hashable, Sendable {
    case none
    /// RFC 7741, section 4.2.
    case vp8
    /// RFC 9628, section 4.2; the size goes with key frames where it is known.
    case vp9(width: UInt16, height: UInt16, isFlexible: Bool)

    func count(isStart: Bool, isKey: Bool) -> Int {
        switch self {
        case .none: 0
        case .vp8: 6
        case .vp9(let width, _, let isFlexible): isKey ? (isStart && width > 0 ? 8 : 3) : isFlexible ? 4 : 3
        }
    }

    /// The longest that any packet has.
    var countMax: Int { max(count(isStart: true, isKey: true), count(isStart: false, isKey: false)) }

    func write(to writer: inout FixedWriter, _ numbers: PictureNumbers, _ slice: PacketSlice, isKey: Bool) {
        switch self {
        case .none: break
        case .vp8:
            // X; S in the first packet, the partition is always 0 as the frame is sent as one.
            writer.u8(slice.isStart ? 0x90 : 0x80)
            // I, L, T: picture ID, TL0PICIDX and layer follow.
            writer.u8(0xE0)
            writer.u16(0x8000 | numbers.pictureID)
            writer.u8(numbers.tl0PictureIndex)
            // Temporal layer 0, and what it needs is layer 0: Y.
            writer.u8(0x20)
        case .vp9(let width, let height, let isFlexible):
            // I, P unless a key frame, F (flexible mode: references are named), B, E, V.
            let hasSize = isKey && slice.isStart && width > 0
            writer.u8(
                0x80 | (isKey ? 0 : 0x40) | (isFlexible ? 0x10 : 0) | (slice.isStart ? 0x08 : 0)
                    | (slice.isLast ? 0x04 : 0) | (hasSize ? 0x02 : 0))
            writer.u16(0x8000 | numbers.pictureID)
            // It refers to the picture before it.
            if isFlexible, !isKey { writer.u8(0x02) }
            if hasSize {
                // One spatial layer, Y: its size follows.
                writer.u8(0x10)
                writer.u16(width)
                writer.u16(height)
            }
        }
    }
}
