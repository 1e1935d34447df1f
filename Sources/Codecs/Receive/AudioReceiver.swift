package import Core
package import Media

/// The adaptive jitter buffer of one participant, on samples: packets go in as they arrive, every 20 ms 960 samples
/// come out.
///
/// Everything is placed on one media time line (samples at 48 kHz on the sender's clock). `end` is the media time
/// behind the last sample in the store; so what is given out next lies at `end - store.count`, and the delay is the
/// sender's clock now less that. `PlayoutTarget` says what the delay should be; pauses, periods of pitch left out or
/// put in (`TimeStretcher`), and for clocks that differ a resampler, bring it there.
///
/// What is not there when it is needed is repaired from the redundancy of the packet behind it, or concealed. While
/// nothing behind it is there either, nobody knows whether it is lost or late: concealed samples are `speculative`, and
/// a packet that comes after all is played, later than planned.
///
/// A plain machine of the sound thread: no clock, no lock. Bounded: `packetsMax`, oldest dropped first.
package final class AudioReceiver: SoundReceiver {
    /// Beyond, the oldest is dropped: 1.25 s of the shortest packets, 10 s of usual ones.
    static let packetsMax = 500
    /// Time stamps that miss by this much are rounded, not a pause: 2.5 ms.
    static let tolerance: Int64 = 120
    /// After this much of concealment there is nothing to hear any more, and nothing is computed: 500 ms.
    static let idleAfter = AudioFrame.sampleRate / 2

    struct Waiting {
        let packet: SoundPacket
        let start: Int64
        let duration: Int
        let transit: Double
        /// RFC 3389 instead of sound.
        let isComfortNoise: Bool
        var end: Int64 { start + Int64(duration) }
    }

    let options: SoundReceiverOptions
    var formats: [UInt8: SoundPayloadFormat]
    private var decoders: [UInt8: any PacketDecoder] = [:]
    private var refused: Set<UInt8> = []

    /// In order of sequence.
    var waiting: [Waiting] = []
    /// The last packet that was played or given up, and one bit for each of the 64 up to it that was played.
    var lastSequence: Int64?
    var played: UInt64 = 0

    var clock = SenderClock()
    var target = PlayoutTarget()
    private var driftEstimator = DriftEstimator()
    var highest: (sequence: Int64, end: Int64)?

    let store = SampleStore(channels: 1)
    let concealer = WaveformConcealer()
    var resampler = DriftResampler()
    var decoder: (any PacketDecoder)?
    var payloadType: UInt8 = 0
    var end: Int64 = 0
    /// Samples before `end` that were made up without knowing that anything was lost.
    var speculative: Int64 = 0
    /// Samples made up since the last real one.
    var concealedRun = 0
    var hasBegun = false
    /// The last packet said that silence follows; with the level of its noise where it told one.
    var silence: (isOn: Bool, attenuation: UInt8?) = (false, nil)
    /// The noise of the silence is too soft to be heard and is no longer made.
    var isMuted = false
    /// The packet before which the delay was set right in a pause.
    var pausedBefore: Int64?
    /// How much of what comes carries redundancy; decays.
    var repairShare = 0.0
    var waitsForRepair = false
    /// The first waiting packet's redundancy was used.
    var isRepaired = false
    var packetSamples = AudioFrame.blockSamples
    var packetTransit = 0.0
    var packetLevel: VoiceLevel?
    var playout = Playout()
    var voice = VoiceActivity()
    var given: Int64 = 0

    /// What `pull` decides with.
    struct Playout {
        /// The sender's clock at the block that is being made.
        var local = 0.0
        var target = 0.0
        var blocksSinceStretch = 0
        /// Blocks for which the delay has been longer than needed by more than a few milliseconds.
        var blocksTooLong = 0
    }

    package var extraDelay = MediaTime.zero
    package var report = SoundReport()

    package init(_ formats: [UInt8: SoundPayloadFormat], options: SoundReceiverOptions = SoundReceiverOptions()) {
        self.formats = formats
        self.options = options
    }

    package func setFormats(_ formats: [UInt8: SoundPayloadFormat]) {
        for (type, format) in formats where self.formats[type] != format {
            decoders[type] = nil
            refused.remove(type)
        }
        self.formats = formats
    }

    // MARK: Packets

    package func insert(_ packet: SoundPacket) {
        guard let format = formats[packet.payloadType] else { return report.statistics.packetsOfUnknownType += 1 }
        if case .telephoneEvent = format { return }
        report.statistics.packetsReceived += 1
        guard packet.payload.count > 0 else { return }
        var duration = 0
        let rate: Int
        switch format {
        case .telephoneEvent: return
        case .comfortNoise(let clockRate): rate = clockRate
        case .sound(_, let clockRate):
            rate = clockRate
            guard let decoder = decoder(for: packet.payloadType) else { return discard(\.packetsUndecodable) }
            duration = decoder.duration(of: packet.payload) ?? packetSamples
        }
        let expected = highest.flatMap { $0.sequence &+ 1 == packet.sequence ? $0.end : nil }
        guard let (start, isNew) = clock.place(packet, clockRate: rate, expected: expected) else {
            return discard(\.packetsUndecodable)
        }
        if isNew { beginAnew(packet) }
        learn(packet, start, duration)
        if (highest?.sequence ?? .min) < packet.sequence {
            highest = (packet.sequence, start + Int64(duration))
        }
        queue(packet, start, duration, isComfortNoise: rate > 0 && isComfortNoise(format))
    }

    private func isComfortNoise(_ format: SoundPayloadFormat) -> Bool {
        if case .comfortNoise = format { return true }
        return false
    }

    func discard(_ reason: WritableKeyPath<SoundStatistics, Int>) {
        report.statistics[keyPath: reason] += 1
        report.statistics.packetsDiscarded += 1
    }

    /// A jump in the time stamps, or another clock rate.
    private func beginAnew(_ packet: SoundPacket) {
        report.statistics.resets += 1
        driftEstimator.reset()
        if let lastSequence, packet.sequence <= lastSequence {
            waiting.removeAll(keepingCapacity: true)
            self.lastSequence = nil
            highest = nil
        }
    }

    private func learn(_ packet: SoundPacket, _ start: Int64, _ duration: Int) {
        let transit = clock.at(packet.arrival) - Double(start)
        guard !packet.isRecovered else { return target.add(repaired: transit) }
        target.add(transit: transit, start: Double(start), duration: Double(duration))
        let ours = clock.ours(packet.arrival)
        if driftEstimator.add(time: ours, transit: ours - Double(start)) {
            clock.setDrift(driftEstimator.drift, at: packet.arrival)
            report.driftPPM = driftEstimator.drift * 1e6
        }
    }

    private func queue(_ packet: SoundPacket, _ start: Int64, _ duration: Int, isComfortNoise: Bool) {
        let entry = Waiting(
            packet: packet, start: start, duration: duration, transit: clock.at(packet.arrival) - Double(start),
            isComfortNoise: isComfortNoise)
        if let lastSequence, packet.sequence <= lastSequence {
            let age = lastSequence &- packet.sequence
            let wasPlayed = (0..<64).contains(age) && played >> UInt64(age) & 1 == 1
            if wasPlayed { return report.statistics.packetsDuplicated += 1 }
            return discard(\.packetsLate)
        }
        var place = waiting.count
        while place > 0, waiting[place - 1].packet.sequence >= packet.sequence { place -= 1 }
        if place < waiting.count, waiting[place].packet.sequence == packet.sequence {
            return report.statistics.packetsDuplicated += 1
        }
        if hasBegun, !isComfortNoise, entry.end <= end - speculative { return discard(\.packetsLate) }
        waiting.insert(entry, at: place)
        if place == 0 { isRepaired = false }
        if waiting.count > AudioReceiver.packetsMax {
            pass(waiting.removeFirst(), wasPlayed: false)
            discard(\.packetsOverflowed)
        }
    }

    /// Remembers that a packet is behind us.
    func pass(_ entry: Waiting, wasPlayed: Bool) {
        let steps = entry.packet.sequence &- (lastSequence ?? entry.packet.sequence)
        played = steps >= 0 && steps < 64 ? played << UInt64(steps) : 0
        if wasPlayed { played |= 1 }
        lastSequence = entry.packet.sequence
        isRepaired = false
    }

    // MARK: Decoders

    /// The decoder of a payload type, made when it is first needed; nil where there is none.
    func decoder(for type: UInt8) -> (any PacketDecoder)? {
        if let decoder = decoders[type] { return decoder }
        guard !refused.contains(type), case .sound(let format, _)? = formats[type],
            let made = try? AudioReceiver.makeDecoder(format)
        else {
            refused.insert(type)
            return nil
        }
        decoders[type] = made
        return made
    }

    private static func makeDecoder(_ format: AudioFormat) throws(CodecError) -> any PacketDecoder {
        switch format.codec {
        case .opus: return OpusPacketDecoder()
        case .pcmu, .pcma:
            guard (1...2).contains(format.channels), (1000...192_000).contains(format.sampleRate) else { break }
            return G711PacketDecoder(
                format.codec == .pcmu ? .mu : .a, rate: format.sampleRate, channels: format.channels)
        default: break
        }
        return try LibavPacketDecoder(format)
    }
}
