import Core

/// The packets of one stream that are to be sent again: those asked for, and behind them their copies.
///
/// On a line that loses many packets a retransmission goes twice, somewhat apart, so that one loss does not cost the
/// receiver another round trip. Owned by an `RTPSendStream`; a plain value.
struct RetransmissionQueue {
    /// Those that may wait; more are not worth sending: a key frame is cheaper.
    private static let waitingMax = 512
    /// A copy goes so much later: not in the same short burst of losses, and long before the receiver asks again.
    private static let copyDelay = MediaTime.milliseconds(10)

    /// Whether copies are made.
    var makesCopies = false
    private var asked = Deque<Int64>()
    private var copies = Deque<(number: Int64, due: Instant)>()

    init() {}

    /// Those asked for that wait.
    var count: Int { asked.count }
    /// When the next copy is to go.
    var copyDue: Instant? { copies.first?.due }
    /// Whether there is something to send at `now`.
    func hasNext(at now: Instant) -> Bool { !asked.isEmpty || copies.first.map { $0.due <= now } ?? false }

    /// Queues a packet that was asked for; false: the queue is full, and it is dropped.
    mutating func append(_ number: Int64) -> Bool {
        guard asked.count < Self.waitingMax else { return false }
        asked.append(number)
        return true
    }

    /// The packet to send at `now`; nil: none.
    mutating func popFirst(at now: Instant) -> Int64? {
        if let number = asked.popFirst() {
            // Without room the copy is left out: it is a luxury.
            if makesCopies, copies.count < Self.waitingMax { copies.append((number, now + Self.copyDelay)) }
            return number
        }
        guard let copy = copies.first, copy.due <= now else { return nil }
        _ = copies.popFirst()
        return copy.number
    }
}
