import Core

/// Carries packets from the loop to the sound thread and blocks back, for all sources of a pipeline together: one hop
/// each way every 20 ms, however many participants there are. Owned by the pipeline's context; lives on the loop.
///
/// Packets wait on the loop until the next tick: their arrival is in them, so nothing is lost by it. The tick comes
/// `lead` before the block is due, so that the block is there when a hub that ticks by the same clock asks for it.
final class ReceptionDesk {
    /// Half a block: what the sound thread may take for all receivers of the pipeline.
    private static let lead = MediaTime.milliseconds(10)
    private static let rate = Rational(AudioFrame.sampleRate, AudioFrame.blockSamples)
    /// Ticks that may be under way; a sound thread that is further behind gets no more until it has caught up.
    private static let ticksInFlightMax = 8
    /// Packets that wait for a tick: 400 a second from each of a hundred participants for a fifth of a second.
    private static let packetsMax = 8192

    private unowned let context: PipelineContext
    private var stage: Stage<ReceptionCommand, [ReceivedBlock]>?
    private var renditions: [Int: ReceivedRendition] = [:]
    private var lastNumber = 0
    private var packets: [ReceptionPacket] = []
    private var timer: PipelineContext.Timer?
    private var next: Int64 = 0

    init(_ context: PipelineContext) { self.context = context }

    // MARK: Sources

    func add(_ rendition: ReceivedRendition, _ reception: SoundReception) -> Int {
        if stage == nil { start() }
        lastNumber += 1
        renditions[lastNumber] = rendition
        push(.add(lastNumber, reception.formats, reception.options, reception.extraDelay))
        return lastNumber
    }

    func remove(_ number: Int) {
        renditions[number] = nil
        packets.removeAll { $0.receiver == number }
        push(.remove(number))
        if renditions.isEmpty { stop() }
    }

    func push(_ command: ReceptionCommand) { stage?.push(command, droppable: false) }

    /// False where too many wait: the new one is dropped.
    func receive(_ packet: SoundPacket, for number: Int) -> Bool {
        guard packets.count < ReceptionDesk.packetsMax else { return false }
        packets.append(ReceptionPacket(receiver: number, packet: packet))
        return true
    }

    // MARK: The clock

    private func start() {
        let codecs = context.configuration.codecs
        let stage = Stage<ReceptionCommand, [ReceivedBlock]>(
            context, record: context.makeStageRecord(elementName: "", kind: .decode, detail: "sound from the network"),
            executor: context.host.workers(.sound), capacity: ReceptionDesk.ticksInFlightMax, policy: .dropNewest,
            counts: \.isTick
        ) { ReceptionWork(codecs) }
        stage.onOutput = { [unowned self] blocks in
            for block in blocks { renditions[block.receiver]?.deliver(block) }
        }
        self.stage = stage
        next = max(next, (context.now + ReceptionDesk.lead).count(per: ReceptionDesk.rate) + 1)
        schedule()
    }

    private func stop() {
        if let timer { context.cancel(timer) }
        timer = nil
        stage?.cancel()
        stage = nil
        packets.removeAll()
    }

    private func schedule() {
        let due = MediaTime(next, per: ReceptionDesk.rate)
        timer = context.schedule(at: due - ReceptionDesk.lead) { [weak self] in
            guard let self, stage != nil else { return }
            tick(due)
            // As hubs do: a loop that was held up makes up for nothing.
            next = max(next + 1, (context.now + ReceptionDesk.lead).count(per: ReceptionDesk.rate))
            schedule()
        }
    }

    private func tick(_ due: MediaTime) {
        guard let stage, stage.hasRoom else {
            stage?.record.drop("sound thread behind")
            return
        }
        // The tick's own time, not when the loop got to it: blocks are 20 ms apart.
        let at = context.host.now() + (due - ReceptionDesk.lead - context.now)
        stage.push(.tick(ReceptionTick(packets: packets, at: at, pts: due)), droppable: false)
        packets.removeAll(keepingCapacity: true)
    }
}

struct ReceptionPacket: Sendable {
    let receiver: Int
    let packet: SoundPacket
}

struct ReceptionTick: Sendable {
    let packets: [ReceptionPacket]
    let at: Instant
    let pts: MediaTime
}

enum ReceptionCommand: Sendable {
    case add(Int, [UInt8: SoundPayloadFormat], SoundReceiverOptions, MediaTime)
    case setFormats(Int, [UInt8: SoundPayloadFormat])
    case setExtraDelay(Int, MediaTime)
    case remove(Int)
    case tick(ReceptionTick)

    var isTick: Bool {
        if case .tick = self { return true }
        return false
    }
}

struct ReceivedBlock: Sendable {
    let receiver: Int
    let frame: AudioFrame
    let report: SoundReport
}

/// All receivers of a pipeline, on the sound thread.
final class ReceptionWork: StageWork {
    private let codecs: any CodecFactory
    /// In the order they came, so that two runs are equal.
    private var receivers: [(number: Int, receiver: any SoundReceiver)] = []

    init(_ codecs: any CodecFactory) { self.codecs = codecs }

    func process(_ command: ReceptionCommand, emit: ([ReceivedBlock]) -> Void) throws {
        switch command {
        case .add(let number, let formats, let options, let extraDelay):
            let receiver = codecs.soundReceiver(formats, options: options)
            receiver.extraDelay = extraDelay
            receivers.append((number, receiver))
        case .setFormats(let number, let formats): receiver(number)?.setFormats(formats)
        case .setExtraDelay(let number, let delay): receiver(number)?.extraDelay = delay
        case .remove(let number): receivers.removeAll { $0.number == number }
        case .tick(let tick):
            for packet in tick.packets { receiver(packet.receiver)?.insert(packet.packet) }
            emit(
                receivers.map { number, receiver in
                    var frame = receiver.pull(at: tick.at)
                    frame.pts = tick.pts
                    return ReceivedBlock(receiver: number, frame: frame, report: receiver.report)
                })
        }
    }

    /// Numbers only grow, so the list is sorted by them.
    private func receiver(_ number: Int) -> (any SoundReceiver)? {
        var (low, high) = (0, receivers.count)
        while low < high {
            let middle = (low + high) / 2
            if receivers[middle].number < number { low = middle + 1 } else { high = middle }
        }
        return low < receivers.count && receivers[low].number == number ? receivers[low].receiver : nil
    }
}
