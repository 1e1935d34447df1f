import Core

/// When to ask a sender for a key frame (RFC 4585, section 6.3.1; RFC 5104, section 4.3.1): the first time at once,
/// then again while none has come, at a pace that a round trip and an encoder can follow. A sender that is not heard
/// is not asked again, so that the first packet after an outage finds the way free.
struct KeyFrameRequester {
    /// Encoders answer at most that often; asking faster only costs packets.
    static let shortestInterval = MediaTime.milliseconds(500)

    private var isWanted = false
    private var lastSent: Instant?
    private var heardSinceSent = true
    private var hope = Instant.distantPast
    /// Sent requests.
    private(set) var sent = 0

    /// Asks until `keyFrameArrived`; nothing new if it is wanted already.
    mutating func request() { isWanted = true }

    mutating func keyFrameArrived() { isWanted = false }

    /// A packet of a key frame came: what it lacks may be repaired until `deadline`, so it is not asked for again before.
    mutating func keyFrameBegan(hopeUntil deadline: Instant) { hope = deadline }

    /// A packet of the stream came.
    mutating func heard() { heardSinceSent = true }

    /// When the next request is due; nil if none is wanted.
    func deadline(roundTrip: MediaTime) -> Instant? {
        guard isWanted, heardSinceSent else { return nil }
        guard let lastSent else { return .distantPast }
        let patience = MediaTime(nanoseconds: roundTrip.nanoseconds + roundTrip.nanoseconds / 2)
        return max(hope, lastSent + max(KeyFrameRequester.shortestInterval, patience))
    }

    /// Whether to send a request now; notes that it was sent.
    mutating func poll(at now: Instant, roundTrip: MediaTime) -> Bool {
        guard let due = deadline(roundTrip: roundTrip), due <= now else { return false }
        lastSent = now
        heardSinceSent = false
        sent += 1
        return true
    }
}

extension Instant {
    /// Earlier than every moment of a clock.
    static let distantPast = Instant(nanoseconds: .min / 2)

    /// The earlier of two moments that may be missing.
    static func earlier(_ a: Instant?, _ b: Instant?) -> Instant? {
        guard let a else { return b }
        guard let b else { return a }
        return min(a, b)
    }
}
