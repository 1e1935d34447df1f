import Core

/// How fast the receiver gets bytes: a sliding window over the arrival times in the feedback.
struct AcknowledgedRate: Sendable {
    /// One bucket; ten make the long window, four the short one.
    private static let bucket: Int64 = 50_000_000
    private static let longWindow = 10
    private static let shortWindow = 4

    private var bytes = [Int](repeating: 0, count: longWindow + 1)
    /// Number of the bucket that now fills.
    private var newest: Int64?
    private var first: Int64 = 0

    init() {}

    mutating func add(_ size: Int, arrival: MediaTime) {
        let number = arrival.nanoseconds / Self.bucket
        guard let newest else {
            self.newest = number
            first = number
            bytes[slot(number)] = size
            return
        }
        guard number > newest - Int64(Self.longWindow) else { return }
        if number > newest {
            if number - newest > Int64(4 * Self.longWindow) { return restart(at: number, size) }
            for skipped in (newest + 1)...number { bytes[slot(skipped)] = 0 }
            self.newest = number
        }
        bytes[slot(number)] += size
    }

    /// Bits per second over the last half second; nil until something is known.
    var long: Double? { rate(over: Self.longWindow) }
    /// Bits per second over the last 200 ms: follows a fall of the line's capacity at once.
    var short: Double? { rate(over: Self.shortWindow) }

    /// The bucket that now fills is left out.
    private func rate(over window: Int) -> Double? {
        guard let newest, newest > first else { return nil }
        let count = min(Int64(window), newest - first)
        // Two buckets say little: a single burst may fill them.
        guard count >= 3 else { return nil }
        var sum = 0
        for number in (newest - count)..<newest { sum += bytes[slot(number)] }
        return Double(sum * 8) / (Double(count * Self.bucket) / 1e9)
    }

    mutating func reset() {
        newest = nil
        for index in bytes.indices { bytes[index] = 0 }
    }

    private mutating func restart(at number: Int64, _ size: Int) {
        reset()
        newest = number
        first = number
        bytes[slot(number)] = size
    }

    private func slot(_ number: Int64) -> Int {
        let remainder = Int(number % Int64(bytes.count))
        return remainder < 0 ? remainder + bytes.count : remainder
    }
}
