import Core
import Testing
import Transport

struct SDESKeysTests {
    @Test("The examples of RFC 4568") func examples() throws {
        let plain = "1 AES_CM_128_HMAC_SHA1_32 inline:NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj|2^20"
        let keys = try SDESKeys(plain)
        #expect(keys.tag == 1 && keys.key.profile == .aes128CMSHA1_32 && keys.lifetime == 1 << 20)
        #expect(keys.key.bytes == [UInt8]("70xwPH5@/,L:S1wY\"~='EpgT%(i_Vc".utf8))
        #expect(keys.description == plain)
        let identified = "1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:32"
        #expect(throws: SDESKeys.ParseError.unsupported("a master key identifier")) { _ = try SDESKeys(identified) }
    }

    @Test("Out and in again", arguments: SRTPProfile.allCases) func roundTrip(_ profile: SRTPProfile) throws {
        var random = SeededRandom(seed: 4)
        for tag in 1...20 {
            let made = try #require(SDESKeys.make(tag: tag, profile: profile, using: &random))
            #expect(try SDESKeys(made.description) == made)
        }
    }

    @Test(
        "What is none",
        arguments: [
            "", "1", "1 AES_CM_128_HMAC_SHA1_80", "x AES_CM_128_HMAC_SHA1_80 inline:AAAA",
            "1 AES_CM_128_HMAC_SHA1_80 inline:", "1 AES_CM_128_HMAC_SHA1_80 inline:AAAA",
            "1 AES_CM_128_HMAC_SHA1_80 uri:NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj",
            "1 AES_CM_128_HMAC_SHA1_80 inline:NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Z!",
            "1 AES_CM_128_HMAC_SHA1_80 inline:NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj|2^99",
            "1 AES_CM_128_HMAC_SHA1_80 inline:NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj|2^20|2^20",
        ])
    func malformed(_ text: String) {
        #expect(throws: SDESKeys.ParseError.malformed) { _ = try SDESKeys(text) }
    }

    @Test func unknown() {
        #expect(throws: SDESKeys.ParseError.unknownSuite("F8_128_HMAC_SHA1_80")) {
            _ = try SDESKeys("1 F8_128_HMAC_SHA1_80 inline:NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj")
        }
        #expect(throws: SDESKeys.ParseError.unsupported("UNENCRYPTED_SRTP")) {
            _ = try SDESKeys(
                "1 AES_CM_128_HMAC_SHA1_80 inline:NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj UNENCRYPTED_SRTP")
        }
    }
}
