import CLinux

/// Whether a WebSocket's client masks its frames, as RFC 6455, section 5.1, demands: judged by the bytes that were read
/// from its connection, since the library (4.1) takes frames without a mask and does not tell. Of a connection without
/// TLS; behind it nobody between the two could be harmed, which is what masks are for.
///
/// A mask makes each frame four bytes longer. Whatever else the client sent meanwhile (pings, fragments, what the library
/// has read ahead) makes the bytes more: so it is never the wrong one who is found out, and who sends no masks is by
/// the first message that comes alone. Made when the handshake was read; whoever sends messages along with that, which is
/// too early, lacks more than masks, and is left alone.
struct MaskCheck {
    private let descriptor: Int32
    private let start: Int64
    /// The fewest bytes in which the messages so far can have come.
    private var least: Int64 = 0
    /// A client does it or does not: so many messages are looked at.
    private var messagesLeft = messagesMax
    private static let messagesMax = 8
    private static let maskBytes = 4

    /// nil: the system does not say what was read.
    init?(_ descriptor: Int32) {
        self.descriptor = descriptor
        start = clinux_bytes_read(descriptor, 0)
        guard start >= 0 else { return nil }
    }

    /// Whether it is certain, after a whole message of `count` bytes, that there were frames without a mask.
    mutating func isViolated(after count: Int) -> Bool {
        guard messagesLeft > 0 else { return false }
        messagesLeft -= 1
        least += Int64(MaskCheck.headerBytes(count) + count)
        let read = clinux_bytes_read(descriptor, 1)
        guard read >= 0 else { return false }
        let lacking = least - (read - start)
        let masks = Int64((MaskCheck.messagesMax - messagesLeft) * MaskCheck.maskBytes)
        if lacking > masks { messagesLeft = 0 }
        return (1...masks).contains(lacking)
    }

    /// Of a masked frame (section 5.2). Several frames with as much between them have no fewer.
    private static func headerBytes(_ count: Int) -> Int { count < 126 ? 6 : count < 65_536 ? 8 : 14 }
}
