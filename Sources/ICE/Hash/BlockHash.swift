/// A Merkle–Damgård hash with blocks of 64 bytes: the part that differs between MD5, SHA-1 and SHA-256.
protocol BlockHash: Sendable {
    /// Words of 32 bits in the result.
    static var digestWords: Int { get }
    /// Byte order of words and of the length.
    static var isBigEndian: Bool { get }
    init()
    /// Takes in the next 64 bytes.
    mutating func compress(_ block: UnsafeRawBufferPointer)
    /// Word `index` of the result.
    func word(_ index: Int) -> UInt32
}

/// A hash value of up to 32 bytes, without memory of its own.
struct Digest: Sendable {
    private(set) var storage = InlineArray<32, UInt8>(repeating: 0)
    let count: Int

    init<Algorithm: BlockHash>(_ state: Algorithm) {
        count = 4 * Algorithm.digestWords
        for index in 0..<Algorithm.digestWords {
            let word = Algorithm.isBigEndian ? state.word(index) : state.word(index).byteSwapped
            for byte in 0..<4 { storage[4 * index + byte] = UInt8(truncatingIfNeeded: word >> UInt32(24 - 8 * byte)) }
        }
    }

    var bytes: [UInt8] { (0..<count).map { storage[$0] } }

    /// Whether `other` begins with the first `count` bytes of this one. Takes the same time wherever they differ.
    func equals(_ other: UnsafeRawBufferPointer, count: Int) -> Bool {
        guard other.count >= count, count <= self.count else { return false }
        var difference: UInt8 = 0
        for index in 0..<count { difference |= storage[index] ^ other[index] }
        return difference == 0
    }
}

/// Bytes in pieces, one hash value out. A plain value: a copy goes on from where the first was.
struct HashStream<Algorithm: BlockHash>: Sendable {
    private var state = Algorithm()
    private var pending = InlineArray<64, UInt8>(repeating: 0)
    private var count = 0

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        var offset = 0
        let fill = count & 63
        if fill > 0 {
            let part = min(64 - fill, bytes.count)
            for index in 0..<part { pending[fill + index] = bytes[index] }
            offset = part
            if fill + part == 64 { compressPending() }
        }
        while bytes.count - offset >= 64 {
            state.compress(UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + 64)]))
            offset += 64
        }
        var place = 0
        while offset < bytes.count {
            pending[place] = bytes[offset]
            place += 1
            offset += 1
        }
        count += bytes.count
    }

    mutating func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { update($0) } }

    /// The hash value of everything so far.
    consuming func finish() -> Digest {
        let bits = UInt64(count) &* 8
        var place = count & 63
        pending[place] = 0x80
        place += 1
        if place > 56 {
            while place < 64 { (pending[place], place) = (0, place + 1) }
            compressPending()
            place = 0
        }
        while place < 56 { (pending[place], place) = (0, place + 1) }
        for index in 0..<8 {
            let shift = UInt64(Algorithm.isBigEndian ? 56 - 8 * index : 8 * index)
            pending[56 + index] = UInt8(truncatingIfNeeded: bits >> shift)
        }
        compressPending()
        return Digest(state)
    }

    private mutating func compressPending() {
        let block = pending
        withUnsafeBytes(of: block) { state.compress($0) }
    }

    /// The hash value of `bytes`.
    static func hash(_ bytes: [UInt8]) -> Digest {
        var stream = HashStream()
        stream.update(bytes)
        return stream.finish()
    }
}

/// HMAC (RFC 2104) with its key taken in beforehand.
struct HMAC<Algorithm: BlockHash>: Sendable {
    private var inner = HashStream<Algorithm>()
    private var outer = HashStream<Algorithm>()

    init(key: [UInt8]) {
        var block = key.count > 64 ? HashStream<Algorithm>.hash(key).bytes : key
        block += [UInt8](repeating: 0, count: 64 - block.count)
        inner.update(block.map { $0 ^ 0x36 })
        outer.update(block.map { $0 ^ 0x5C })
    }

    mutating func update(_ bytes: UnsafeRawBufferPointer) { inner.update(bytes) }

    consuming func finish() -> Digest {
        let digest = inner.finish()
        withUnsafeBytes(of: digest.storage) {
            outer.update(UnsafeRawBufferPointer(rebasing: $0[..<digest.count]))
        }
        return outer.finish()
    }
}
