import Testing
import Transport

struct SRTPContextTests {
    static func key(_ profile: SRTPProfile, _ first: UInt8 = 0) throws -> SRTPKey {
        try #require(SRTPKey(profile, (0..<UInt8(profile.keyCount + profile.saltCount)).map { $0 &* 7 &+ first }))
    }

    /// Two contexts that send to each other.
    static func pair(
        _ profile: SRTPProfile, allowsRepeats: Bool = false, softLimit: UInt64 = SRTPContext.defaultSoftLimit
    ) throws -> (SRTPContext, SRTPContext) {
        let a = SRTPContext(allowsRepeats: allowsRepeats, softLimit: softLimit)
        let b = SRTPContext()
        try a.install(sending: key(profile), receiving: key(profile, 1))
        try b.install(sending: key(profile, 1), receiving: key(profile))
        return (a, b)
    }

    static func packet(_ sequence: UInt16, ssrc: UInt8 = 1, payload: Int = 40) -> [UInt8] {
        [0x80, 96, UInt8(sequence >> 8), UInt8(truncatingIfNeeded: sequence), 0, 0, 0, 1, 0, 0, 0, ssrc]
            + (0..<payload).map { UInt8(truncatingIfNeeded: $0) }
    }

    static let report: [UInt8] = [0x80, 200, 0, 6, 0, 0, 0, 1] + [UInt8](1...20)

    static func protect(
        _ context: SRTPContext, _ packet: [UInt8], isRTCP: Bool = false
    ) throws -> [UInt8] {
        var bytes = packet + [UInt8](repeating: 0, count: SRTPContext.maxOverhead)
        let count = try bytes.withUnsafeMutableBytes { memory in
            isRTCP
                ? try context.protectRTCP(memory, count: packet.count)
                : try context.protectRTP(memory, count: packet.count)
        }
        return Array(bytes.prefix(count))
    }

    static func unprotect(
        _ context: SRTPContext, _ packet: [UInt8], isRTCP: Bool = false
    ) throws -> [UInt8] {
        var bytes = packet
        let count = try bytes.withUnsafeMutableBytes { memory in
            isRTCP ? try context.unprotectRTCP(memory) : try context.unprotectRTP(memory)
        }
        return Array(bytes.prefix(count))
    }

    // MARK: - Vectors

    @Test("The reference is what RFC 3711, appendix B says") func referenceCounterMode() throws {
        let stream = ReferenceSRTP.keystream(
            key: hex("2B7E151628AED2A6ABF7158809CF4F3C"), iv: hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000"), count: 48)
        #expect(
            stream
                == hex(
                    """
                    E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB
                    41E95B3BB0A2E8DD477901E4FCA894C0
                    """))
        let master = try #require(
            SRTPKey(
                .aes128CMSHA1_80, hex("E1F97A0D3E018BE0D64FA32C06DE4139") + hex("0EC675AD498AFEEBB6960B3AABE6")))
        let derived = ReferenceSRTP(master, isRTCP: false)
        #expect(derived.encryptionKey == hex("C61E7A93744F39EE10734AFE3FF7A087"))
        #expect(derived.salt == hex("30CBBC08863D8C85D49DB34A9AE1"))
        #expect(derived.authenticationKey == hex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"))
    }

    @Test("The reference is what RFC 7714, sections 16 and 17 say") func referenceGCM() {
        let salt = hex("517569642070726f2071756f")
        let short = ReferenceSRTP(encryptionKey: [UInt8](0..<16), salt: salt)
        let long = ReferenceSRTP(encryptionKey: [UInt8](0..<32), salt: salt)
        let rtp = hex(
            """
            8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976
            69736120 696e2070 61727465 73207472 6573
            """)
        #expect(
            short.rtp(rtp, rollover: 0, profile: .aeadAES128GCM)
                == hex(
                    """
                    8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f
                    42a5f47a 51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce
                    """))
        #expect(
            long.rtp(rtp, rollover: 0, profile: .aeadAES256GCM)
                == hex(
                    """
                    8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3
                    b50b2a02 76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13
                    """))
        let rtcp = hex(
            """
            81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61
            deadbeef deadbeef deadbeef deadbeef deadbeef
            """)
        #expect(
            short.rtcp(rtcp, index: 0x5d4, profile: .aeadAES128GCM)
                == hex(
                    """
                    81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1
                    730d6fda 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4
                    """))
    }

    @Test(
        "Every profile's packets are the reference's, byte for byte, also after rollover",
        arguments: SRTPProfile.allCases)
    func packets(_ profile: SRTPProfile) throws {
        let (sender, receiver) = try Self.pair(profile)
        let reference = try ReferenceSRTP(Self.key(profile), isRTCP: false)
        for step in 0..<400 {
            let sequence = UInt16(truncatingIfNeeded: 65_300 + step)
            let packet = Self.packet(sequence, payload: step)
            let protected = try Self.protect(sender, packet)
            #expect(protected == reference.rtp(packet, rollover: step < 236 ? 0 : 1, profile: profile))
            #expect(protected.count == packet.count + profile.rtpTagCount)
            #expect(try Self.unprotect(receiver, protected) == packet)
        }
        let control = try ReferenceSRTP(Self.key(profile), isRTCP: true)
        for index in 1...5 as ClosedRange<UInt32> {
            let protected = try Self.protect(sender, Self.report, isRTCP: true)
            #expect(protected == control.rtcp(Self.report, index: index, profile: profile))
            #expect(protected.count <= Self.report.count + SRTPContext.maxOverhead)
            #expect(try Self.unprotect(receiver, protected, isRTCP: true) == Self.report)
        }
        #expect(sender.counters.protected == 405 && receiver.counters.unprotected == 405)
    }

    // MARK: - What is refused

    @Test func nothingWithoutKeys() {
        let context = SRTPContext()
        #expect(throws: SRTPContext.Failure.noKeys) { _ = try Self.unprotect(context, Self.packet(1)) }
        #expect(throws: SRTPContext.Failure.noKeys) { _ = try Self.protect(context, Self.packet(1)) }
        #expect(context.counters.dropped(.noKeys) == 2 && !context.isReady)
    }

    @Test("Damage, repeats and late packets are refused and counted", arguments: SRTPProfile.allCases)
    func refused(_ profile: SRTPProfile) throws {
        let (sender, receiver) = try Self.pair(profile)
        let protected = try (0..<5000).map { try Self.protect(sender, Self.packet(UInt16($0))) }
        for place in [0, 11, 12, 30, protected[0].count - 1] {
            var damaged = protected[0]
            damaged[place] ^= 4
            // A changed version or length is caught before the tag is looked at.
            #expect(throws: SRTPContext.Failure.self) { _ = try Self.unprotect(receiver, damaged) }
        }
        #expect(receiver.counters.dropped(.authentication) >= 4)
        _ = try Self.unprotect(receiver, protected[4999])
        #expect(throws: SRTPContext.Failure.replayed) { _ = try Self.unprotect(receiver, protected[4999]) }
        // Out of order within the window is fine, once.
        for sequence in stride(from: 4998, to: 4999 - SRTPContext.replayWindow, by: -1) {
            #expect(try Self.unprotect(receiver, protected[sequence]).count == 52)
        }
        #expect(throws: SRTPContext.Failure.replayed) { _ = try Self.unprotect(receiver, protected[4000]) }
        #expect(throws: SRTPContext.Failure.tooOld) { _ = try Self.unprotect(receiver, protected[2000]) }
        #expect(receiver.counters.dropped(.replayed) == 2 && receiver.counters.dropped(.tooOld) == 1)
        for short in [[], [0x80], [UInt8](repeating: 0x80, count: 11), [UInt8](repeating: 0, count: 40)] {
            #expect(throws: SRTPContext.Failure.malformed) { _ = try Self.unprotect(receiver, short) }
        }
    }

    @Test func repeatsOnlyWhereAllowed() throws {
        let (strict, _) = try Self.pair(.aeadAES128GCM)
        _ = try Self.protect(strict, Self.packet(9))
        #expect(throws: SRTPContext.Failure.replayed) { _ = try Self.protect(strict, Self.packet(9)) }
        let (lax, _) = try Self.pair(.aeadAES128GCM, allowsRepeats: true)
        #expect(try Self.protect(lax, Self.packet(9)) == Self.protect(lax, Self.packet(9)))
    }

    @Test func streamsAreBounded() throws {
        let (sender, receiver) = try Self.pair(.aes128CMSHA1_80)
        for ssrc in 0...255 as ClosedRange<UInt8> {
            _ = try Self.unprotect(receiver, Self.protect(sender, Self.packet(7, ssrc: ssrc)))
        }
        var other = Self.packet(7)
        other[8] = 1
        #expect(throws: SRTPContext.Failure.tooManyStreams) { _ = try Self.protect(sender, other) }
        sender.removeStream(5)
        _ = try Self.protect(sender, other)
        // A stream that was forgotten begins anew, on both sides.
        receiver.removeStream(6)
        sender.removeStream(6)
        _ = try Self.unprotect(receiver, Self.protect(sender, Self.packet(7, ssrc: 6)))
    }

    @Test func aBufferWithoutRoom() throws {
        let (sender, _) = try Self.pair(.aes128CMSHA1_80)
        var bytes = Self.packet(1)
        #expect(throws: SRTPContext.Failure.noRoom) { () throws in
            _ = try bytes.withUnsafeMutableBytes { try sender.protectRTP($0, count: $0.count) }
        }
    }

    @Test func lifetime() throws {
        let (sender, _) = try Self.pair(.aeadAES128GCM, softLimit: 3)
        for sequence in 0..<5 as Range<UInt16> { _ = try Self.protect(sender, Self.packet(sequence)) }
        #expect(sender.pollEvent() == .keyLifetimeNearEnd && sender.pollEvent() == nil)
    }

    /// The peer's key, of which it has said how long it is good.
    @Test func lifetimeOfThePeersKey() throws {
        let (key, other) = (try Self.key(.aes128CMSHA1_80), try Self.key(.aes128CMSHA1_80, 1))
        let (sender, receiver) = (SRTPContext(), SRTPContext())
        try sender.install(sending: key, receiving: other)
        try receiver.install(sending: other, receiving: key, receivingLifetime: 8)
        var noted: [UInt16] = []
        for sequence in 0..<10 as Range<UInt16> {
            var bytes = try Self.protect(sender, Self.packet(sequence))
            _ = try bytes.withUnsafeMutableBytes { try receiver.unprotectRTP($0) }
            while receiver.pollEvent() != nil { noted.append(sequence) }
        }
        #expect(noted == [3])
    }

    @Test func keysOfAHandshake() throws {
        let pair = try DTLSPair()
        try pair.start()
        pair.run { pair.bothConnected }
        let (client, server) = (SRTPContext(), SRTPContext())
        try client.install(#require(pair.keys.client), role: .client)
        try server.install(#require(pair.keys.server), role: .server)
        #expect(try Self.unprotect(server, Self.protect(client, Self.packet(1))) == Self.packet(1))
        #expect(try Self.unprotect(client, Self.protect(server, Self.packet(1))) == Self.packet(1))
    }
}
