import Core
import Testing

@Suite struct MetricsTests {
    @Test func figuresAreReadAsTheyStand() {
        let metrics = Metrics()
        let counter = metrics.counter("frames_total", help: "Frames", labels: [("element", "a")])
        let gauge = metrics.gauge("waiting", help: "Waiting")
        counter.add()
        counter.add(4)
        gauge.set(2.5)
        gauge.add(-1)
        let samples = metrics.samples()
        #expect(samples.map(\.name) == ["frames_total", "waiting"])
        #expect(samples[0].labels.map(\.value) == ["a"])
        guard case .counter(5) = samples[0].sample, case .gauge(1.5) = samples[1].sample else {
            Issue.record("\(samples)")
            return
        }
    }

    @Test func aNameWithTheSameLabelsIsTheSameMetric() {
        let metrics = Metrics()
        metrics.counter("total", help: "", labels: [("kind", "a")]).add(2)
        metrics.counter("total", help: "", labels: [("kind", "a")]).add(3)
        metrics.counter("total", help: "", labels: [("kind", "b")]).add()
        let samples = metrics.samples()
        #expect(samples.count == 2)
        guard case .counter(5) = samples[0].sample, case .counter(1) = samples[1].sample else {
            Issue.record("\(samples)")
            return
        }
    }

    @Test func histogram() {
        let histogram = Histogram(bounds: [1, 2, 4])
        #expect(histogram.snapshot.quantile(0.5) == nil)
        for value in [0.5, 1, 1.5, 3, 9] { histogram.observe(value) }
        let snapshot = histogram.snapshot
        #expect(snapshot.counts == [2, 1, 1, 1] && snapshot.sum == 15 && snapshot.count == 5)
        #expect(snapshot.quantile(0) == 1 && snapshot.quantile(0.4) == 1 && snapshot.quantile(0.5) == 2)
        #expect(snapshot.quantile(0.8) == 4 && snapshot.quantile(1) == .infinity)
    }

    @Test func countsFromManyThreads() async {
        let counter = Counter()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 { group.addTask { for _ in 0..<5000 { counter.add() } } }
        }
        #expect(counter.value == 20_000)
    }
}
