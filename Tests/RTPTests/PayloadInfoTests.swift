import Core
import RTP
import Testing

/// What single packets say, with the layouts of the formats' RFCs.
struct PayloadInfoTests {
    private func isMalformed(_ payload: [UInt8], _ codec: VideoCodec) -> Bool {
        (try? info(payload, codec)) == nil
    }

    @Test("Empty payloads are malformed", arguments: VideoCodec.allCases)
    func empty(codec: VideoCodec) { #expect(isMalformed([], codec)) }

    /// RFC 7741, section 4.6: a minimal descriptor, one with a short and one with a long picture ID, one with layers.
    @Test func vp8() throws {
        var found = try info([0x10, 0x50, 1, 2], .vp8)
        #expect(found.start == .yes && found.isKey && found.pictureID == nil && found.media == 1..<4 && !found.isEnd)
        found = try info([0x00, 0x50], .vp8, marker: true)
        #expect(found.start == .no && !found.isKey && found.isEnd)
        found = try info([0x90, 0x80, 0x11, 0x51, 0], .vp8)
        #expect(found.pictureID == 17 && !found.hasLongPictureID && !found.isKey && found.media == 3..<5)
        found = try info([0xB0, 0xF0, 0x92, 0x34, 0x56, 0xA5, 0x51], .vp8)
        #expect(found.pictureID == 0x1234 && found.hasLongPictureID && found.tl0PictureIndex == 0x56)
        #expect(found.temporalLayer == 2 && found.isLayerSync && found.isDiscardable && found.media == 6..<7)
        // A later partition begins no frame.
        #expect(try info([0x11, 0x50], .vp8).start == .no)
        // A descriptor alone, and ones that end early.
        for short: [UInt8] in [[0x10], [0x90], [0x90, 0x80], [0x90, 0x80, 0x80], [0x90, 0x20]] {
            #expect(isMalformed(short, .vp8))
        }
    }

    @Test func vp9() throws {
        var found = try info([0x88, 0x05, 0x82], .vp9)
        #expect(found.start == .yes && found.isKey && found.pictureID == 5 && found.media == 2..<3)
        // Not flexible: I, P, L, B; layers 2 (up) and 1.
        found = try info([0xE8, 0x92, 0x34, 0x52, 0x77, 0x82], .vp9)
        #expect(found.pictureID == 0x1234 && found.temporalLayer == 2 && found.isLayerSync && found.spatialLayer == 1)
        #expect(found.tl0PictureIndex == 0x77 && found.start == .no && !found.isKey && found.media == 5..<6)
        // Flexible with two references.
        found = try info([0xD8, 0x05, 0x03, 0x04, 0x86], .vp9)
        #expect(found.start == .yes && !found.isKey && found.media == 4..<5)
        // A structure of two layers with sizes and a group of two pictures.
        let structure: [UInt8] = [0x38, 1, 64, 0, 180, 2, 128, 1, 104, 2, 0x00, 0x14, 0x01]
        found = try info([0x8A, 0x05] + structure + [0x82], .vp9)
        #expect(found.media == 15..<16)
        // Four references, a structure that ends early, nothing behind the descriptor.
        for short: [UInt8] in [[0xD8, 0x05, 3, 3, 3, 0x82], [0x8A, 0x05, 0x38, 1], [0x88, 0x05]] {
            #expect(isMalformed(short, .vp9))
        }
    }

    @Test func h264() throws {
        #expect(try info([0x65, 1], .h264).isKey && info([0x65, 1], .h264).start == .possible)
        #expect(try !info([0x41, 1], .h264).isKey)
        // STAP-A of a set and a key slice (RFC 6184, section 5.7.1).
        #expect(try info([0x78, 0, 2, 0x67, 1, 0, 2, 0x65, 1], .h264).isKey)
        // FU-A: first, middle, last.
        #expect(try info([0x7C, 0x85, 1], .h264).start == .possible && info([0x7C, 0x85, 1], .h264).isKey)
        #expect(try info([0x7C, 0x05, 1], .h264).start == .no)
        #expect(try info([0x7C, 0x45, 1], .h264, marker: true).isEnd)
        // Interleaved types, a length beyond the end, an empty fragment, an empty unit.
        for bad: [UInt8] in [[0x79, 0, 0], [0x78, 0, 9, 1], [0x7C, 0x85], [0x78, 0, 0], [0x78], [0x60], [0x7F, 1]] {
            #expect(isMalformed(bad, .h264))
        }
    }

    @Test func h265() throws {
        #expect(try info([0x26, 1, 9], .h265).isKey && info([0x02, 3, 9], .h265).temporalLayer == 2)
        #expect(try info([0x60, 1, 0, 2, 0x42, 1, 0, 3, 0x26, 1, 9], .h265).isKey)
        #expect(try info([0x62, 1, 0x93, 9], .h265).start == .possible && info([0x62, 1, 0x93, 9], .h265).isKey)
        #expect(try info([0x62, 1, 0x13, 9], .h265).start == .no)
        for bad: [UInt8] in [[0x26], [0x62, 1, 0x93], [0x60, 1], [0x60, 1, 0, 1, 0x26], [0x64, 1, 1]] {
            #expect(isMalformed(bad, .h265))
        }
    }

    @Test func av1() throws {
        let first = try info([0x18, 0x30, 1], .av1)
        #expect(first.start == .possible && first.isKey)
        // An OBU extension: temporal layer 1, spatial layer 2.
        let layered = try info([0x10, 0x34, 0x30, 1], .av1)
        #expect(layered.temporalLayer == 1 && layered.spatialLayer == 2 && !layered.isKey)
        #expect(try info([0x90, 1], .av1).start == .no)
        // A new sequence cannot go on with the old one's OBU; a length beyond the end; only a header.
        for bad: [UInt8] in [[0x98, 1], [0x00, 9, 1], [0x10]] { #expect(isMalformed(bad, .av1)) }
    }

    /// AV1 RTP specification, section 4.4: lengths on all elements where they are not counted, delimiters dropped, size
    /// fields kept or made.
    @Test func av1Elements() throws {
        var depacketizer = VideoDepacketizer(codec: .av1)
        let frame = try depacketizer.assemble([
            [0x00, 1, 0x10, 3, 0x30, 7, 8, 4, 0x32, 2, 5, 6], [0x50, 0x30, 1, 2, 3], [0xA0, 2, 4, 5, 0x30, 6],
        ])
        #expect(frame.payload.bytes == [0x32, 2, 7, 8, 0x32, 2, 5, 6, 0x32, 5, 1, 2, 3, 4, 5, 0x32, 1, 6])
        #expect(!frame.isKey)
        // The continuation is missing, and one that nothing announced.
        for bad: [[UInt8]] in [[[0x50, 0x30, 1]], [[0x10, 0x30, 1], [0x90, 2]], [[0x20, 2, 0x30, 1]]] {
            #expect(throws: RTPError.malformedPayload) { () throws in _ = try depacketizer.assemble(bad) }
        }
    }

    /// Layers' frames become one superframe with an index, which decoders need.
    @Test func vp9Layers() throws {
        let key = TestFrames.hex("824983420013d00b5600")
        var depacketizer = VideoDepacketizer(codec: .vp9)
        let structure: [UInt8] = [0x30, 1, 62, 0, 182, 2, 124, 1, 108]
        let frame = try depacketizer.assemble([
            [0xAE, 0x05, 0x00, 0x01] + structure + key, [0xEC, 0x05, 0x03, 0x01, 0x86, 1, 2],
        ])
        let index: [UInt8] = [0xD9, 10, 0, 0, 0, 3, 0, 0, 0, 0xD9]
        #expect(frame.payload.bytes == key + [0x86, 1, 2] + index)
        #expect(frame.isKey && frame.size == .init(width: 636, height: 364))
    }

    /// Delimiters and fillers are left out, sets are learnt (RFC 6184, section 5.7.1).
    @Test func h264Aggregates() throws {
        var depacketizer = VideoDepacketizer(codec: .h264)
        func part(_ unit: [UInt8]) -> [UInt8] { [0, UInt8(unit.count)] + unit }
        let sets = part([0x09, 0xF0]) + part(TestFrames.avcSequence) + part(TestFrames.avcPicture)
        let frame = try depacketizer.assemble([
            [0x78] + sets + part([0x06, 5]), [0x7C, 0x85, 1, 2], [0x7C, 0x45, 3], [0x0C, 0xFF],
        ])
        #expect(frame.payload.bytes == [0, 0, 0, 2, 6, 5, 0, 0, 0, 4, 0x65, 1, 2, 3])
        #expect(frame.isKey && frame.size == .init(width: 318, height: 182))
        // A fragment of another unit than the one begun.
        #expect(throws: RTPError.malformedPayload) { () throws in
            _ = try depacketizer.assemble([[0x7C, 0x85, 1], [0x7C, 0x41, 1]])
        }
    }

    @Test("Frames of countless units are malformed", arguments: [VideoCodec.h264, .h265, .av1])
    func unitsAreBounded(codec: VideoCodec) throws {
        let unit: [UInt8] =
            switch codec {
            case .h264: [0, 1, 0x41]
            case .h265: [0, 2, 0x02, 1]
            default: [1, 0x30]
            }
        let head: [UInt8] = codec == .h264 ? [0x78] : codec == .h265 ? [0x60, 1] : [0x00]
        var depacketizer = VideoDepacketizer(codec: codec)
        let most = try depacketizer.assemble([head + [[UInt8]](repeating: unit, count: 1024).joined()])
        #expect(!most.isKey)
        #expect(throws: RTPError.malformedPayload) { () throws in
            _ = try depacketizer.assemble([head + [[UInt8]](repeating: unit, count: 1025).joined()])
        }
    }
}
