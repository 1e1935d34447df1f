package import Core
package import Media

/// What happens every 20 ms.
extension AudioReceiver {
    /// Too long by this much (15 ms) is mended in pauses at once, in speech after 2 s (`haste`), less than that only
    /// after `patience` blocks (5 s): what is removed and put in again is heard more than what waits.
    private static let (tooLong, haste, patience) = (720.0, 100, 250)
    /// 5 ms, or 10 ms where packets and blocks slide along each other and the target wavers.
    private static let (somewhatTooLong, somewhatTooLongSliding) = (240.0, 480.0)
    /// Too short by this much is mended: nothing where packets and blocks lie on one grid, for then the last sample
    /// decides over a whole block; 5 ms where they slide.
    private static let (tooShort, tooShortSliding) = (0.5, 240.0)
    /// 400 ms too long: speed goes before beauty.
    private static let muchTooLong = 19_200.0

    package func pull(at now: Instant) -> AudioFrame {
        let local = clock.at(now)
        let ratio = 1 + clock.drift
        guard begin(at: local) else { return silentBlock(at: now) }
        playout.local = local
        setTarget(at: local)
        let delay = local - Double(end - Int64(store.count))
        let excess = delay - playout.target
        if let fastest = target.fastest, delay - fastest > samples(options.delayMax) + Self.muchTooLong, excess > 0 {
            cut(at: local)
        }
        let need = resampler.need(AudioFrame.blockSamples, ratio: ratio)
        while store.count < need { step(missing: need - store.count) }
        stretch(excess, need: need)
        let first = end - Int64(store.count)
        let channels = store.channels
        let block = resampler.take(AudioFrame.blockSamples, ratio: ratio, from: store)
        note(block, channels: channels, first: first, delay: local - Double(first), at: now)
        return frame(block, channels: channels)
    }

    private func samples(_ time: MediaTime) -> Double { Double(time.nanoseconds) * 48e-6 }

    private func frame(_ block: [Float], channels: Int) -> AudioFrame {
        defer { given += Int64(AudioFrame.blockSamples) }
        return AudioFrame(
            pts: MediaTime(samples: given, rate: AudioFrame.sampleRate), channels: channels, samples: block)
    }

    private static let noSound = [Float](repeating: 0, count: AudioFrame.blockSamples)

    private func silentBlock(at now: Instant) -> AudioFrame {
        report.level = 127
        report.isVoice = false
        report.statistics.audioLevel = 0
        report.statistics.totalSamplesDuration += 0.02
        return frame(Self.noSound, channels: 1)
    }

    /// Playing begins at the first block that is late enough for the first packet.
    private func begin(at local: Double) -> Bool {
        if hasBegun { return true }
        guard let first = waiting.first else { return false }
        packetSamples = max(Int(Self.tolerance), first.duration)
        setTarget(at: local)
        guard local - Double(first.start) >= playout.target - 0.5 else { return false }
        end = first.start
        hasBegun = true
        return true
    }

    // MARK: The delay

    private func setTarget(at local: Double) {
        if waitsForRepair {
            waitsForRepair = target.lossShare > 0.001 && repairShare > 0.2
        } else {
            waitsForRepair = target.lossShare > 0.004 && repairShare > 0.3
        }
        let slides = clock.drift != 0 || resampler.isRunning
        let phase = slides ? nil : local - Double(highest?.end ?? end)
        guard let fastest = target.fastest,
            let delay = target.delay(
                packet: Double(packetSamples), phase: phase, waitsForRepair: waitsForRepair,
                floor: samples(options.delayMin), extra: samples(extraDelay))
        else { return }
        playout.target = min(delay, fastest + samples(options.delayMax) + samples(extraDelay))
    }

    /// Shortens or lengthens what waits by one period where the delay is not what it should be.
    private func stretch(_ excess: Double, need: Int) {
        playout.blocksSinceStretch += 1
        let slides = clock.drift != 0 || resampler.isRunning
        let somewhat = slides ? Self.somewhatTooLongSliding : Self.somewhatTooLong
        playout.blocksTooLong = excess > somewhat ? playout.blocksTooLong + 1 : 0
        guard concealedRun == 0, playout.blocksSinceStretch > 1 else { return }
        if excess > Self.tooLong || playout.blocksTooLong > Self.patience {
            let wanted = max(TimeStretcher.needToShorten, need + Pitch.lagMax)
            while store.count < wanted, isNextReady { step(missing: wanted - store.count) }
            let haste: TimeStretcher.Haste =
                excess > Self.muchTooLong ? .hurried : playout.blocksTooLong < Self.haste ? .onlyQuiet : .usual
            let removed = TimeStretcher.shorten(store, most: Int(excess), keep: need, haste: haste)
            guard removed > 0 else { return }
            report.statistics.removedSamplesForAcceleration += removed
            playout.blocksSinceStretch = 0
        } else if excess < -(slides ? Self.tooShortSliding : Self.tooShort) {
            let inserted = TimeStretcher.lengthen(store, isHurried: excess < -Double(AudioFrame.blockSamples))
            guard inserted > 0 else { return }
            report.statistics.insertedSamplesForDeceleration += inserted
            playout.blocksSinceStretch = 0
        }
    }

    /// Whether the next packet is there and follows directly.
    private var isNextReady: Bool {
        guard let first = waiting.first, let lastSequence else { return false }
        return first.packet.sequence == lastSequence &+ 1 && !first.isComfortNoise
            && abs(first.start - end) <= Self.tolerance
    }

    /// More waits than is ever allowed: what is too old is given up at once.
    private func cut(at local: Double) {
        guard let last = waiting.last else { return }
        while let first = waiting.first, first.packet.sequence < last.packet.sequence,
            local - Double(first.end) >= playout.target
        {
            pass(waiting.removeFirst(), wasPlayed: false)
            discard(\.packetsOverflowed)
        }
        guard let first = waiting.first, first.start > end else { return }
        concealer.arm(store)
        report.statistics.removedSamplesForAcceleration += store.count + Int(clamping: first.start - end)
        store.truncate(to: 0)
        end = first.start
        speculative = 0
    }

    // MARK: The block's samples

    /// Adds at least one sample to the store: from the next packet, or in its place.
    private func step(missing: Int) {
        guard let next = waiting.first else {
            let made = silence.isOn ? fillPause(missing, most: .max) : conceal(missing, most: .max)
            end += Int64(made)
            speculative += Int64(made)
            return
        }
        let follows = lastSequence.map { $0 &+ 1 == next.packet.sequence } ?? true
        let ahead = next.start - end
        if follows, abs(ahead) <= Self.tolerance || (ahead < 0 && -ahead <= speculative + Self.tolerance) {
            play(next)
        } else if ahead <= 0 {
            if next.end > end - speculative || next.isComfortNoise {
                if !follows { countLost() }
                play(next)
            } else {
                pass(waiting.removeFirst(), wasPlayed: false)
                discard(\.packetsLate)
            }
        } else if follows || silence.isOn {
            wait(for: next, ahead, missing)
        } else {
            replaceLost(before: next, ahead, missing)
        }
    }

    /// The sender paused. The pause is the place to set the delay right: nobody hears that it is longer or shorter.
    private func wait(for next: Waiting, _ ahead: Int64, _ missing: Int) {
        var ahead = ahead
        if pausedBefore != next.packet.sequence {
            pausedBefore = next.packet.sequence
            let excess = playout.local - Double(end - Int64(store.count)) - playout.target
            if excess > 0 {
                let skipped = min(Int64(excess), ahead)
                report.statistics.removedSamplesForAcceleration += Int(skipped)
                end += skipped
                ahead -= skipped
            } else {
                let added = min(Int64(-excess) + 1, Int64(AudioReceiver.idleAfter))
                report.statistics.insertedSamplesForDeceleration += Int(added)
                end -= added
                ahead += added
            }
            speculative = 0
        }
        guard ahead > 0 else { return }
        end += Int64(fillPause(missing, most: Int(clamping: ahead)))
        speculative = 0
    }

    private func countLost() { target.count(lost: true) }

    /// Later packets are there, so what lies before them is lost: repaired as far as redundancy goes, else made up.
    private func replaceLost(before next: Waiting, _ ahead: Int64, _ missing: Int) {
        speculative = 0
        let candidate = decoder(for: next.packet.payloadType)
        let repairable =
            next.packet.payloadType == payloadType && !isRepaired
            ? Int64(candidate?.repairCount(next.packet.payload) ?? 0) : 0
        if repairable > 0, ahead <= repairable + Self.tolerance, ahead > repairable / 2, let candidate {
            let before = store.count
            if let made = try? candidate.repair(before: next.packet.payload, count: Int(repairable), into: store) {
                // What was made up already is not said twice.
                let surplus = max(0, made - Int(ahead))
                if surplus > 0, before + surplus <= store.count { store.remove(surplus, at: before) }
                end = next.start
                isRepaired = true
                concealedRun = 0
                countLost()
                return
            }
        }
        let hole = ahead > repairable && repairable > 0 ? ahead - repairable : ahead
        if concealedRun == 0 { countLost() }
        end += Int64(conceal(missing, most: Int(clamping: hole)))
    }

    /// Codecs conceal in steps of 2.5 ms. What is cut off such a step is missing in the wave, so more is made rather
    /// than less, up to `most`.
    private func whole(_ missing: Int, most: Int) -> Int { min((missing + 119) / 120 * 120, most) }

    /// Makes up at least `missing` samples where `most` allows; returns how many.
    private func conceal(_ missing: Int, most: Int) -> Int {
        let count = whole(missing, most: most)
        if concealedRun == 0 { report.statistics.concealmentEvents += 1 }
        let isIdle = concealedRun >= AudioReceiver.idleAfter
        var isSilent = isIdle
        if isIdle {
            appendSilence(count)
        } else if !appendConcealed(count) {
            concealer.conceal(count, into: store)
            isSilent = concealer.isSilent
        }
        concealedRun += count
        report.statistics.concealedSamples += count
        if isSilent { report.statistics.silentConcealedSamples += count }
        return count
    }

    /// By the codec's own concealment, which works in steps of 2.5 ms.
    private func appendConcealed(_ count: Int) -> Bool {
        let before = store.count
        guard !concealer.isActive, let decoder, decoder.conceal((count + 119) / 120 * 120, into: store) else {
            return false
        }
        store.truncate(to: before + count)
        return true
    }

    private func appendSilence(_ count: Int) {
        concealer.arm(store)
        store.reserve(count).update(repeating: 0, count: count * store.channels)
        store.commit(count)
    }

    /// The sound of a pause: the codec's or the sender's noise, as long as it can be heard.
    private func fillPause(_ missing: Int, most: Int) -> Int {
        let count = whole(missing, most: most)
        if isMuted {
            appendSilence(count)
        } else if let attenuation = silence.attenuation {
            concealer.arm(store)
            concealer.noise(count, attenuation: attenuation, into: store)
        } else if !appendConcealed(count) {
            concealer.conceal(count, into: store)
        }
        return count
    }

    /// Decodes a packet behind what waits in the store.
    private func play(_ next: Waiting) {
        waiting.removeFirst()
        let wasRepaired = isRepaired
        pass(next, wasPlayed: true)
        end = next.start
        speculative = 0
        if next.isComfortNoise {
            // The first byte is the level of the noise; the filter that may follow is left out.
            silence = (true, next.packet.payload.withUnsafeBytes { $0.first.map { $0 & 0x7F } })
            isMuted = false
            return
        }
        guard let decoder = decoder(for: next.packet.payloadType) else { return }
        let channels = decoder.channels(of: next.packet.payload)
        if self.decoder !== decoder || channels != store.channels {
            if self.decoder != nil { concealer.arm(store) }
            if channels != store.channels {
                store.setChannels(channels)
                concealer.reset()
                concealer.arm(store)
            }
            self.decoder = decoder
            payloadType = next.packet.payloadType
        }
        noteRepair(decoder.repairCount(next.packet.payload) > 0, wasUsed: wasRepaired)
        do {
            let made = try decoder.decode(next.packet.payload, into: store)
            if concealer.isActive { concealer.end(in: store, count: made) }
            end = next.start + Int64(made)
            packetSamples = max(Int(Self.tolerance), next.duration)
            packetTransit = next.transit
            packetLevel = next.packet.level
            concealedRun = 0
            report.statistics.totalSamplesReceived += made
            silence = (decoder.isSilence(next.packet.payload), nil)
            isMuted = isMuted && silence.isOn
            target.count(lost: false)
        } catch {
            discard(\.packetsUndecodable)
            let count = max(Int(Self.tolerance), next.duration)
            end += Int64(conceal(count, most: count))
        }
    }

    private func noteRepair(_ hasRepair: Bool, wasUsed: Bool) {
        repairShare += ((hasRepair ? 1 : 0) - repairShare) * 0.02
        guard hasRepair else { return }
        report.statistics.fecPacketsReceived += 1
        if !wasUsed { report.statistics.fecPacketsDiscarded += 1 }
    }

    // MARK: The report

    private func note(_ block: [Float], channels: Int, first: Int64, delay: Double, at now: Instant) {
        let power = Level.power(block)
        let measured = Level.attenuation(power: power)
        // Opus's noise in a pause: below -65 dBov nobody hears it, and making it costs as much as speech.
        if silence.isOn, measured > 65, waiting.isEmpty { isMuted = true }
        report.level = concealedRun == 0 ? packetLevel?.attenuation ?? measured : measured
        let heard = voice.isVoice(measured)
        report.isVoice = concealedRun == 0 ? packetLevel?.isVoice ?? heard : heard
        let fastest = target.fastest ?? 0
        report.currentDelay = MediaTime(samples: Int64(delay - fastest), rate: AudioFrame.sampleRate)
        report.targetDelay = MediaTime(samples: Int64(playout.target - fastest), rate: AudioFrame.sampleRate)
        if case .sound(_, let rate)? = formats[payloadType], let stamp = clock.timestamp(of: first, clockRate: rate) {
            report.playout = SoundPlayout(timestamp: stamp, payloadType: payloadType, at: now)
        }
        let seconds = Double(AudioFrame.blockSamples) / Double(AudioFrame.sampleRate)
        let count = Double(AudioFrame.blockSamples)
        report.statistics.jitterBufferDelay += count * max(0, delay - packetTransit) / 48_000
        report.statistics.jitterBufferTargetDelay += count * max(0, playout.target - fastest) / 48_000
        report.statistics.jitterBufferMinimumDelay +=
            count * max(0, playout.target - fastest - samples(extraDelay)) / 48_000
        report.statistics.jitterBufferEmittedCount += AudioFrame.blockSamples
        report.statistics.audioLevel = Double(power.squareRoot())
        report.statistics.totalAudioEnergy += Double(power) * seconds
        report.statistics.totalSamplesDuration += seconds
    }
}
