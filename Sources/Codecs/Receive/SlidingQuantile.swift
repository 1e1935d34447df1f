/// Quantiles of the last values of a stream, exact: a ring of them in order of time, and the same sorted. Plain
/// value; memory is taken once.
struct SlidingQuantile {
    private let capacity: Int
    private var ring: [Double] = []
    private var sorted: [Double] = []
    private var oldest = 0

    init(capacity: Int) {
        self.capacity = capacity
        ring.reserveCapacity(capacity)
        sorted.reserveCapacity(capacity)
    }

    var count: Int { ring.count }
    var minimum: Double? { sorted.first }

    mutating func add(_ value: Double) {
        if ring.count < capacity {
            ring.append(value)
        } else {
            sorted.remove(at: place(of: ring[oldest]))
            ring[oldest] = value
            oldest = oldest + 1 == capacity ? 0 : oldest + 1
        }
        sorted.insert(value, at: place(of: value))
    }

    /// The value that `share` of all are not above; nil without any.
    func quantile(_ share: Double) -> Double? {
        guard !sorted.isEmpty else { return nil }
        let index = Int((share * Double(sorted.count)).rounded(.up)) - 1
        return sorted[min(max(0, index), sorted.count - 1)]
    }

    mutating func removeAll() {
        ring.removeAll(keepingCapacity: true)
        sorted.removeAll(keepingCapacity: true)
        oldest = 0
    }

    /// The first place in `sorted` whose value is not below.
    private func place(of value: Double) -> Int {
        var (low, high) = (0, sorted.count)
        while low < high {
            let middle = (low + high) / 2
            if sorted[middle] < value { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
