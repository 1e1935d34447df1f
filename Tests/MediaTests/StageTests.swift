import Core
@testable import Media
import TestKit
import Testing

@Suite struct StageTests {
    private struct Refused: Error {}

    /// Doubles even numbers, throws at odd ones, counts its life.
    private final class Doubler: StageWork {
        let living: Lock<Int>
        init(_ living: Lock<Int>) {
            self.living = living
            living.withLock { $0 += 1 }
        }
        deinit { living.withLock { $0 -= 1 } }
        func process(_ input: Int, emit: (Int) -> Void) throws {
            emit(2 * input)
            if input % 2 == 1 { throw Refused() }
        }
    }

    private final class Holder: Element {
        var stage: Stage<Int, Int>?
        var results: [Int] = []
        var errors = 0
        var progress = 0
    }

    private func makeStage(
        _ rig: TestRig, policy: OverflowPolicy = .wait, batch: Int = 1, living: Lock<Int> = Lock(0), fails: Bool = false
    ) throws {
        try rig.on { context in
            let holder = Holder(context, name: "holder", className: "Holder")
            let stage = Stage<Int, Int>(
                context, record: context.makeStageRecord(element: holder, kind: .mix),
                executor: context.host.workers(.decode), capacity: 4, policy: policy, batch: batch,
                counts: { _ in true }
            ) {
                if fails { throw Refused() }
                return Doubler(living)
            }
            stage.onOutput = { [unowned holder] in holder.results.append($0) }
            stage.onError = { [unowned holder] _ in holder.errors += 1 }
            stage.onProgress = { [unowned holder] in holder.progress += 1 }
            holder.stage = stage
        }
    }

    private func holder(_ context: PipelineContext) -> Holder { context.get("holder", Holder.self) }

    @Test(arguments: [1, 4, 100])
    func orderAndBatches(_ batch: Int) throws {
        let rig = TestRig()
        try makeStage(rig, batch: batch)
        try rig.on { context in
            for index in 0..<20 { holder(context).stage?.push(2 * index) }
            #expect(holder(context).stage?.inFlight == 20 && holder(context).stage?.hasRoom == false)
        }
        rig.run(0.01)
        try rig.on { context in
            let holder = holder(context)
            #expect(holder.results == (0..<20).map { 4 * $0 })
            #expect(holder.stage?.inFlight == 0 && holder.stage?.record.frames == 20)
            // Handed over together, but not later than when nothing more waits.
            #expect(holder.progress <= (20 + batch - 1) / batch && holder.progress >= 1)
        }
    }

    @Test func errorsComeAfterWhatWasEmitted() throws {
        let rig = TestRig()
        try makeStage(rig)
        try rig.on { context in for index in 1...4 { holder(context).stage?.push(index) } }
        rig.run(0.01)
        try rig.on { context in
            #expect(holder(context).results == [2, 4, 6, 8] && holder(context).errors == 2)
        }
    }

    @Test func failureInMakeIsReportedForEachInput() throws {
        let rig = TestRig()
        try makeStage(rig, fails: true)
        try rig.on { context in for index in 1...3 { holder(context).stage?.push(index) } }
        rig.run(0.01)
        try rig.on { context in
            #expect(holder(context).results.isEmpty && holder(context).stage?.inFlight == 0)
            #expect(holder(context).errors == 1, "once: the work could not be made")
        }
    }

    @Test func cancelWhileBusyDeliversNothing() throws {
        let rig = TestRig()
        let living = Lock(0)
        try makeStage(rig, living: living)
        try rig.on { context in
            for index in 0..<10 { holder(context).stage?.push(2 * index) }
            // On the third result the owner has had enough.
            holder(context).stage?.onOutput = { [unowned holder = holder(context)] output in
                holder.results.append(output)
                if holder.results.count == 3 { holder.stage?.cancel() }
            }
        }
        rig.run(0.01)
        try rig.on { context in
            #expect(holder(context).results == [0, 4, 8])
            #expect(holder(context).stage?.push(2) == true, "and is ignored")
        }
        #expect(living.withLock { $0 } == 0, "the work has ended")
    }

    @Test func finishWorksOffTheQueueEvenWhenNobodyListens() throws {
        let rig = TestRig()
        let worked = Lock<[Int]>([])
        final class Writer: StageWork {
            let worked: Lock<[Int]>
            init(_ worked: Lock<[Int]>) { self.worked = worked }
            func process(_ input: Int, emit: (Int) -> Void) throws { worked.withLock { $0.append(input) } }
        }
        try rig.on { context in
            let holder = Holder(context, name: "holder", className: "Holder")
            holder.stage = Stage<Int, Int>(
                context, record: context.makeStageRecord(element: holder, kind: .mux),
                executor: context.host.workers(.files), capacity: 4, policy: .wait, counts: { _ in true }
            ) { Writer(worked) }
            for index in 0..<5 { holder.stage?.push(index) }
            holder.stage?.finish()
            holder.release()
        }
        rig.run(0.01)
        #expect(worked.withLock { $0 } == [0, 1, 2, 3, 4])
    }

    @Test func withoutAnOwnerItEnds() throws {
        let rig = TestRig()
        let living = Lock(0)
        try makeStage(rig, living: living)
        try rig.on { holder($0).stage?.push(2) }
        rig.run(0.01)
        #expect(living.withLock { $0 } == 1)
        try rig.on { holder($0).stage = nil }
        rig.run(0.01)
        #expect(living.withLock { $0 } == 0)
    }
}
