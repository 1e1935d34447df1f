/// Numbers from a seed that others cannot continue: SHA-256 of the seed and a counter. Transaction ids go over the wire
/// in clear, and with a plain generator they would give away the passwords that come from it too.
package struct SecretRandom: RandomNumberGenerator, Sendable {
    private let seed: UInt64
    private var counter: UInt64 = 0
    private var stored = InlineArray<4, UInt64>(repeating: 0)

    package init(seed: UInt64) { self.seed = seed }

    package mutating func next() -> UInt64 {
        let place = Int(counter & 3)
        if place == 0 { refill() }
        counter &+= 1
        return stored[place]
    }

    private mutating func refill() {
        var stream = HashStream<SHA256>()
        withUnsafeBytes(of: (seed.bigEndian, counter.bigEndian)) { stream.update($0) }
        let digest = stream.finish()
        withUnsafeBytes(of: digest.storage) { bytes in
            for index in 0..<4 { stored[index] = bytes.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self) }
        }
    }

    /// Characters that ICE allows in its credentials (RFC 8839, section 5.4), six bits each.
    mutating func iceText(_ count: Int) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        return String(decoding: (0..<count).map { _ in alphabet[Int(next() >> 58)] }, as: UTF8.self)
    }
}
