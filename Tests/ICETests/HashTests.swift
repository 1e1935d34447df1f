import Testing

@testable import ICE

/// Values of FIPS 180-4's examples, RFC 1321, RFC 2202 and RFC 4231.
struct HashTests {
    private func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
    private func md5(_ text: String) -> String { hex(HashStream<MD5>.hash(Array(text.utf8)).bytes) }
    private func sha1(_ text: String) -> String { hex(HashStream<SHA1>.hash(Array(text.utf8)).bytes) }
    private func sha256(_ text: String) -> String { hex(HashStream<SHA256>.hash(Array(text.utf8)).bytes) }
    private func hmac<A: BlockHash>(_: A.Type, _ key: [UInt8], _ text: [UInt8]) -> String {
        var hmac = HMAC<A>(key: key)
        text.withUnsafeBytes { hmac.update($0) }
        return hex(hmac.finish().bytes)
    }
    private let twoBlocks = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"

    @Test func md5Suite() {
        #expect(md5("") == "d41d8cd98f00b204e9800998ecf8427e")
        #expect(md5("a") == "0cc175b9c0f1b6a831c399e269772661")
        #expect(md5("message digest") == "f96b697d7cb7938d525a2f31aaf161d0")
        let digits = String(repeating: "1234567890", count: 8)
        #expect(md5(digits) == "57edf4a22be3c955ac49da2e2107b67a")
    }

    @Test func sha1Examples() {
        #expect(sha1("") == "da39a3ee5e6b4b0d3255bfef95601890afd80709")
        #expect(sha1("abc") == "a9993e364706816aba3e25717850c26c9cd0d89d")
        #expect(sha1(twoBlocks) == "84983e441c3bd26ebaae4aa1f95129e5e54670f1")
    }

    @Test func sha256Examples() {
        #expect(sha256("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(sha256(twoBlocks) == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
    }

    @Test func hmacs() {
        let jefe = Array("Jefe".utf8)
        let question = Array("what do ya want for nothing?".utf8)
        #expect(hmac(SHA1.self, jefe, question) == "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79")
        #expect(
            hmac(SHA256.self, jefe, question)
                == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        #expect(hmac(MD5.self, jefe, question) == "750c783e6ab0b503eaa86e310a5db738")
        let long = [UInt8](repeating: 0xAA, count: 80)
        let text = Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8)
        #expect(hmac(SHA1.self, long, text) == "aa4ae5e15272d00e95705637ce8a3b55ed402112")
    }

    @Test("A hash does not depend on where its input is cut", arguments: [1, 3, 55, 56, 63, 64, 65, 127, 128, 200])
    func pieces(_ count: Int) {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let whole = HashStream<SHA1>.hash(bytes).bytes
        for cut in stride(from: 0, through: count, by: 5) {
            var stream = HashStream<SHA1>()
            stream.update(Array(bytes[..<cut]))
            stream.update(Array(bytes[cut...]))
            #expect(stream.finish().bytes == whole)
        }
    }

    @Test func crc() {
        let digits = Array("123456789".utf8)
        #expect(digits.withUnsafeBytes { CRC32.update(0, $0) } == 0xCBF4_3926)
        let first = digits[..<4].withUnsafeBytes { CRC32.update(0, $0) }
        #expect(digits[4...].withUnsafeBytes { CRC32.update(first, $0) } == 0xCBF4_3926)
    }

    @Test func comparison() {
        let digest = HashStream<SHA1>.hash([1])
        var bytes = digest.bytes
        #expect(bytes.withUnsafeBytes { digest.equals($0, count: 20) })
        bytes[19] ^= 1
        #expect(!bytes.withUnsafeBytes { digest.equals($0, count: 20) })
        #expect(bytes.withUnsafeBytes { digest.equals($0, count: 16) })
        #expect(!bytes[..<10].withUnsafeBytes { digest.equals($0, count: 20) })
    }

    @Test func secretNumbersAreAFunctionOfTheSeed() {
        var (a, b, c) = (SecretRandom(seed: 1), SecretRandom(seed: 1), SecretRandom(seed: 2))
        let first = (0..<9).map { _ in a.next() }
        #expect(first == (0..<9).map { _ in b.next() })
        #expect(Set(first).count == 9)
        #expect(c.next() != first[0])
    }
}
