import Media

/// Interleaved samples at 48 kHz in one piece of memory: what was heard lately (the past), and what is decoded and
/// waits. Owned by one receiver; indices count samples per channel.
///
/// Memory grows to what the longest packet needs and is then used again and again: no allocation per block.
final class SampleStore {
    /// Samples of the past that are always there, silent at first: 100 ms, for pitch and concealment.
    static let pastCount = AudioFrame.sampleRate / 10

    private(set) var channels: Int
    private var memory: UnsafeMutablePointer<Float>
    /// In samples per channel.
    private var capacity: Int
    private var head = SampleStore.pastCount
    private var tail = SampleStore.pastCount

    init(channels: Int) {
        self.channels = channels
        capacity = 4 * SampleStore.pastCount
        memory = .allocate(capacity: capacity * channels)
        memory.initialize(repeating: 0, count: capacity * channels)
    }

    deinit { memory.deallocate() }

    /// Samples that wait.
    var count: Int { tail - head }
    /// The first sample that waits; the past lies before it. Valid until the next change.
    var front: UnsafeMutablePointer<Float> { memory + head * channels }
    /// Behind the last sample that waits.
    var back: UnsafeMutablePointer<Float> { memory + tail * channels }

    /// Room for `count` samples behind the last one; `commit` says how many were written.
    func reserve(_ count: Int) -> UnsafeMutablePointer<Float> {
        if tail + count > capacity { makeRoom(count) }
        return back
    }

    func commit(_ count: Int) {
        precondition(count >= 0 && tail + count <= capacity, "more samples written than there was room for")
        tail += count
    }

    /// Passes over the first `count` samples: they are the past now.
    func advance(_ count: Int) {
        precondition(count >= 0 && count <= self.count, "more samples taken than there are")
        head += count
    }

    /// Takes away `count` samples beginning at `offset`.
    func remove(_ count: Int, at offset: Int) {
        precondition(count >= 0 && offset >= 0 && offset + count <= self.count, "samples to remove do not exist")
        let target = front + offset * channels
        target.update(from: target + count * channels, count: (self.count - offset - count) * channels)
        tail -= count
    }

    /// Makes a hole of `count` samples before the first that waits; the caller writes it.
    func insertAtFront(_ count: Int) -> UnsafeMutablePointer<Float> {
        _ = reserve(count)
        (front + count * channels).update(from: front, count: self.count * channels)
        tail += count
        return front
    }

    /// Drops what waits behind the first `count` samples.
    func truncate(to count: Int) { tail = head + min(max(0, count), self.count) }

    func setChannels(_ new: Int) {
        guard new != channels else { return }
        let made = UnsafeMutablePointer<Float>.allocate(capacity: capacity * new)
        made.initialize(repeating: 0, count: capacity * new)
        for index in 0..<tail {
            if new == 2 {
                made[2 * index] = memory[index]
                made[2 * index + 1] = memory[index]
            } else {
                made[index] = (memory[2 * index] + memory[2 * index + 1]) / 2
            }
        }
        memory.deallocate()
        memory = made
        channels = new
    }

    /// Moves the past and what waits to the beginning, into larger memory where that is needed.
    private func makeRoom(_ count: Int) {
        let first = head - SampleStore.pastCount
        let used = tail - first
        if used + count > capacity {
            let larger = max(2 * capacity, used + count)
            let made = UnsafeMutablePointer<Float>.allocate(capacity: larger * channels)
            made.initialize(repeating: 0, count: larger * channels)
            made.update(from: memory + first * channels, count: used * channels)
            memory.deallocate()
            memory = made
            capacity = larger
        } else {
            memory.update(from: memory + first * channels, count: used * channels)
        }
        head = SampleStore.pastCount
        tail = first == 0 ? tail : used
    }
}
