import Core
package import Media

/// What a filter's stage is told: media, when it was handed over, or the filter's own word.
enum FilterInput<Command: Sendable>: Sendable {
    /// `wall`: milliseconds since the Unix epoch at the hand-over.
    case item(MediaItem, wall: Int64)
    case command(Command)

    var isFrame: Bool {
        if case .item(let item, _) = self { return item.isFrame }
        return false
    }
}

/// What a filter's stage answers.
enum FilterOutput<Finding: Sendable>: Sendable {
    case item(MediaItem)
    /// Something seen or heard that is not media.
    case finding(Finding)
}

/// One media kind of a filter: passes on its source untouched, or decodes it and puts it through a stage, or lets a
/// stage look on. Which of these may change at any time. Lives on the loop, owned by its element.
final class FilterLine<Command: Sendable, Finding: Sendable>: MediaSink {
    enum Mode {
        /// In is out, by handing on the source: nothing is decoded.
        case pass
        /// What the stage makes is the output.
        case filter
        /// In is out, and the stage sees it, whether anybody takes the output or not.
        case watch
    }

    typealias Work = any StageWork<FilterInput<Command>, FilterOutput<Finding>>

    var mode: Mode { didSet { if mode != oldValue { update() } } }
    /// Called with each finding.
    var onFinding: (Finding) -> Void = { _ in }
    /// Pictures per second of the output, from those of the input.
    var frameRate: (Rational) -> Rational = { $0 }
    private unowned let element: Element
    let kind: MediaKind
    private let detail: String
    private let make: @Sendable () throws -> Work
    /// Said to every new stage before its first frame.
    private let greeting: () -> [Command]
    private let source: MediaSource
    private var stage: Stage<FilterInput<Command>, FilterOutput<Finding>>?
    private var isReleased = false
    private var isAsked = false
    /// Few pictures wait, with room for a word about them: a filter that is slower than its input shows the newest.
    private static var picturesInFlightMax: Int { 5 }
    private static var blocksInFlightMax: Int { 50 }

    /// Adds the pads of `kind` to `element`. `detail` names the stage in reports.
    init(
        _ element: Element, _ kind: MediaKind, mode: Mode, detail: String, greeting: @escaping () -> [Command] = { [] },
        make: @escaping @Sendable () throws -> Work
    ) {
        self.element = element
        self.kind = kind
        self.mode = mode
        self.detail = detail
        self.greeting = greeting
        self.make = make
        source = MediaSource(element: element, kind: kind)
        element.addOutput(kind)
        element.addInput(kind, sink: self).isActive = false
        source.onDemand = { [unowned self] _ in update() }
        source.onRoom = { [unowned self] in askForMore() }
        source.settledFrom = { [unowned self] in settledFrom }
        update()
    }

    private var input: InputPad? { element.inputs[kind] }
    private var output: OutputPad? { element.outputs[kind] }

    /// Says something to the stage, in order with the media; without one, the next greeting says it.
    func tell(_ command: Command) { stage?.push(.command(command), droppable: false) }

    /// Another source, or none, reaches the input now.
    func originChanged() {
        stopStage()
        update()
    }

    func release() {
        isReleased = true
        stopStage()
    }

    // MARK: Who gets what

    private func update() {
        guard let input, let output, !isReleased else { return }
        switch mode {
        case .pass:
            deactivate(input)
            output.origin = input.origin
        case .watch:
            output.origin = input.origin
            activate(input)
        case .filter:
            // Attaching those behind may come back here, asking for media.
            output.origin = source
            if source.isWanted { activate(input) } else { deactivate(input) }
        }
    }

    private func activate(_ input: InputPad) {
        if stage == nil { startStage() }
        input.isActive = true
    }

    private func deactivate(_ input: InputPad) {
        input.isActive = false
        stopStage()
    }

    // MARK: The stage

    private func startStage() {
        let context = element.context
        let record = context.makeStageRecord(element: element, kind: .filter, detail: detail)
        let isLiveSound = kind == .audio && context.mode == .realTime
        let stage = Stage<FilterInput<Command>, FilterOutput<Finding>>(
            context, record: record, executor: context.host.workers(isLiveSound ? .sound : .composition),
            capacity: kind == .audio ? FilterLine.blocksInFlightMax : FilterLine.picturesInFlightMax,
            policy: .dropOldest, batch: kind == .audio && !isLiveSound ? 8 : 1, counts: \.isFrame, make: make)
        stage.onOutput = { [unowned self] in deliver($0) }
        stage.onError = { [unowned self] in element.fail(.streamFailed, "\(element.name): \($0)") }
        stage.onProgress = { [unowned self] in askForMore() }
        self.stage = stage
        for command in greeting() { tell(command) }
    }

    private func stopStage() {
        stage?.cancel()
        stage = nil
    }

    private func deliver(_ output: FilterOutput<Finding>) {
        switch output {
        case .finding(let finding): onFinding(finding)
        case .item(let item):
            guard mode == .filter else { return }
            switch item {
            case .picture(let picture):
                let rate = frameRate(input?.origin?.nominalFrameRate ?? Rational(30, 1))
                source.setForm(.pictures(width: picture.width, height: picture.height, frameRate: rate))
            case .sound(let block): source.setForm(.sound(channels: block.channels))
            default: break
            }
            source.push(item)
        }
    }

    /// When what comes in is; nil for a filter that feeds itself.
    private var settledFrom: MediaTime? {
        guard !isAsked else { return nil }
        isAsked = true
        defer { isAsked = false }
        return input?.origin?.settledFrom()
    }

    // MARK: As a sink

    func choose(from form: NativeForm) -> RenditionKey { .raw }

    func receive(_ item: MediaItem) {
        if item.isFrame { element.framesIn += 1 }
        stage?.push(.item(item, wall: element.context.host.unixMilliseconds()), droppable: item.isFrame)
    }

    var hasRoom: Bool { (stage?.hasRoom ?? true) && (mode != .filter || source.hasRoom) }

    private func askForMore() { if hasRoom { input?.roomAvailable() } }
}

/// An element between two others that changes or watches media. Kinds of media that it has no line for pass through.
package class Filter: Element {
    override init(_ context: PipelineContext, name: String, className: String) {
        super.init(context, name: name, className: className)
    }

    /// Adds pads without a line for every kind that has none. Once, after the lines.
    func passOthers() {
        for kind in MediaKind.allCases where inputs[kind] == nil {
            addOutput(kind)
            addInput(kind)
        }
    }

    /// Whether a line told of this change; else the source is handed on.
    func lineOriginChanged(_ pad: InputPad) -> Bool { false }

    public override func originChanged(of pad: InputPad) {
        if !lineOriginChanged(pad) { outputs[pad.kind]?.origin = pad.origin }
    }
}
