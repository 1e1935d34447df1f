import Core

/// Answers by request, kept for clients that ask again. A plain value with a bound: the oldest go first.
struct RequestCache {
    private struct Entry {
        let answer: String
        /// Rises from entry to entry.
        let number: Int
    }
    private var entries: [String: Entry] = [:]
    /// In the order in which they were stored, which is that in which they expire.
    private var order = Deque<(key: String, number: Int, until: Instant)>()
    private var lastNumber = 0
    private(set) var bytes = 0

    /// What an entry costs beside its texts: two table slots and two strings' headers.
    private static let overheadBytes = 160

    /// The kept answer.
    mutating func answer(to key: String, at now: Instant) -> String? {
        dropExpired(at: now)
        return entries[key]?.answer
    }

    /// Keeps an answer until `now + period`, which is the same for all, and no more than `bytesMax` altogether.
    mutating func store(_ answer: String, for key: String, at now: Instant, period: MediaTime, bytesMax: Int) {
        dropExpired(at: now)
        lastNumber += 1
        let entry = Entry(answer: answer, number: lastNumber)
        if let old = entries.updateValue(entry, forKey: key) { bytes -= RequestCache.cost(key, old) }
        order.append((key, lastNumber, now + period))
        bytes += RequestCache.cost(key, entry)
        while bytes > bytesMax, let first = order.popFirst() { remove(first.key, first.number) }
    }

    mutating func dropExpired(at now: Instant) {
        while let first = order.first, first.until <= now {
            _ = order.popFirst()
            remove(first.key, first.number)
        }
    }

    /// Not what has replaced it.
    private mutating func remove(_ key: String, _ number: Int) {
        guard let entry = entries[key], entry.number == number else { return }
        entries[key] = nil
        bytes -= RequestCache.cost(key, entry)
    }

    private static func cost(_ key: String, _ entry: Entry) -> Int {
        key.utf8.count + entry.answer.utf8.count + overheadBytes
    }
}
