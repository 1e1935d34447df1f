import Core

/// Where the times of a stream that comes as it happens lie on the pipeline's time line. A plain value.
///
/// The packet that travelled fastest is due `cache` after it came. At first that is found by the first packets alone
/// (servers send what they have in one go); then the sender's clock is followed in small steps, and a jump beyond what
/// a network does (a server that stood still, a time line that begins anew) is taken over at once.
struct LiveClock: Hashable, Sendable {
    let cache: MediaTime
    /// Pipeline time of media time 0.
    private(set) var offset = MediaTime.zero
    /// Jumps taken over.
    private(set) var resyncs = 0
    private var firstAt: MediaTime?
    private var windowStart = MediaTime.zero
    /// Smallest time between arrival and due, of the packets in the window.
    private var slackMin = MediaTime.infinity

    /// So long after the first packet nothing is handed on, and the fastest packet decides.
    static let settling = MediaTime.milliseconds(100)
    /// The sender's clock is measured over so long: long enough that the fastest packet of a window is a fast one.
    static let window = MediaTime.seconds(10)
    /// Smaller differences are the network's.
    static let tolerance = MediaTime.milliseconds(20)
    /// The most that is corrected per window: a thousandth, which no clock drifts and nobody hears.
    static let stepMax = MediaTime.milliseconds(10)
    /// Later than this is no jitter.
    static let lateMax = MediaTime.milliseconds(500)
    /// Earlier than this is no burst.
    static let earlyMax = MediaTime.seconds(15)

    init(cache: MediaTime) { self.cache = cache }

    /// Takes note of a packet.
    mutating func arrived(_ time: MediaTime, at now: MediaTime) {
        guard let firstAt else { return anchor(time, at: now) }
        let slack = time + offset - now
        if now - firstAt <= LiveClock.settling {
            // Nothing has been handed on yet, so this may move freely.
            if slack > cache { offset = now + cache - time }
            windowStart = now
            slackMin = cache
            return
        }
        if slack < -LiveClock.lateMax || slack > cache + LiveClock.earlyMax {
            resyncs += 1
            return anchor(time, at: now)
        }
        slackMin = min(slackMin, slack)
        guard now - windowStart >= LiveClock.window else { return }
        let error = slackMin - cache
        if error > LiveClock.tolerance || error < -LiveClock.tolerance {
            offset = offset - max(-LiveClock.stepMax, min(LiveClock.stepMax, error))
        }
        windowStart = now
        slackMin = .infinity
    }

    /// Whether packets may be handed on.
    func isSettled(at now: MediaTime) -> Bool { firstAt.map { now - $0 >= LiveClock.settling } ?? false }
    /// When they may.
    var settledAt: MediaTime? { firstAt.map { $0 + LiveClock.settling } }

    private mutating func anchor(_ time: MediaTime, at now: MediaTime) {
        if firstAt == nil { firstAt = now }
        offset = now + cache - time
        windowStart = now
        slackMin = .infinity
    }
}
