import Core

/// Cuts the bytes of a TCP stream into messages, and says what goes in front of those sent. Owned by whoever owns the
/// connection, one per direction in; bounded by the largest message its framing can have.
package struct StreamFramer: Sendable {
    package enum Framing: Hashable, Sendable {
        /// RFC 4571, for TCP candidates (RFC 6544): two bytes of length before each message.
        case length
        /// STUN and ChannelData one after the other, each with its own length (RFC 8656, section 12.5).
        case turn
    }

    package let framing: Framing
    /// Messages longer than this end the connection: nothing in WebRTC is near it, and it bounds what one may make us
    /// keep.
    package let messageBytesMax: Int
    /// The stream makes no sense from here on: close the connection.
    package private(set) var isBroken = false
    private var pending: [UInt8] = []
    private var start = 0

    package init(_ framing: Framing, messageBytesMax: Int = 16_384) {
        self.framing = framing
        self.messageBytesMax = messageBytesMax
    }

    /// Bytes kept until the rest of their message comes.
    package var pendingCount: Int { pending.count - start }

    /// Takes in the next bytes. Messages must be drained with `next` between calls.
    package mutating func receive(_ bytes: RawSpan) {
        guard !isBroken else { return }
        if start > 0 {
            pending.removeFirst(start)
            start = 0
        }
        bytes.withUnsafeBytes { pending.append(contentsOf: $0) }
    }

    /// The next whole message, copied; nil if there is none.
    package mutating func next() -> [UInt8]? {
        while !isBroken {
            guard let (head, count, padding) = frame() else { return nil }
            guard count <= messageBytesMax else {
                isBroken = true
                pending = []
                start = 0
                return nil
            }
            guard pendingCount >= head + count + padding else { return nil }
            let from = start + head
            start += head + count + padding
            // Empty frames are a keepalive of some clients.
            if count > 0 { return Array(pending[from..<(from + count)]) }
        }
        return nil
    }

    /// Of the message at `start`: bytes in front that are not part of it, its size, bytes behind it.
    private func frame() -> (head: Int, count: Int, padding: Int)? {
        guard pendingCount >= (framing == .length ? 2 : 4) else { return nil }
        func field(_ at: Int) -> Int { Int(pending[start + at]) << 8 | Int(pending[start + at + 1]) }
        switch framing {
        case .length: return (2, field(0), 0)
        case .turn:
            switch pending[start] {
            case 0..<4: return (0, STUNMessage.headerCount + field(2), 0)
            case 0x40..<0x80: return (0, 4 + field(2), -field(2) & 3)
            default: return (0, .max, 0)
            }
        }
    }

    /// What precedes a message of `count` bytes in a stream: two bytes (`length`) or nothing (`turn`).
    package static func prefix(_ framing: Framing, count: Int) -> (UInt8, UInt8)? {
        framing == .length ? (UInt8(truncatingIfNeeded: count >> 8), UInt8(truncatingIfNeeded: count)) : nil
    }

    /// A message as it goes into the stream.
    package static func frame(_ framing: Framing, _ message: [UInt8]) -> [UInt8] {
        guard let (high, low) = prefix(framing, count: message.count) else { return message }
        return [high, low] + message
    }
}
