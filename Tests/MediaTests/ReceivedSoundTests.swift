import Core
import Media
import TestKit
import Testing

/// Sound that comes in packets: blocks by the clock for those who want samples, packets untouched for the others.
@Suite struct ReceivedSoundTests {
    private static func packet(_ index: Int, at arrival: Instant) -> SoundPacket {
        let frame = SyntheticFrame.sound(level: index, pts: .zero)
        return SoundPacket(
            sequence: Int64(index), timestamp: Int64(index * 960), payload: frame.payload, arrival: arrival,
            payloadType: 111)
    }

    /// A source that sends a packet every 20 ms, but none from `pause` on for a second; and its sinks.
    private func makeRig(pause: ClosedRange<Int> = 1000...1001, native: Bool = true) throws -> TestRig {
        let rig = TestRig()
        try rig.on { context in
            let source = TestSource(context, name: "source", kinds: [.audio])
            let raw = TestSink(context, name: "raw", audio: .raw, kinds: [.audio])
            let coded = TestSink(context, name: "coded", audio: .native, kinds: [.audio])
            source.source(.audio)?.receiveSound(
                [111: .sound(AudioFormat(codec: .opus, sampleRate: 48_000, channels: 2), clockRate: 48_000)])
            source.beginAudio()
            try source.connect(to: raw)
            if native { try source.connect(to: coded) }
            let count = Lock(0)
            source.every(.milliseconds(20), until: .seconds(10)) { source in
                let index = count.withLock { count in
                    count += 1
                    return count
                }
                guard !pause.contains(index) else { return }
                let now = source.context.host.now()
                source.source(.audio)?.receive(Self.packet(index, at: now))
                source.send(SyntheticFrame.sound(level: index, pts: source.context.now), .audio)
            }
        }
        return rig
    }

    @Test func blocksComeByTheClockWhateverTheNetworkDoes() throws {
        let rig = try makeRig(pause: 50...100)
        rig.run(4)
        let (sounds, arrivals) = try rig.on { context in
            (context.sink("raw").sounds, context.sink("raw").arrivals.filter { $0.item.isFrame }.map(\.at))
        }
        #expect((198...200).contains(sounds.count), "\(sounds.count) blocks in 4 s")
        #expect(zip(sounds, sounds.dropFirst()).allSatisfy { $0.end == $1.pts }, "times without a gap")
        #expect(zip(sounds, arrivals).allSatisfy { $0.pts - $1 == .milliseconds(10) }, "half a block before it is due")
        #expect((50...51).contains(sounds.count { $0.samples.first == 0 }), "silence while nothing came")
        rig.release()
    }

    @Test func codedPacketsPassUntouched() throws {
        let rig = try makeRig()
        rig.run(2)
        try rig.on { context in
            let levels = context.sink("coded").encoded.compactMap { SyntheticFrame.counter(of: $0) }
            #expect(levels == Array(1...levels.count) && levels.count >= 99)
            #expect(context.sink("coded").sounds.isEmpty)
        }
        #expect(rig.synthetic.audioDecoders.figures.made == 0, "the receiver decodes, no stage of its own")
        rig.release()
    }

    @Test func nothingRunsForNobody() throws {
        let rig = try makeRig()
        rig.run(1)
        try rig.on { context in
            #expect(context.source().source(.audio)?.soundReport?.statistics.packetsReceived ?? 0 > 40)
            context.source().disconnect(from: context.sink("raw"))
        }
        rig.run(0.1)
        let before = try rig.on { $0.source().source(.audio)?.soundReport }
        try rig.on { $0.sink("raw").forget() }
        rig.run(1)
        let after = try rig.on { $0.source().source(.audio)?.soundReport }
        #expect(before == after)
        #expect(try rig.on { $0.sink("raw").sounds.isEmpty })
        try rig.on { try $0.source().connect(to: $0.sink("raw")) }
        rig.run(1)
        #expect(try rig.on { $0.sink("raw").sounds.count } >= 48, "and begins again")
        rig.release()
    }

    @Test func theEndIsTold() throws {
        let rig = try makeRig()
        rig.run(1)
        try rig.on { $0.source().source(.audio)?.push(.end($0.now)) }
        let count = try rig.on { $0.sink("raw").sounds.count }
        #expect(try rig.on { $0.sink("raw").ends.count } == 1)
        #expect(count > 40)
        rig.release()
    }

    @Test func manySourcesShareOneHop() throws {
        let rig = TestRig()
        try rig.on { context in
            for index in 0..<20 {
                let source = TestSource(context, name: "source\(index)", kinds: [.audio])
                let sink = TestSink(context, name: "sink\(index)", audio: .raw, kinds: [.audio])
                source.source(.audio)?.receiveSound([:])
                source.beginAudio()
                try source.connect(to: sink)
                source.source(.audio)?.receive(Self.packet(7, at: context.host.now()))
            }
        }
        rig.run(1)
        try rig.on { context in
            let ticks = context.stageRecords.first { $0.detail == "sound from the network" && $0.element.isEmpty }
            #expect((48...51).contains(ticks?.frames ?? 0))
            for index in 0..<20 { #expect(context.sink("sink\(index)").sounds.count >= 48) }
        }
        rig.release()
    }
}
