import Core
import RTP
import Testing

struct AudioPacketQueueTests {
    private struct Feeder {
        let queue: AudioPacketQueue
        var now = Instant(nanoseconds: 1_000_000_000)

        init(nack: Bool = false) {
            queue = AudioPacketQueue(
                .init(
                    ssrc: 9,
                    formats: [
                        111: .sound, 13: .sound, 63: .redundancy, 126: .telephoneEvent, 112: .retransmission(of: 111),
                    ], sendsNACK: nack))
        }
        func push(_ number: Int, type: UInt8 = 111, timestamp: Int? = nil, _ payload: [UInt8]) {
            var bytes = [UInt8](repeating: 0, count: 12)
            let header = RTPHeader(
                payloadType: type, sequenceNumber: UInt16(truncatingIfNeeded: number),
                timestamp: UInt32(truncatingIfNeeded: timestamp ?? number * 960), ssrc: 9)
            bytes.withUnsafeMutableBytes { _ = header.write(into: $0) }
            bytes += payload
            guard let read = try? RTPHeader(bytes.span.bytes) else { return }
            queue.receive(bytes.span.bytes, read, level: VoiceLevel(attenuation: 30, isVoice: true), at: now)
        }
        func packets() -> [SoundPacket] {
            var packets: [SoundPacket] = []
            while let packet = queue.pollPacket() { packets.append(packet) }
            return packets
        }
    }

    @Test func aBatchComesOutInOrderAndOnce() {
        let feeder = Feeder()
        for number in [65_534, 65_536, 65_535, 65_536, 65_538, 65_537] { feeder.push(number, [UInt8(number & 0xFF)]) }
        let packets = feeder.packets()
        #expect(packets.map { $0.sequence - packets[0].sequence } == [0, 1, 2, 3, 4])
        #expect(packets.map { $0.timestamp - packets[0].timestamp } == [0, 960, 1920, 2880, 3840])
        #expect(packets.map(\.payload.bytes) == [[0xFE], [0xFF], [0], [1], [2]])
        #expect(packets.allSatisfy { $0.level?.attenuation == 30 && $0.payloadType == 111 && !$0.isRecovered })
        #expect(feeder.queue.statistics.duplicatesReceived == 1)
        // A late one is handed on late: the jitter buffer decides.
        feeder.push(65_533, [7])
        #expect(feeder.packets().map { $0.sequence - packets[0].sequence } == [-1])
    }

    @Test func redundancyFillsWhatIsMissing() {
        let feeder = Feeder()
        func red(_ number: Int) {
            // Two earlier packets, then the own one.
            var heads: [UInt8] = []
            for age: UInt32 in [2, 1] {
                let offset = age * 960 << 10 | 2
                heads += [0x80 | 111, UInt8(offset >> 16), UInt8(offset >> 8 & 0xFF), UInt8(offset & 0xFF)]
            }
            let own = UInt8(number)
            let blocks: [UInt8] = [111, own - 2, 1, own - 1, 1, own, 1, 2]
            feeder.push(number, type: 63, heads + blocks)
        }
        red(100)
        red(101)
        red(104)
        let packets = feeder.packets()
        let base = packets[2].sequence
        #expect(packets.map { $0.sequence - base } == [-2, -1, 0, 1, 2, 3, 4])
        let whole: [UInt8] = [100, 101, 104]
        for (packet, number) in zip(packets, UInt8(98)...104) {
            let tail: [UInt8] = whole.contains(number) ? [2] : []
            #expect(packet.payload.bytes == [number, 1] + tail)
        }
        #expect(packets.map(\.isRecovered) == [true, true, false, false, true, true, false])
        #expect(packets.map { $0.timestamp - packets[0].timestamp } == (0..<7).map { $0 * 960 })
        #expect(packets.allSatisfy { $0.payloadType == 111 })
        // The original of a recovered one is a duplicate.
        red(103)
        #expect(feeder.packets().isEmpty && feeder.queue.statistics.packetsRecovered == 4)
        feeder.push(105, type: 63, [0xFF, 0, 0, 9])
        #expect(feeder.queue.statistics.malformedPayloads == 1)
    }

    @Test func keysAreToldOnceDownAndOnceUp() {
        let feeder = Feeder()
        feeder.push(1, [1])
        for number in 2...4 { feeder.push(number, type: 126, timestamp: 2000, [5, 10, 0, UInt8(number)]) }
        for number in 5...7 { feeder.push(number, type: 126, timestamp: 2000, [5, 0x8A, 1, 0]) }
        feeder.push(8, type: 126, timestamp: 9000, [5, 0x8A, 1, 0])
        feeder.push(9, type: 126, timestamp: 9000, [5])
        var keys: [AudioPacketQueue.Key] = []
        while let key = feeder.queue.pollKey() { keys.append(key) }
        #expect(keys.map(\.event.isEnd) == [false, true, true])
        #expect(keys.allSatisfy { $0.event.key == "5" } && keys[1].event.duration == 256)
        #expect(feeder.queue.statistics.keysReceived == 2 && feeder.packets().count == 1)
        #expect(feeder.queue.statistics.malformedPayloads == 1)
    }

    @Test func missingPacketsAreAskedForWhileTheyHelp() {
        var feeder = Feeder(nack: true)
        feeder.queue.roundTrip = .milliseconds(40)
        feeder.push(10, [1])
        feeder.push(12, [1])
        #expect(feeder.queue.pollRequests(at: feeder.now) == [11])
        #expect(feeder.queue.pollRequests(at: feeder.now) == nil)
        feeder.now = feeder.now + .milliseconds(40)
        feeder.push(500, type: 112, timestamp: 11 * 960, [0, 11, 42])
        let packets = feeder.packets()
        #expect(packets.map(\.payload.bytes) == [[1], [42], [1]] && packets[1].isRecovered)
        #expect(feeder.queue.deadline == nil)
        feeder.push(14, [1])
        var asked = 0
        while let deadline = feeder.queue.deadline {
            feeder.queue.expire(at: deadline)
            asked += feeder.queue.pollRequests(at: deadline)?.count ?? 0
        }
        #expect((3...5).contains(asked))
    }

    @Test func theQueueIsBounded() {
        let feeder = Feeder()
        for number in 0..<1000 { feeder.push(number, [1]) }
        #expect(feeder.packets().count == 256 && feeder.queue.statistics.packetsDropped == 744)
    }

    @Test func aRestartGoesOn() {
        let feeder = Feeder()
        for number in [1, 2, 30_000, 30_001, 30_002] { feeder.push(number, [1]) }
        let packets = feeder.packets()
        #expect(packets.count == 4 && feeder.queue.statistics.restarts == 1)
        #expect(packets.map(\.sequence) == packets.map(\.sequence).sorted())
        #expect(feeder.queue.reportBlock(at: feeder.now)?.cumulativeLost == 0)
    }
}
