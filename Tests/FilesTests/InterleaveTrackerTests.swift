import Core
import Files
import Testing

@Suite struct InterleaveTrackerTests {
    @Test func ownTimesRaiseTheWatermark() {
        var tracker = InterleaveTracker(tracks: 2)
        #expect(tracker.watermark(of: 0) == .distantPast)
        let first = tracker.advance(track: 0, to: .milliseconds(40))
        #expect(first)
        #expect(tracker.watermark(of: 0) == .milliseconds(40))
        #expect(tracker.watermark(of: 1) == .milliseconds(-9_960))
    }

    @Test func aMissingTrackFollowsAtTheLimit() {
        var tracker = InterleaveTracker(tracks: 2, limit: .milliseconds(1_000))
        for index in 0...100 { tracker.advance(track: 0, to: .milliseconds(40 * index)) }
        #expect(tracker.watermark(of: 1) == .milliseconds(3_000))
        // The sparse track comes in time, then too late.
        var inTime = tracker.advance(track: 1, to: .milliseconds(3_000))
        #expect(inTime)
        tracker.advance(track: 0, to: .milliseconds(9_000))
        inTime = tracker.advance(track: 1, to: .milliseconds(7_999))
        #expect(!inTime)
        #expect(tracker.watermark(of: 1) == .milliseconds(8_000))
    }

    @Test func watermarksNeverFallAndTheEndIsInfinite() {
        var random = SeededRandom(seed: 7)
        var tracker = InterleaveTracker(tracks: 3, limit: .milliseconds(500))
        var last = [MediaTime](repeating: .distantPast, count: 3)
        for _ in 0..<1_000 {
            let track = Int.random(in: 0..<3, using: &random)
            tracker.advance(track: track, to: .milliseconds(Int.random(in: 0..<5_000, using: &random)))
            for index in 0..<3 {
                #expect(tracker.watermark(of: index) >= last[index])
                last[index] = tracker.watermark(of: index)
            }
        }
        tracker.end()
        #expect((0..<3).allSatisfy { tracker.watermark(of: $0) == .infinity })
        tracker.reset()
        #expect(tracker == InterleaveTracker(tracks: 3, limit: .milliseconds(500)))
    }
}
