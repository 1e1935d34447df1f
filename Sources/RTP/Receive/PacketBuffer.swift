import Core

/// One packet that waits for its frame; its payload lies in a slot of the pool.
struct BufferedPacket {
    var sequence: Int64
    var timestamp: Int64
    var arrival: Instant
    /// Where the payload lies; nil for a packet without a usable one.
    var slot: Int32?
    var count: Int
    var payloadType: UInt8
    var marker: Bool
    /// The payload breaks the rules of its format: its frame is of no use.
    var isBroken = false
    var wasRetransmitted = false
    var hints = PictureHints()
    var info: PayloadInfo

    /// Nothing but padding: fills a place between frames, or in one.
    var isPadding: Bool { slot == nil && !isBroken }
}

/// The packets of one stream by sequence number: a ring that grows from 128 to 2048 places. Duplicates and what is too
/// old or too new do not get in. Gives every slot back, at the latest when it goes.
struct PacketBuffer: ~Copyable {
    enum Insertion { case stored, duplicate, tooOld, tooNew }

    /// Two seconds at 12 Mbit/s, and the largest key frame that fits.
    static let limit: Int64 = 2048
    private static let initial = 128

    private let pool: PacketPool
    private var places: [BufferedPacket?]
    /// First number that may still come in.
    private(set) var base: Int64

    init(pool: PacketPool, base: Int64) {
        self.pool = pool
        self.base = base
        places = Array(repeating: nil, count: PacketBuffer.initial)
    }

    deinit {
        for place in places {
            if let slot = place?.slot { pool.release(slot) }
        }
    }

    /// The packet with this number, if it is here.
    subscript(sequence: Int64) -> BufferedPacket? {
        let place = places[index(sequence)]
        return place?.sequence == sequence ? place : nil
    }

    func contains(_ sequence: Int64) -> Bool { places[index(sequence)]?.sequence == sequence }

    /// What would become of a packet with this number.
    func judge(_ sequence: Int64) -> Insertion {
        if sequence < base { return .tooOld }
        if sequence - base >= PacketBuffer.limit { return .tooNew }
        return contains(sequence) ? .duplicate : .stored
    }

    /// Keeps a packet that `judge` found fit to be stored.
    mutating func insert(_ packet: BufferedPacket) {
        while packet.sequence - base >= Int64(places.count) { grow() }
        places[index(packet.sequence)] = packet
    }

    /// Lets the numbers before `sequence` go.
    mutating func remove(before sequence: Int64) {
        guard sequence > base else { return }
        for number in base..<min(sequence, base + Int64(places.count)) {
            let place = index(number)
            guard let packet = places[place], packet.sequence == number else { continue }
            if let slot = packet.slot { pool.release(slot) }
            places[place] = nil
        }
        base = sequence
    }

    /// Lets earlier numbers in; only while nothing before `base` was used.
    mutating func lower(to sequence: Int64) {
        guard sequence < base else { return }
        let newest = places.lazy.compactMap { $0?.sequence }.max() ?? sequence
        guard newest - sequence < PacketBuffer.limit else { return }
        base = sequence
        while newest - base >= Int64(places.count) { grow() }
    }

    func payload(_ packet: BufferedPacket) -> UnsafeRawBufferPointer {
        packet.slot.map { pool.bytes($0, count: packet.count) } ?? UnsafeRawBufferPointer(start: nil, count: 0)
    }

    private func index(_ sequence: Int64) -> Int { Int(truncatingIfNeeded: sequence) & (places.count - 1) }

    private mutating func grow() {
        var grown: [BufferedPacket?] = Array(repeating: nil, count: places.count * 2)
        for case let packet? in places {
            grown[Int(truncatingIfNeeded: packet.sequence) & (grown.count - 1)] = packet
        }
        places = grown
    }
}
