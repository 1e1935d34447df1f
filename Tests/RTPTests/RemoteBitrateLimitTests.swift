import Core
import RTP
import Testing

struct RemoteBitrateLimitTests {
    private func at(_ milliseconds: Int) -> Instant { Instant(nanoseconds: 0) + .milliseconds(milliseconds) }

    @Test func lowerAtOnceHigherSoonAgainEverySecond() {
        var limit = RemoteBitrateLimit(allowed: 100_000...2_000_000, ssrcs: [5])
        check(limit.poll(at: at(0), senderSSRC: 1)?.bitrate == 2_000_000)
        check(limit.poll(at: at(10), senderSSRC: 1) == nil)
        limit.want(300_000)
        check(limit.poll(at: at(10), senderSSRC: 1)?.bitrate == 300_000)
        limit.want(800_000)
        check(limit.poll(at: at(20), senderSSRC: 1) == nil && limit.deadline == at(210))
        check(limit.poll(at: at(210), senderSSRC: 1)?.bitrate == 800_000)
        limit.want(805_000)
        check(limit.deadline == at(1210))
        check(limit.poll(at: at(1210), senderSSRC: 1)?.ssrcs == [5])
        limit.want(1)
        check(limit.bitrate == 100_000)
        limit.allow(200_000...400_000)
        limit.want(.max)
        check(limit.poll(at: at(1220), senderSSRC: 1)?.bitrate == 400_000)
    }

    @Test func withoutStreamsThereIsNothingToSay() {
        var limit = RemoteBitrateLimit(allowed: 0...10)
        check(limit.deadline == nil && limit.poll(at: at(0), senderSSRC: 1) == nil)
    }
}
