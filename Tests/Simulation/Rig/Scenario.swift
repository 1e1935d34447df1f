import Core
package import TestKit

/// A network that has troubles, and what media between two peers must stand.
package struct Scenario: Sendable {
    package enum Change: Sendable {
        /// The line from the sender and the one back are like that from now on.
        case lines(forward: LinkConditions, back: LinkConditions)
        /// The router in front of the sender, or of the receiver, starts anew at another address.
        case senderMoves
        case receiverMoves
    }

    /// What is asserted for every seed. Times in seconds; nil: only reported.
    package struct Bounds: Sendable {
        package var framesPerSecond: Double?
        package var freeze: Double?
        package var recovery: Double?
        /// Share of the bottleneck at which the target settles.
        package var settled: ClosedRange<Double>?
        /// 95 of 100 samples after the settling time.
        package var queueDelay: Double?

        package init(
            framesPerSecond: Double? = nil, freeze: Double? = nil, recovery: Double? = nil,
            settled: ClosedRange<Double>? = nil, queueDelay: Double? = nil
        ) {
            self.framesPerSecond = framesPerSecond
            self.freeze = freeze
            self.recovery = recovery
            self.settled = settled
            self.queueDelay = queueDelay
        }
    }

    package var name: String
    package var forward = LinkConditions()
    package var back = LinkConditions()
    /// At seconds since the media began, rising.
    package var changes: [(at: Double, Change)] = []
    /// From this moment on recovery is measured: the trouble is over, or the address has changed.
    package var restored: Double?
    /// Seconds after a move in which whoever has moved sends no checks: browsers are content with a pair for that long.
    package var contentment = 0.0
    /// Seconds of media.
    package var duration = 20.0
    package var bounds = Bounds()

    init(
        _ name: String, forward: LinkConditions = LinkConditions(), back: LinkConditions? = nil,
        duration: Double = 20, bounds: Bounds = Bounds()
    ) {
        self.name = name
        self.forward = forward
        self.back = back ?? forward
        self.duration = duration
        self.bounds = bounds
    }

    /// Rates are settled from here on.
    package static let settlingTime = 10.0
    /// Nobody has seen a picture before this moment.
    package static let warmUp = 1.0

    package static func named(_ name: String) -> Scenario? { all.first { $0.name == name } }

    package static let all: [Scenario] = [
        loss(0), loss(2), loss(5), loss(10), loss(20), bursts, jitter, reordering, duplication, bottleneck, outage,
        senderMoves, receiverMoves, contentSenderMoves, contentReceiverMoves,
    ]

    private static func loss(_ percent: Int) -> Scenario {
        let bounds =
            switch percent {
            // Four attempts at a repair, 125 ms each on this line, then a key frame: asked for, sent, and perhaps mended.
            case 20: Bounds(framesPerSecond: 20, freeze: 1)
            case 10: Bounds(framesPerSecond: 27, freeze: 0.5)
            default: Bounds(framesPerSecond: 28, freeze: 0.5)
            }
        return Scenario(
            "loss-\(percent)", forward: LinkConditions(loss: .independent(Double(percent) / 100)), bounds: bounds)
    }

    /// One packet in a hundred begins a burst of five on average, in which four of five are lost.
    private static let bursts = Scenario(
        "bursts", forward: LinkConditions(loss: .bursts(begin: 0.01, end: 0.2, loss: 0.8)),
        back: LinkConditions(), bounds: Bounds(framesPerSecond: 27, freeze: 0.5))

    private static let jitter = Scenario(
        "jitter", forward: LinkConditions(jitter: .milliseconds(200), keepsOrder: true), back: LinkConditions(),
        bounds: Bounds(framesPerSecond: 22, freeze: 0.5))

    private static let reordering = Scenario(
        "reordering", forward: LinkConditions(jitter: .milliseconds(60), keepsOrder: false), back: LinkConditions(),
        bounds: Bounds(framesPerSecond: 27, freeze: 0.5))

    private static let duplication = Scenario(
        "duplication", forward: LinkConditions(duplication: 0.2), bounds: Bounds(framesPerSecond: 28, freeze: 0.3))

    package static let bottleneckRate = 300_000
    private static let bottleneck = Scenario(
        "bottleneck", forward: LinkConditions(bitsPerSecond: bottleneckRate, queueBytes: 40_000),
        back: LinkConditions(), duration: 40,
        bounds: Bounds(framesPerSecond: 28, freeze: 0.3, settled: 0.8...1.0, queueDelay: 0.2))

    private static let outage: Scenario = {
        var scenario = Scenario("outage", duration: 25, bounds: Bounds(recovery: 1))
        let down = LinkConditions(isDown: true)
        scenario.changes = [
            (10, .lines(forward: down, back: down)), (15, .lines(forward: LinkConditions(), back: LinkConditions())),
        ]
        scenario.restored = 15
        return scenario
    }()

    private static let senderMoves = moves("sender-moves", .senderMoves)
    private static let receiverMoves = moves("receiver-moves", .receiverMoves)

    private static let contentSenderMoves = moves("content-sender-moves", .senderMoves, contentment: 2.5)
    private static let contentReceiverMoves = moves("content-receiver-moves", .receiverMoves, contentment: 2.5)

    private static func moves(_ name: String, _ change: Change, contentment: Double = 0) -> Scenario {
        var scenario = Scenario(name, bounds: Bounds(recovery: 1))
        scenario.contentment = contentment
        scenario.changes = [(10, change)]
        scenario.restored = 10
        return scenario
    }
}
