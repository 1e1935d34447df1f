package import Core

/// What an element produces of one media kind, and every rendition of it that somebody wants.
///
/// The element pushes its native items; each sink gets the cheapest rendition it can take. A rendition is produced
/// once, however many sinks share it, from the first sink to the last. Owned by its element; lives on the loop.
package final class MediaSource {
    package unowned let element: Element
    package let kind: MediaKind
    /// Known once the element says so; sinks wait until then.
    package private(set) var form: NativeForm?
    /// Offline: the element may push again after having found no room.
    package var onRoom: () -> Void = {}
    /// The first sink came (true), the last one left (false).
    package var onDemand: (Bool) -> Void = { _ in }
    /// A sink needs a key frame of the native rendition: at most one call per 500 ms.
    package var onKeyFrameRequest: () -> Void = {}

    /// How long before it is needed the element hands on a frame; from then on a frame grows old.
    package var leadTime = MediaTime.zero
    /// From when on what this source makes of others shows them as they are; nil until it does. For who takes a single
    /// picture: a hub that nobody looked at begins with pictures of the last look.
    package var settledFrom: () -> MediaTime? = { .distantPast }

    /// For sound that comes in packets from a network.
    var reception: SoundReception?
    private(set) var renditions: [RenditionKey: Rendition] = [:]
    private(set) var attachments: [Attachment] = []
    /// Weak: the pads hold this source.
    private var listenerPads: [WeakPad] = []
    private var listeners: [OutputPad] { listenerPads.compactMap(\.pad) }
    private struct WeakPad { weak var pad: OutputPad? }
    private var framesSeen = 0
    private var framesAtLastCheck = -1
    private var listenersKnow = true
    private var isTranscoding: Bool?
    private var pendingEnd: MediaTime?
    /// Whether the element makes this media; else it only is handed on in another form, at one of its inputs.
    private let isOwn: Bool

    struct Attachment {
        let sink: any MediaSink
        var key: RenditionKey?
        /// How many of 100 packets of sound do not reach whom the sink sends them to.
        fileprivate var expectedLoss = 0
        /// The rendition it goes over to at that one's next key frame.
        fileprivate var handover: Handover?
    }

    package init(element: Element, kind: MediaKind, isOwn: Bool = true) {
        self.element = element
        self.kind = kind
        self.isOwn = isOwn
    }

    // MARK: From the element

    /// Says what comes natively, before the first item and whenever it changes. Sinks choose anew.
    package func setForm(_ form: NativeForm) {
        guard form != self.form else { return }
        self.form = form
        if case .encoded(let format) = form { native.send(.format(format)) }
        for index in attachments.indices { choose(index) }
        updateTranscoding()
    }

    /// Hands a native item to everybody who wants it.
    package func push(_ item: MediaItem) {
        if item.isFrame {
            framesSeen += 1
            if isOwn { element.framesOut += 1 }
            if !listenersKnow {
                listenersKnow = true
                for pad in listeners { pad.setFlowing(true) }
            }
        }
        if form == nil, case .end(let time) = item {
            // A stream that never began: whoever waits for it must know.
            pendingEnd = time
            for attachment in attachments where attachment.key == nil { attachment.sink.receive(item) }
            return
        }
        native.send(item)
    }

    /// Offline: whether every consumer has room for more.
    package var hasRoom: Bool { renditions[.native]?.sinksHaveRoom ?? true }

    package var isWanted: Bool { !attachments.isEmpty }

    // MARK: From sinks

    func attach(_ sink: any MediaSink) {
        attachments.append(Attachment(sink: sink, key: nil))
        if attachments.count == 1 { onDemand(true) }
        // `onDemand` may have brought the form.
        if let index = attachments.firstIndex(where: { $0.sink === sink && $0.key == nil }) {
            if form != nil { choose(index) } else if let pendingEnd { sink.receive(.end(pendingEnd)) }
        }
        updateTranscoding()
    }

    func detach(_ sink: any MediaSink) {
        guard let index = attachments.firstIndex(where: { $0.sink === sink }) else { return }
        let attachment = attachments.remove(at: index)
        if let key = attachment.key { leave(key, sink) }
        if let handover = attachment.handover { leave(handover.key, handover) }
        updateTranscoding()
        if attachments.isEmpty { onDemand(false) }
        // One reader fewer to wait for.
        if element.context.mode == .offline { onRoom() }
    }

    func requestKeyFrame(for sink: any MediaSink) { rendition(of: sink)?.requestKeyFrame() }
    func roomAvailable(to sink: any MediaSink) { rendition(of: sink)?.roomAvailable() }

    /// The sink may choose otherwise now than it did. Between coded pictures it goes over at a key frame of the new
    /// rendition, and gets the old one until then.
    package func reconsider(_ sink: any MediaSink) {
        guard let index = attachments.firstIndex(where: { $0.sink === sink }), let form else { return }
        let isLive = kind == .video && element.context.mode == .realTime
        guard isLive, let old = attachments[index].key, old.isCoded(form) else { return choose(index) }
        let key = allowed(sink.choose(from: form))
        if let pending = attachments[index].handover {
            guard pending.key != key else { return }
            attachments[index].handover = nil
            leave(pending.key, pending)
        }
        guard key != old else { return }
        guard key.isCoded(form) else { return choose(index) }
        let handover = Handover(source: self, sink: sink, key: key)
        attachments[index].handover = handover
        let rendition = rendition(key)
        rendition.add(handover)
        rendition.requestKeyFrame()
    }

    /// The new rendition's key frame is there: from it on it feeds the sink.
    fileprivate func finish(_ handover: Handover, format: EncodedFormat?, frame: MediaItem) {
        guard let index = attachments.firstIndex(where: { $0.handover === handover }) else { return }
        let old = attachments[index].key
        attachments[index].handover = nil
        attachments[index].key = handover.key
        renditions[handover.key]?.replace(handover, by: handover.sink)
        if let old { leave(old, handover.sink) }
        if let format { handover.sink.receive(.format(format)) }
        handover.sink.receive(frame)
        updateTranscoding()
    }

    /// Changes the target of the rendition a sink gets, if nobody shares it.
    package func setBitrate(_ bitrate: Int, for sink: any MediaSink) {
        guard let rendition = rendition(of: sink) as? EncodedRendition, rendition.sinkCount == 1 else { return }
        rendition.setBitrate(element.encoderRates.limited(bitrate))
    }

    /// Tells the encoder of the rendition a sink gets how many of 100 packets are lost behind that sink. One encoder
    /// works for all: it counts with the highest share.
    package func setExpectedLoss(_ percent: Int, for sink: any MediaSink) {
        guard let index = attachments.firstIndex(where: { $0.sink === sink }) else { return }
        attachments[index].expectedLoss = percent
        if let key = attachments[index].key { tellExpectedLoss(key) }
    }

    private func tellExpectedLoss(_ key: RenditionKey) {
        guard kind == .audio, let rendition = renditions[key] as? EncodedRendition else { return }
        rendition.setExpectedLoss(attachments.filter { $0.key == key }.map(\.expectedLoss).max() ?? 0)
    }

    /// How old frames are when that sink gets them, since they were due; nil: not measured.
    func latency(to sink: any MediaSink) -> MediaTime? { rendition(of: sink)?.latency }

    /// The element's wishes for its encoders have changed.
    func rechoose() { for attachment in attachments { reconsider(attachment.sink) } }

    /// What a sink asks for, within what the element allows.
    private func allowed(_ key: RenditionKey) -> RenditionKey {
        guard case .video(var specification) = key else { return key }
        specification.bitrate = element.encoderRates.rate(for: specification.bitrate)
        return .video(specification)
    }

    private func rendition(of sink: any MediaSink) -> Rendition? {
        attachments.first { $0.sink === sink }?.key.flatMap { renditions[$0] }
    }

    // MARK: Renditions

    var native: Rendition { rendition(.native) }
    /// The decoded form: the native one where that is decoded already.
    var raw: Rendition {
        if case .encoded = form { return rendition(.raw) }
        return native
    }

    var receivedSound: ReceivedRendition? { renditions[.raw] as? ReceivedRendition }

    private func choose(_ index: Int) {
        guard let form else { return }
        let sink = attachments[index].sink
        var key = allowed(sink.choose(from: form))
        if key == .raw, !isEncoded { key = .native }
        guard key != attachments[index].key else { return }
        let old = attachments[index].key
        if let handover = attachments[index].handover { leave(handover.key, handover) }
        attachments[index].handover = nil
        attachments[index].key = key
        if let old { leave(old, sink) }
        rendition(key).add(sink)
        tellExpectedLoss(key)
    }

    private func leave(_ key: RenditionKey, _ sink: any MediaSink) {
        guard let rendition = renditions[key] else { return }
        rendition.remove(sink)
        if rendition.isIdle, key != .native {
            renditions[key] = nil
            rendition.stop()
        }
        tellExpectedLoss(key)
    }

    private func rendition(_ key: RenditionKey) -> Rendition {
        if let rendition = renditions[key] { return rendition }
        let made: Rendition =
            switch key {
            case .native: Rendition(source: self)
            case .raw where reception != nil && element.context.mode == .realTime: ReceivedRendition(source: self)
            case .raw: DecodedRendition(source: self)
            case .video, .audio: EncodedRendition(source: self, key: key)
            }
        renditions[key] = made
        made.start()
        return made
    }

    /// A rendition that fed on another one has stopped; the other may stop too.
    func release(_ rendition: Rendition, by sink: any MediaSink) {
        guard let key = renditions.first(where: { $0.value === rendition })?.key else { return }
        leave(key, sink)
    }

    private var isEncoded: Bool {
        if case .encoded = form { return true }
        return false
    }

    private func updateTranscoding() {
        guard isOwn, form != nil, attachments.contains(where: { $0.key != nil }) else { return }
        let transcodes = attachments.contains { $0.key != nil && $0.key != .native }
        guard transcodes != isTranscoding else { return }
        isTranscoding = transcodes
        element.context.emit(.mediaTranscodingStateChanged(kind: kind, isTranscoding: transcodes), from: element)
    }

    // MARK: Flow

    func addListener(_ pad: OutputPad) {
        if !listeners.contains(where: { $0 === pad }) { listenerPads.append(WeakPad(pad: pad)) }
        listenersKnow = false
    }
    func removeListener(_ pad: OutputPad) {
        listenerPads.removeAll { $0.pad == nil || $0.pad === pad }
    }

    /// Called once per tick for each pad that shows this source; only the first pad's call counts.
    func checkFlow(every pad: OutputPad) {
        guard pad === listeners.first else { return }
        if framesSeen == framesAtLastCheck {
            listenersKnow = false
            for pad in listeners { pad.setFlowing(false) }
        }
        framesAtLastCheck = framesSeen
    }
}

/// Waits at a rendition for its key frame, on behalf of a sink that is still fed by another one.
private final class Handover: MediaSink {
    private unowned let source: MediaSource
    let sink: any MediaSink
    let key: RenditionKey
    private var format: EncodedFormat?

    init(source: MediaSource, sink: any MediaSink, key: RenditionKey) {
        self.source = source
        self.sink = sink
        self.key = key
    }

    func choose(from form: NativeForm) -> RenditionKey { key }
    var hasRoom: Bool { true }
    func receive(_ item: MediaItem) {
        if case .format(let format) = item { self.format = format }
        if case .encoded(let frame) = item, frame.isKey { source.finish(self, format: format, frame: item) }
    }
}

extension RenditionKey {
    /// Whether coded frames come by it, of a source of that form.
    fileprivate func isCoded(_ form: NativeForm) -> Bool {
        switch self {
        case .video, .audio: true
        case .native: if case .encoded = form { true } else { false }
        case .raw: false
        }
    }
}

extension MediaSource {
    /// The frame rate an encoder of this source should count with.
    package var nominalFrameRate: Rational {
        switch form {
        case .pictures(_, _, let rate): rate
        case .encoded(.video(let format)): format.frameRate ?? Rational(30, 1)
        default: Rational(30, 1)
        }
    }
}
