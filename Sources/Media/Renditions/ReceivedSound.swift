package import Core

/// What a source that gets its sound as packets from a network knows of its reception. Lives on the loop.
struct SoundReception {
    var formats: [UInt8: SoundPayloadFormat]
    var options: SoundReceiverOptions
    var extraDelay = MediaTime.zero
    var report = SoundReport()
}

extension MediaSource {
    /// Says, before anybody is attached, that decoded sound is to be made of the packets that `receive` will bring,
    /// by a receiver that repairs and conceals (real time only; offline, coded frames are decoded one by one). Called
    /// again, it changes the payload types. What the element pushes as coded frames goes its way as ever, untouched.
    package func receiveSound(
        _ formats: [UInt8: SoundPayloadFormat], options: SoundReceiverOptions = SoundReceiverOptions()
    ) {
        precondition(kind == .audio, "only sound is received in packets")
        reception = SoundReception(
            formats: formats, options: options, extraDelay: reception?.extraDelay ?? .zero,
            report: reception?.report ?? SoundReport())
        receivedSound?.formatsChanged()
    }

    /// A packet as it came from the network; costs nothing while nobody wants decoded sound.
    package func receive(_ packet: SoundPacket) { receivedSound?.receive(packet) }

    /// How the receiver does, as of the last block; nil for a source without one.
    package var soundReport: SoundReport? { reception?.report }

    /// Delay of the sound beyond what the network needs, asked for by the lip sync.
    package var extraSoundDelay: MediaTime {
        get { reception?.extraDelay ?? .zero }
        set {
            guard reception != nil, newValue != reception?.extraDelay else { return }
            reception?.extraDelay = newValue
            receivedSound?.extraDelayChanged()
        }
    }
}

/// The decoded form of sound from a network: a block every 20 ms by the pipeline's clock, whatever the network does,
/// from the first packet to the end. Its times have no gap.
final class ReceivedRendition: Rendition, MediaSink {
    private var number: Int?
    private var record: StageRecord?
    private var upstream: Rendition { source.native }
    private var desk: ReceptionDesk { context.receptionDesk }

    override func start() {
        guard case .encoded(let format) = source.form else { return }
        record = context.makeStageRecord(
            element: source.element, kind: .decode, codec: format.codecName, detail: "from the network")
        upstream.add(self)
    }

    override func stop() {
        record?.isRunning = false
        leave()
        source.release(upstream, by: self)
    }

    override func subscribersChanged() { record?.sharedBy = max(record?.sharedBy ?? 0, sinkCount) }

    func receive(_ packet: SoundPacket) {
        guard let reception = source.reception else { return }
        let number = number ?? desk.add(self, reception)
        self.number = number
        if !desk.receive(packet, for: number) { record?.drop("overflow") }
    }

    func formatsChanged() {
        if let number, let reception = source.reception { desk.push(.setFormats(number, reception.formats)) }
    }

    func extraDelayChanged() {
        if let number { desk.push(.setExtraDelay(number, source.extraSoundDelay)) }
    }

    func deliver(_ block: ReceivedBlock) {
        record?.frames += 1
        source.reception?.report = block.report
        send(.sound(block.frame))
    }

    private func leave() {
        if let number { desk.remove(number) }
        number = nil
    }

    // MARK: As a sink of the native rendition, which tells the end

    func choose(from form: NativeForm) -> RenditionKey { .native }
    var hasRoom: Bool { true }
    func receive(_ item: MediaItem) {
        guard case .end = item else { return }
        leave()
        send(item)
    }
}
