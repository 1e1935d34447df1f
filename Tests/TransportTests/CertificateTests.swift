import Testing
import Transport

struct CertificateTests {
    @Test("PEM out and in again", arguments: [Certificate.KeyKind.ecdsaP256, .rsa2048])
    func pem(_ kind: Certificate.KeyKind) throws {
        let made = try Certificate.selfSigned(kind, unixSeconds: DTLSPair.unixSeconds)
        let text = try made.pem()
        let read = try Certificate(pem: text)
        #expect(read.fingerprint == made.fingerprint)
        #expect(try read.pem() == text)
        // Certificate first, key behind, text around.
        let cut = try #require(text.firstRange(of: "-----BEGIN CERTIFICATE-----"))
        let turned = "made by us\n" + text[cut.lowerBound...] + "\n" + text[..<cut.lowerBound]
        #expect(try Certificate(pem: turned).fingerprint == made.fingerprint)
    }

    @Test func pemThatIsNone() throws {
        let (one, other) = try (DTLSPair.ecdsa.get().certificate.pem(), DTLSPair.rsa.get().certificate.pem())
        let cut = "-----BEGIN CERTIFICATE-----"
        let key = try String(one[..<#require(one.firstRange(of: cut)).lowerBound])
        let foreign = try String(other[#require(other.firstRange(of: cut)).lowerBound...])
        for text in ["", "nothing", key, foreign, key + foreign, String(one.dropLast(200))] {
            #expect(throws: TransportError.self) { _ = try Certificate(pem: text) }
        }
    }

    @Test func fingerprintText() throws {
        let fingerprint = try DTLSPair.ecdsa.get().certificate.fingerprint
        #expect(fingerprint.hex.count == 95 && fingerprint.bytes.count == 32)
        #expect(Fingerprint(fingerprint.description) == fingerprint)
        #expect(Fingerprint(algorithm: "SHA-256", hex: fingerprint.hex.lowercased()) == fingerprint)
        for text in [
            "", "sha-256", "sha-256 ", "md5 00:11", "sha-1 \(fingerprint.hex)", "sha-256 \(fingerprint.hex):00",
            "sha-256 +1" + fingerprint.hex.dropFirst(2), "sha-256 " + fingerprint.hex.dropLast(1),
        ] {
            #expect(Fingerprint(text) == nil, "\(text)")
        }
    }

    @Test func twoAreNeverEqual() throws {
        let made = try (0..<5).map { _ in
            try Certificate.selfSigned(unixSeconds: DTLSPair.unixSeconds).fingerprint
        }
        #expect(Set(made).count == 5)
    }
}
