import Core
import Testing
import Transport

/// The fuzz entries over real inputs with bits flipped, from seeds: what a fuzzer does for hours, for a moment.
private func mutate(_ blocks: [[UInt8]], first: UInt8, using random: inout SeededRandom) -> [UInt8] {
    var out = [first]
    for block in blocks.shuffled(using: &random).prefix(6) {
        var bytes = block
        for _ in 0..<Int.random(in: 0...4, using: &random) where !bytes.isEmpty {
            bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
        }
        if Int.random(in: 0..<8, using: &random) == 0 { bytes.removeLast(bytes.count / 2) }
        out += [UInt8(bytes.count >> 8), UInt8(truncatingIfNeeded: bytes.count)] + bytes
    }
    return out
}

struct TransportFuzzTests {
    @Test("DTLS takes any datagram", arguments: 0..<40) func dtls(_ seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed))
        let pair = try DTLSPair()
        var blocks: [[UInt8]] = []
        pair.client.start(.client, fingerprints: [], at: pair.now)
        pair.server.start(.server, fingerprints: [], at: pair.now)
        for _ in 0..<3 {
            while let bytes = pair.client.pollDatagram({ [UInt8]($0) }) {
                blocks.append(bytes)
                pair.inject(bytes, toServer: true)
            }
        }
        for choice in 0..<8 as Range<UInt8> { TransportFuzz.dtls(mutate(blocks, first: choice, using: &random)) }
    }

    @Test("Keys in text", arguments: 0..<200) func text(_ seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        let lines = [
            "1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20",
            "sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB",
        ]
        for line in lines {
            var bytes = [UInt8](line.utf8)
            TransportFuzz.keysInText(bytes)
            for _ in 0..<3 {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 32...126, using: &random)
                TransportFuzz.keysInText(bytes)
            }
        }
    }

    @Test("Messages on data channels", arguments: 0..<100) func dataChannels(_ seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        let open: [UInt8] = [1, 50, 3, 0x82, 1, 0, 0, 0, 1, 0x2C, 0, 2, 0, 1, 97, 98, 99]
        let blocks = [
            open, Array(open.dropFirst(2)), [1, 50, 2], [1, 51, 65], [1, 54, 66], [1, 57, 0], [1, 52, 1, 2],
        ]
        TransportFuzz.dataChannels(Array(mutate(blocks, first: 0, using: &random).dropFirst()))
    }
}

extension SCTPTests {
    struct FuzzTests {
        @Test("SCTP takes any chunk", arguments: 0..<300) func chunks(_ seed: Int) {
            var random = SeededRandom(seed: UInt64(seed))
            let chunks = [
                "00030014 00000001 00000000 00000033 41424344",  // DATA
                "01000014 00000001 00010000 00100010 00000001",  // INIT
                "03000010 00000001 00010000 00000000",  // SACK
                "04000008 00010004", "06000004", "07000008 00000001", "08000004", "09000004", "0a000008 01020304",
                "82000014 000d0010 00000001 00000001 00000001",  // RE-CONFIG: reset of outgoing streams
                "c000000c 00000001 00010001",  // FORWARD TSN
                "80000008 00000001", "0e000004",
            ].map { hex($0) }
            TransportFuzz.sctp(mutate(chunks, first: UInt8(seed % 4), using: &random))
        }
    }
}
