import Core
import Testing

@testable import ICE

struct STUNMessageTests {
    private static func bytes(_ text: String) -> [UInt8] {
        text.split(whereSeparator: \.isWhitespace).compactMap { UInt8($0, radix: 16) }
    }
    /// RFC 5769, section 2.1.
    static let request = bytes(
        """
        00 01 00 58 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae
        80 22 00 10 53 54 55 4e 20 74 65 73 74 20 63 6c 69 65 6e 74
        00 24 00 04 6e 00 01 ff 80 29 00 08 93 2f f9 b1 51 26 3b 36
        00 06 00 09 65 76 74 6a 3a 68 36 76 59 20 20 20
        00 08 00 14 9a ea a7 0c bf d8 cb 56 78 1e f2 b5 b2 d3 f2 49 c1 b5 71 a2
        80 28 00 04 e5 7a 3b cf
        """)
    /// Section 2.2.
    static let responseV4 = bytes(
        """
        01 01 00 3c 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae
        80 22 00 0b 74 65 73 74 20 76 65 63 74 6f 72 20 00 20 00 08 00 01 a1 47 e1 12 a6 43
        00 08 00 14 2b 91 f5 99 fd 9e 90 c3 8c 74 89 f9 2a f9 ba 53 f0 6b e7 d7
        80 28 00 04 c0 7d 4c 96
        """)
    /// Section 2.3.
    static let responseV6 = bytes(
        """
        01 01 00 48 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae
        80 22 00 0b 74 65 73 74 20 76 65 63 74 6f 72 20
        00 20 00 14 00 02 a1 47 01 13 a9 fa a5 d3 f1 79 bc 25 f4 b5 be d2 b9 d9
        00 08 00 14 a3 82 95 4e 4b e6 7b f1 17 84 c9 7c 82 92 c2 75 bf e3 ed 41
        80 28 00 04 c8 fb 0b 4c
        """)
    /// Section 2.4.
    static let longTerm = bytes(
        """
        00 01 00 60 21 12 a4 42 78 ad 34 33 c6 ad 72 c0 29 da 41 2e
        00 06 00 12 e3 83 9e e3 83 88 e3 83 aa e3 83 83 e3 82 af e3 82 b9 00 00
        00 15 00 1c 66 2f 2f 34 39 39 6b 39 35 34 64 36 4f 4c 33 34 6f 4c 39 46 53 54 76 79 36 34 73 41
        00 14 00 0b 65 78 61 6d 70 6c 65 2e 6f 72 67 00
        00 08 00 14 f6 70 24 65 6d d6 4a 3e 02 b8 e0 71 2e 85 c9 a2 8c a8 96 66
        """)
    static let key = STUNKey(password: "VOkJxbRl1RmTxUk/WvJxBt")
    static let id = STUNTransactionID(tag: 0xB7E7_A701, 0xBC34_D686_FA87_DFAE)

    @Test func sampleRequest() throws {
        let message = try Self.request.stun()
        #expect(message.kind == .request && message.method == .binding && message.id == Self.id)
        #expect(Self.request.text(message.software) == "STUN test client")
        #expect(Self.request.text(message.username) == "evtj:h6vY")
        #expect(message.priority == 0x6E00_01FF && message.controlled == 0x932F_F9B1_5126_3B36)
        #expect(message.hasFingerprint && Self.request.isProtected(by: Self.key))
        var writer = STUNWriter(.request, .binding, Self.id)
        writer.padding = 0x20
        writer.add(.software, "STUN test client")
        writer.add(.priority, u32: 0x6E00_01FF)
        writer.add(.iceControlled, u64: 0x932F_F9B1_5126_3B36)
        writer.add(.username, "evtj:h6vY")
        #expect(writer.finish(Self.key) == Self.request)
    }

    @Test(arguments: [(responseV4, "192.0.2.1:32853"), (responseV6, "[2001:db8:1234:5678:11:2233:4455:6677]:32853")])
    func sampleResponse(_ bytes: [UInt8], _ address: String) throws {
        let message = try bytes.stun()
        #expect(message.kind == .success && message.mappedAddress == SocketAddress(address))
        #expect(bytes.isProtected(by: Self.key))
        var writer = STUNWriter(.success, .binding, Self.id)
        writer.padding = 0x20
        writer.add(.software, "test vector")
        writer.addAddress(.xorMappedAddress, try #require(SocketAddress(address)))
        #expect(writer.finish(Self.key) == bytes)
    }

    @Test func longTermCredentials() throws {
        let key = STUNKey(username: "マトリックス", realm: "example.org", password: "TheMatrIX")
        let message = try Self.longTerm.stun()
        #expect(Self.longTerm.isProtected(by: key) && !message.hasFingerprint)
        var writer = STUNWriter(.request, .binding, message.id)
        writer.add(.username, "マトリックス")
        writer.add(.nonce, "f//499k954d6OL34oL9FSTvy64sA")
        writer.add(.realm, "example.org")
        #expect(writer.finish(key, fingerprint: false) == Self.longTerm)
    }

    @Test func everyFlippedBitIsSeen() {
        for vector in [Self.request, Self.responseV4, Self.responseV6] {
            for bit in 0..<(8 * (vector.count - 8)) {
                var broken = vector
                broken[bit / 8] ^= 1 << UInt8(bit % 8)
                // All but FINGERPRINT itself, which MESSAGE-INTEGRITY does not cover.
                guard (try? broken.stun()) != nil else { continue }
                #expect(!broken.isProtected(by: Self.key), "bit \(bit)")
            }
        }
    }

    @Test func wrongKeyAndCutMessages() {
        #expect(!Self.request.isProtected(by: STUNKey(password: "VOkJxbRl1RmTxUk/WvJxBu")))
        for count in 0..<Self.request.count {
            let cut = Array(Self.request[..<count])
            #expect(throws: STUNError.malformed) { try cut.stun() }
        }
    }

    @Test func strongIntegrity() {
        var writer = STUNWriter(.request, .binding, Self.id)
        writer.add(.username, "a:b")
        writer.addIntegrity(STUNKey(password: "other"))
        writer.addIntegritySHA256(Self.key)
        writer.addFingerprint()
        var bytes = writer.bytes
        // The stronger of the two counts.
        #expect(bytes.isProtected(by: Self.key))
        bytes[24] ^= 1
        bytes.removeLast(8)
        bytes[3] -= 8
        #expect(!bytes.isProtected(by: Self.key))
    }

    @Test func whatFollowsTheIntegrityIsIgnored() throws {
        var writer = STUNWriter(.request, .binding, Self.id)
        writer.addIntegrity(Self.key)
        writer.addFlag(.useCandidate)
        writer.addFingerprint()
        let message = try writer.bytes.stun()
        #expect(!message.usesCandidate && writer.bytes.isProtected(by: Self.key))
    }

    @Test func turnAttributes() throws {
        let (peer, relayed) = try (
            #require(SocketAddress("192.0.2.7:99")), #require(SocketAddress("[2001:db8::9]:4000"))
        )
        var writer = STUNWriter(.success, .allocate, Self.id)
        writer.addAddress(.xorPeerAddress, peer)
        writer.addAddress(.xorRelayedAddress, relayed)
        writer.add(.lifetime, u32: 600)
        writer.add(.channelNumber, u32: 0x4001_0000)
        writer.add(.requestedTransport, [17, 0, 0, 0])
        writer.add(.data, [1, 2, 3])
        writer.addError(438, "Stale Nonce")
        let bytes = writer.finish()
        let message = try bytes.stun()
        #expect(message.method == .allocate && message.kind == .success)
        #expect(message.peerAddress == peer && message.relayedAddress == relayed && message.lifetime == 600)
        #expect(message.channelNumber == 0x4001 && message.requestedTransport == 17 && message.errorCode == 438)
        #expect(message.data.map { Array(bytes[$0]) } == [1, 2, 3])
        #expect(bytes.text(message.errorReason) == "Stale Nonce")
    }

    @Test func unknownAttributesThatMatterAreNamed() throws {
        // 0x7ABC must be understood, 0xFABC need not.
        let bytes = Self.bytes("00 01 00 08 21 12 a4 42 0 0 0 0 0 0 0 0 0 0 0 0 7a bc 00 00 fa bc 00 00")
        #expect(try bytes.stun().unknownRequired == [0x7ABC])
    }

    @Test func routing() {
        #expect(Self.request.localUfrag == "evtj")
        #expect(Self.responseV4.localUfrag == nil)
        #expect(Self.responseV4.tag == 0xB7E7_A701)
        #expect(Self.request.tag == nil)
        for count in 0..<Self.request.count {
            let cut = Array(Self.request[..<count])
            _ = cut.localUfrag
        }
        #expect(![UInt8](repeating: 0x80, count: 30).isSTUN)
    }
}
