package import Core

/// A node of the graph: pads by media kind, a name, events. Subclasses say what happens between the pads.
///
/// Created on the pipeline's loop and lives in its context until `release`. Knows no threads.
///
/// `open`, with the pad it names, only because Swift lets other targets of a package subclass nothing less.
open class Element {
    package unowned let context: PipelineContext
    /// Unique in the pipeline.
    package let name: String
    /// Kurento's class name.
    package let className: String
    package private(set) var inputs: [MediaKind: InputPad] = [:]
    package private(set) var outputs: [MediaKind: OutputPad] = [:]
    package private(set) var isReleased = false
    package let log: Log
    /// Frames that came in over links; the element's sinks count them.
    package var framesIn = 0
    /// Frames of its own that went out.
    package internal(set) var framesOut = 0
    private var reported: Set<PipelineEvent.Detail> = []
    /// Texts may carry numbers of the peer's choosing.
    private static let reportedMax = 64
    /// What a client wants of the encoders of this element's media.
    package var encoderRates = EncoderRates() {
        didSet { if encoderRates != oldValue { outputs[.video]?.origin?.rechoose() } }
    }

    package init(_ context: PipelineContext, name: String, className: String) {
        self.context = context
        self.name = name
        self.className = className
        log = context.log.with("element", name)
        context.add(self)
    }

    // MARK: Pads

    /// Adds the pad through which media of `kind` enters. Without a sink the element only routes: see `originChanged`.
    @discardableResult
    package func addInput(_ kind: MediaKind, sink: (any MediaSink)? = nil) -> InputPad {
        let pad = InputPad(element: self, kind: kind, sink: sink)
        inputs[kind] = pad
        return pad
    }

    /// Adds the pad through which media of `kind` leaves; `source` nil: somebody else's media, set later.
    @discardableResult
    package func addOutput(_ kind: MediaKind, source: MediaSource? = nil) -> OutputPad {
        let pad = OutputPad(element: self, kind: kind)
        outputs[kind] = pad
        pad.origin = source
        return pad
    }

    /// Adds the pad through which media that this element makes itself leaves, and returns its source.
    @discardableResult
    package func addSource(_ kind: MediaKind) -> MediaSource {
        let source = MediaSource(element: self, kind: kind)
        addOutput(kind, source: source)
        return source
    }

    /// Media of another origin, or none, now reaches the pad. Routing elements pass it on.
    open func originChanged(of pad: InputPad) {}

    // MARK: Connections

    /// Connects the pads of `kind`, or of every kind both elements have. One source per sink pad: a second one takes
    /// over. Connecting an element with itself is a loopback.
    package func connect(to sink: Element, kind: MediaKind? = nil) throws(GraphError) {
        guard sink.context === context else {
            throw GraphError("\(name) and \(sink.name) are in different pipelines and cannot be connected")
        }
        guard !isReleased, !sink.isReleased else {
            throw GraphError("\(isReleased ? name : sink.name) has been released and cannot be connected")
        }
        let kinds = kind.map { [$0] } ?? MediaKind.allCases.filter { outputs[$0] != nil && sink.inputs[$0] != nil }
        guard !kinds.isEmpty else {
            throw GraphError("\(name) (\(className)) has no output that \(sink.name) (\(sink.className)) could take")
        }
        for kind in kinds {
            guard let output = outputs[kind] else {
                throw GraphError("\(name) (\(className)) has no \(kind.rawValue) output")
            }
            guard let input = sink.inputs[kind] else {
                throw GraphError("\(sink.name) (\(sink.className)) has no \(kind.rawValue) input")
            }
            if let old = input.upstream { old.disconnect(input) }
            output.connect(input)
        }
    }

    /// Undoes `connect`; a pair that is not connected is no error.
    package func disconnect(from sink: Element, kind: MediaKind? = nil) {
        for kind in kind.map({ [$0] }) ?? MediaKind.allCases {
            guard let output = outputs[kind], let input = sink.inputs[kind] else { continue }
            if input.upstream === output {
                output.disconnect(input)
            } else {
                context.emit(.elementDisconnected(sink: sink.name, kind: kind), from: self)
            }
        }
    }

    /// Cuts all connections and leaves the pipeline. Subclasses end their work first and then call this.
    open func release() {
        guard !isReleased else { return }
        isReleased = true
        for pad in outputs.values {
            for input in pad.downstream { pad.disconnect(input) }
        }
        for pad in inputs.values { pad.upstream?.disconnect(pad) }
        // Whoever makes the media must not tell a pad whose element has gone.
        for pad in outputs.values { pad.origin = nil }
        context.remove(self)
    }

    // MARK: Trouble

    /// Reports a failure of this element; the same trouble is reported once.
    package func fail(_ type: ErrorType, _ description: String) {
        report(.error(type: type, description: description))
    }

    /// The element begins anew: the same trouble would be news again.
    package func forgetTroubles() { reported = [] }

    package func warn(_ description: String) { report(.warning(description)) }

    private func report(_ detail: PipelineEvent.Detail) {
        guard !reported.contains(detail) else { return }
        // Who brings ever new troubles is told of all of them, again too.
        if reported.count >= Element.reportedMax { reported.removeAll(keepingCapacity: true) }
        reported.insert(detail)
        context.emit(detail, from: self)
    }

    // MARK: Flow

    package func isMediaFlowingIn(_ kind: MediaKind) -> Bool { inputs[kind]?.isFlowing ?? false }
    package func isMediaFlowingOut(_ kind: MediaKind) -> Bool { outputs[kind]?.isFlowing ?? false }

    func checkFlow() {
        for pad in outputs.values { pad.origin?.checkFlow(every: pad) }
        for pad in inputs.values where pad.origin == nil { pad.setFlowing(false) }
    }
}

/// Bit rates of the video encoders of an element's media, in bits per second.
package struct EncoderRates: Hashable, Sendable {
    /// The rate to encode with; nil: what each sink's line carries.
    package var wanted: Int?
    package var minimum = 0
    package var maximum = Int(Int32.max)
    /// No encoder works below this.
    private static let least = 10_000
    package init() {}

    /// The rate of a new encoder, of which a sink would want `rate`.
    func rate(for rate: Int) -> Int { wanted.map(limited) ?? limited(rate) }
    /// What becomes of a change to `rate` later on.
    func limited(_ rate: Int) -> Int {
        max(EncoderRates.least, max(minimum, min(rate, max(maximum, minimum))))
    }
}

/// Where media of one kind leaves an element. Its origin is the source that really produces it: the element's own, or
/// for a routing element the one upstream, so that renditions are shared across any number of routers.
package final class OutputPad {
    package unowned let element: Element
    package let kind: MediaKind
    package private(set) var downstream: [InputPad] = []
    package private(set) var isFlowing = false
    package var origin: MediaSource? {
        didSet {
            guard origin !== oldValue else { return }
            oldValue?.removeListener(self)
            origin?.addListener(self)
            if origin == nil { setFlowing(false) }
            for pad in downstream { pad.originChanged() }
        }
    }

    init(element: Element, kind: MediaKind) {
        self.element = element
        self.kind = kind
    }

    fileprivate func connect(_ pad: InputPad) {
        downstream.append(pad)
        pad.upstream = self
        element.context.emit(.elementConnected(sink: pad.element.name, kind: kind), from: element)
        pad.originChanged()
        origin?.addListener(self)
    }

    fileprivate func disconnect(_ pad: InputPad) {
        downstream.removeAll { $0 === pad }
        pad.upstream = nil
        pad.originChanged()
        pad.setFlowing(false)
        element.context.emit(.elementDisconnected(sink: pad.element.name, kind: kind), from: element)
    }

    func setFlowing(_ flowing: Bool) {
        if isFlowing != flowing {
            isFlowing = flowing
            element.context.emit(.mediaFlowOutStateChanged(kind: kind, isFlowing: flowing), from: element)
        }
        for pad in downstream { pad.setFlowing(flowing) }
    }
}

/// Where media of one kind enters an element.
public final class InputPad {
    package unowned let element: Element
    package let kind: MediaKind
    package fileprivate(set) weak var upstream: OutputPad?
    /// The source whose media arrives here, through whatever routers.
    package private(set) weak var origin: MediaSource?
    package private(set) var isFlowing = false
    /// An inactive pad consumes nothing, so that nothing is decoded for nobody.
    package var isActive = true {
        didSet { if isActive != oldValue { resubscribe() } }
    }
    /// What the media is made into before the element gets it; nil: it comes as it is.
    package var wantedFormat: WantedFormat? {
        didSet { if wantedFormat != oldValue { originChanged() } }
    }
    private let sink: (any MediaSink)?
    private weak var subscribed: MediaSource?
    private var converter: FormatConverter?

    init(element: Element, kind: MediaKind, sink: (any MediaSink)?) {
        self.element = element
        self.kind = kind
        self.sink = sink
    }

    fileprivate func originChanged() {
        let previous = converter
        let new = converted(upstream?.origin)
        guard new !== origin || new == nil else { return }
        origin = new
        // The element forgets the old source first: attaching may bring the new one's watermark or end at once.
        element.originChanged(of: self)
        resubscribe()
        if previous !== converter { previous?.end() }
    }

    /// What the element is to get of what comes over the link.
    private func converted(_ arriving: MediaSource?) -> MediaSource? {
        guard let wantedFormat, let arriving else {
            converter = nil
            return arriving
        }
        if let converter, converter.arriving === arriving, converter.wanted == wantedFormat { return converter.source }
        let made = FormatConverter(element, kind, wantedFormat, from: arriving)
        converter = made
        return made.source
    }

    private func resubscribe() {
        guard let sink else { return }
        let wanted = isActive ? origin : nil
        guard wanted !== subscribed else { return }
        subscribed?.detach(sink)
        subscribed = wanted
        wanted?.attach(sink)
    }

    /// Asks whoever produces for a key frame.
    package func requestKeyFrame() {
        guard let sink else { return }
        subscribed?.requestKeyFrame(for: sink)
    }

    /// The sink may choose another rendition now.
    package func reconsider() {
        guard let sink else { return }
        subscribed?.reconsider(sink)
    }

    /// Changes the bit rate of the rendition the sink gets, if nobody shares it.
    package func setBitrate(_ bitrate: Int) {
        guard let sink else { return }
        subscribed?.setBitrate(bitrate, for: sink)
    }

    /// Tells the encoder of the sound that the sink gets how many of 100 packets are lost behind it.
    package func setExpectedLoss(_ percent: Int) {
        guard let sink else { return }
        subscribed?.setExpectedLoss(percent, for: sink)
    }

    /// Tells the producer that the sink has room again.
    package func roomAvailable() {
        guard let sink else { return }
        subscribed?.roomAvailable(to: sink)
    }

    /// How old frames are when they come in, since they were due; nil: not measured.
    package var latency: MediaTime? { sink.flatMap { subscribed?.latency(to: $0) } }

    /// What the sink gets now; nil where nothing comes, or where the element only routes.
    package var delivery: RenditionFigures? { sink.flatMap { subscribed?.figures(for: $0) } }

    func setFlowing(_ flowing: Bool) {
        guard isFlowing != flowing else { return }
        isFlowing = flowing
        element.context.emit(.mediaFlowInStateChanged(kind: kind, isFlowing: flowing), from: element)
    }
}
