import Core
import Media

/// What a hub's producers know of one input of one port: how far it has come. The base of picture and sound inputs.
class HubInput: MediaSink {
    unowned let port: HubPort
    let kind: MediaKind
    /// Something arrived or ended: the producer may be able to tick.
    var onChange: () -> Void = {}
    /// No media before this time will come any more.
    private(set) var watermark = MediaTime.distantPast
    /// When the stream was over, once it is.
    private(set) var end: MediaTime?
    /// The hub's next tick waits for everything due before this time.
    var needed = MediaTime.zero
    /// Offline: media beyond what the hub has used that may wait here.
    private static let leadMax = MediaTime.milliseconds(1000)
    /// Left behind by an offline run because it made no progress for `stallTimeout`.
    var isStalled = false

    init(port: HubPort, kind: MediaKind) {
        self.port = port
        self.kind = kind
    }

    /// Whether somebody is connected to the port and this producer listens.
    var isLinked: Bool {
        guard let pad = port.inputs[kind] else { return false }
        return pad.upstream != nil && pad.isActive
    }

    /// Another source took over, or none is there any more.
    func reset() {
        watermark = .distantPast
        end = nil
        isStalled = false
    }

    /// Whether everything due before `time` is here.
    func isComplete(before time: MediaTime) -> Bool {
        !isLinked || isStalled || end != nil || watermark >= time
    }

    func advance(to time: MediaTime) { watermark = max(watermark, time) }

    // MARK: MediaSink

    func choose(from form: NativeForm) -> RenditionKey { .raw }
    /// Offline: there is always room for what the next tick needs, and otherwise as long as not too much waits.
    final var hasRoom: Bool {
        watermark == .infinity || watermark < needed || (!isFull && watermark <= needed + HubInput.leadMax)
    }

    /// Whether as much waits as should.
    var isFull: Bool { false }

    func receive(_ item: MediaItem) {
        switch item {
        case .picture, .sound:
            port.framesIn += 1
            isStalled = false
            end = nil
            take(item)
        case .watermark(let time): advance(to: time)
        case .end(let time): end = time
        case .format, .encoded, .message: return
        }
        onChange()
    }

    /// A frame arrived.
    func take(_ item: MediaItem) {}
}

/// All inputs of a hub, pictures and sound, to tell when the hub's output is over.
struct HubInputs {
    var inputs: [HubInput] = []

    /// Whether there is media, of any kind, at or after `time`; nil while that is not known yet.
    func extend(beyond time: MediaTime) -> Bool? {
        let linked = inputs.filter(\.isLinked)
        // An empty hub waits for somebody to join.
        guard !linked.isEmpty else { return nil }
        // A watermark of infinity says that no frame will come, not until when the last one lasts: the end does.
        func goesOn(_ input: HubInput) -> Bool {
            input.end.map { $0 > time } ?? (input.watermark.isFinite && input.watermark > time && !input.isStalled)
        }
        if linked.contains(where: goesOn) {
            return true
        }
        return linked.allSatisfy { $0.end != nil || $0.isStalled } ? false : nil
    }
}

extension HubInputs {
    /// Whether every input has ended, at `time` at the latest; false without inputs.
    func haveEnded(by time: MediaTime) -> Bool {
        let linked = inputs.filter(\.isLinked)
        return !linked.isEmpty && linked.allSatisfy { $0.end.map { $0 <= time } ?? false }
    }
}

/// Paces a producer: by watermarks offline, by the clock in real time (laws 3 and 4).
///
/// Offline, `advance` is called whenever an input or the room behind has changed, and ticks as often as it can.
/// In real time it ticks once per interval, whatever the inputs do.
final class HubClock {
    private unowned let hub: Hub
    private let rate: Rational
    /// A tick stands for media up to this long after its time: pictures are matched to the nearest tick.
    private let lookahead: MediaTime
    /// How far after its time all inputs must be known before a tick.
    private let completeness: MediaTime
    private let inputs: () -> [HubInput]
    private let allInputs: () -> HubInputs
    private let tick: (MediaTime) -> Void
    /// Real time: how much the tick after the one at a time is to be shifted; small steps, or the rate suffers.
    var correction: (MediaTime) -> MediaTime = { _ in .zero }
    /// Real time: how far the ticks lie behind the pipeline's clock's, less than an interval.
    private var phase = MediaTime.zero
    private let finish: (MediaTime) -> Void
    /// Offline: whether what a tick makes finds room.
    private let hasRoom: () -> Bool
    private(set) var next: Int64 = 0
    private(set) var isRunning = false
    private var isFinished = false
    private var isAdvancing = false
    private var timer: PipelineContext.Timer?
    private var stallTimer: PipelineContext.Timer?

    init(
        hub: Hub, rate: Rational, lookahead: MediaTime, completeness: MediaTime,
        inputs: @escaping () -> [HubInput],
        allInputs: @escaping () -> HubInputs, hasRoom: @escaping () -> Bool,
        tick: @escaping (MediaTime) -> Void, finish: @escaping (MediaTime) -> Void
    ) {
        self.hub = hub
        self.rate = rate
        self.lookahead = lookahead
        self.completeness = completeness
        self.inputs = inputs
        self.allInputs = allInputs
        self.hasRoom = hasRoom
        self.tick = tick
        self.finish = finish
    }

    /// The time of the tick to come.
    var nextTime: MediaTime { MediaTime(next, per: rate) + phase }

    func start() {
        guard !isRunning else { return }
        isRunning = true
        for input in inputs() { input.needed = nextTime + completeness }
        if hub.context.mode == .realTime {
            // By the pipeline's clock, so that sound and picture of all hubs share one time line.
            next = max(next, (hub.context.now - phase).count(per: rate) + 1)
            scheduleTick()
        }
    }

    func stop() {
        isRunning = false
        for timer in [timer, stallTimer].compactMap({ $0 }) { hub.context.cancel(timer) }
        timer = nil
        stallTimer = nil
    }

    // MARK: Real time

    private func scheduleTick() {
        timer = hub.context.schedule(at: nextTime) { [weak self] in
            guard let self, isRunning else { return }
            if hub.context.configuration.endsWithInputs, allInputs().haveEnded(by: nextTime + lookahead) {
                isFinished = true
                return finish(nextTime)
            }
            tick(nextTime)
            let correction = correction(nextTime)
            // A loop that was held up makes up for nothing: it goes on with the tick that is due.
            next = max(next + 1, (hub.context.now - phase).count(per: rate))
            shift(by: correction)
            scheduleTick()
        }
    }

    private func shift(by correction: MediaTime) {
        phase += correction
        let interval = rate.interval
        if phase >= interval {
            phase = phase - interval
            next += 1
        } else if phase < .zero {
            phase += interval
            next -= 1
        }
    }

    // MARK: Offline

    func advance() {
        guard hub.context.mode == .offline, isRunning, !isFinished, !isAdvancing else { return }
        isAdvancing = true
        defer { isAdvancing = false }
        var hasMoved = false
        while hasRoom() {
            let time = nextTime
            guard inputs().allSatisfy({ $0.isComplete(before: time + completeness) }),
                let goesOn = allInputs().extend(beyond: time + lookahead)
            else { break }
            guard goesOn else {
                isFinished = true
                finish(time)
                break
            }
            tick(time)
            next += 1
            hasMoved = true
            askForMore()
        }
        if hasMoved || stallTimer == nil { watchForStall() }
    }

    /// Tells the inputs what the next tick needs, and those that have room for it to send.
    private func askForMore() {
        for input in inputs() {
            input.needed = nextTime + completeness
            if input.hasRoom { input.port.inputs[input.kind]?.roomAvailable() }
        }
    }

    /// An input that holds everybody back without any progress is left behind after `stallTimeout`.
    private func watchForStall() {
        if let stallTimer { hub.context.cancel(stallTimer) }
        guard !isFinished, isRunning else { return }
        let context = hub.context
        stallTimer = context.schedule(at: context.now + context.configuration.stallTimeout) { [weak self] in
            guard let self else { return }
            stallTimer = nil
            leaveStalledBehind()
        }
    }

    private func leaveStalledBehind() {
        let needed = nextTime + completeness
        // Without room it is those behind who are slow, not the inputs.
        guard hasRoom(), isRunning else { return watchForStall() }
        let context = hub.context
        for input in inputs() where !input.isComplete(before: needed) {
            input.isStalled = true
            context.isReproducible = false
            let source = input.port.inputs[input.kind]?.upstream?.element.name ?? input.port.name
            hub.warn(
                "\(source) has sent no \(input.kind.rawValue) for \(context.configuration.stallTimeout.seconds) s; "
                    + "going on without it, so this run may differ from another")
        }
        advance()
    }
}
