import Core
import Media
import Testing

@testable import Mixing

@Suite struct AudioQueueTests {
    /// A slope by position, so that each sample tells where it belongs. Small steps: no fade hides in them.
    private func value(_ position: Int64) -> Float { Float(position % 4096) / 8192 + 0.25 }

    private func frame(_ position: Int64, _ count: Int, channels: Int = 1, offset: Double = 0) -> AudioFrame {
        let samples = (0..<count).flatMap { index in
            [Float](repeating: value(position + Int64(index)), count: channels)
        }
        let pts = MediaTime(samples: position, rate: 48000) + .seconds(offset)
        return AudioFrame(pts: pts, channels: channels, samples: samples)
    }

    private func block(_ index: Int64) -> MediaTime { MediaTime(samples: index * 960, rate: 48000) }

    @Test(arguments: [960, 480, 1024, 2880, 441, 7])
    func anyFrameLengthComesOutSampleExact(length: Int) {
        var queue = AudioQueue(bound: .seconds(2))
        var position: Int64 = 0
        var taken: Int64 = 0
        for index in 0..<50 as Range<Int64> {
            while position < (index + 1) * 960 {
                // Container times are in milliseconds.
                let exact = Double(position) / 48000
                queue.push(frame(position, length, offset: (exact * 1000).rounded() / 1000 - exact))
                position += Int64(length)
            }
            guard let out = queue.take(from: block(index)) else {
                Issue.record("no block \(index)")
                return
            }
            #expect(out.pts == block(index) && out.sampleCount == 960)
            #expect(out.samples == (0..<960).map { value(taken + $0) })
            taken += 960
        }
        #expect(queue.statistics == AudioQueue.Statistics())
    }

    @Test func aStartInTheMiddleOfABlockIsExact() {
        var queue = AudioQueue()
        queue.push(frame(1000, 960))
        #expect(queue.take(from: block(0)) == nil)
        let out = queue.take(from: block(1))?.samples ?? []
        #expect(out == [Float](repeating: 0, count: 40) + (0..<920).map { value(1000 + $0) })
        #expect(queue.statistics.gaps == 0)
    }

    @Test func aHoleIsSilenceWithSlopes() {
        var queue = AudioQueue()
        queue.push(frame(0, 960))
        queue.push(frame(2880, 960))
        var out: [Float] = []
        for index in 0..<5 as Range<Int64> {
            out += queue.take(from: block(index))?.samples ?? [Float](repeating: 0, count: 960)
        }
        #expect(Array(out[0..<960]) == (0..<960).map { value($0) })
        #expect(out[1080..<2880].allSatisfy { $0 == 0 })
        #expect(Array(out[3000..<3840]) == (3000..<3840).map { value($0) })
        #expect(out[4000..<4800].allSatisfy { $0 == 0 })
        // No step anywhere is larger than a slope over 2.5 ms needs.
        #expect(largestStep(out) < 0.01)
        #expect(queue.statistics.gaps == 1)
    }

    @Test func holesUpToTenMillisecondsAreNone() {
        var queue = AudioQueue()
        queue.push(frame(0, 960))
        queue.push(frame(960, 960, offset: 0.0099))
        queue.push(frame(1920, 960, offset: -0.0099))
        for index in 0..<3 as Range<Int64> {
            let out = queue.take(from: block(index))?.samples
            #expect(out == (0..<960).map { value(index * 960 + $0) })
        }
        #expect(queue.statistics == AudioQueue.Statistics())
        #expect(queue.end == block(3))
    }

    @Test func overlapsAreTrimmed() {
        var queue = AudioQueue()
        queue.push(frame(0, 1920))
        queue.push(frame(960, 1920))
        #expect(queue.statistics.overlapping == 960)
        for index in 0..<3 as Range<Int64> {
            #expect(queue.take(from: block(index))?.samples == (0..<960).map { value(index * 960 + $0) })
        }
    }

    @Test func lateSoundIsDroppedAndCounted() {
        var queue = AudioQueue()
        #expect(queue.take(from: block(0)) == nil)
        queue.push(frame(0, 1440))
        #expect(queue.statistics.late == 960)
        // What is left comes, after the silence that was heard in its place.
        #expect(queue.take(from: block(1))?.samples.prefix(480) == ArraySlice((960..<1440).map { value($0) }))
        // Blocks that nobody takes are given up too.
        queue.push(frame(1920, 960))
        queue.push(frame(2880, 960))
        #expect(queue.take(from: block(3)) != nil)
        #expect(queue.statistics.late == 960 + 960)
    }

    @Test func theBoundHolds() {
        var live = AudioQueue(bound: .milliseconds(100))
        var offline = AudioQueue(bound: .milliseconds(100), overflow: .wait)
        for index in 0..<10 as Range<Int64> {
            live.push(frame(index * 960, 960))
            offline.push(frame(index * 960, 960))
        }
        #expect(live.buffered == .milliseconds(100) && live.statistics.overflowed == 5 * 960)
        #expect(offline.buffered == .milliseconds(200) && offline.isFull && offline.statistics.overflowed == 0)
        #expect(live.take(from: block(4)) == nil)
        #expect(live.take(from: block(5))?.samples == (0..<960).map { value(5 * 960 + $0) })
    }

    @Test func stereoAndMonoMeet() {
        var queue = AudioQueue()
        queue.push(frame(0, 480))
        queue.push(frame(480, 480, channels: 2))
        let out = queue.take(from: block(0))
        #expect(out?.channels == 2)
        #expect(out?.samples == (0..<960).flatMap { [value($0), value($0)] })
    }

    @Test func brokenTimesDoNoHarm() {
        var queue = AudioQueue()
        for time in [MediaTime.infinity, .distantPast, MediaTime(nanoseconds: .max - 1)] {
            queue.push(AudioFrame(pts: time, channels: 1, samples: [1, 1, 1]))
        }
        queue.push(AudioFrame(pts: .zero, channels: 1, samples: []))
        queue.push(frame(0, 960))
        #expect(queue.buffered <= .milliseconds(21))
    }
}
