import Core
import RTP
import Testing

struct RTPHeaderExtensionsTests {
    private func packet(_ extensionBytes: [UInt8], profile: [UInt8]) -> [UInt8] {
        [0x90, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9] + profile + [0, UInt8(extensionBytes.count / 4)] + extensionBytes + [7]
    }

    private func read(_ packet: [UInt8], _ map: ExtensionMap) throws -> RTPHeaderExtensions {
        RTPHeaderExtensions(packet.span.bytes, header: try RTPHeader(packet.span.bytes), map: map)
    }

    /// Everything we know, each with a value that uses all of its bits.
    private var full: RTPHeaderExtensions {
        var values = RTPHeaderExtensions()
        values.mid = StreamLabel("0")
        values.rid = StreamLabel("hi")
        values.repairedRID = StreamLabel("0123456789abcdef")
        values.cname = StreamLabel("a@b")
        values.absoluteSendTime = 0xABCDEF
        values.transportSequenceNumber = 0xFFFE
        values.transmissionOffset = -5
        values.audioLevel = AudioLevelValue(level: 127, isVoice: true)
        values.playoutDelay = PlayoutDelay(minimum: 0xABC, maximum: 0x123)
        values.videoOrientation = VideoOrientation(rotation: 270, isFlipped: true)
        values.colorSpace = ColorSpaceValue(primaries: 1, transfer: 13, matrix: 1, rangeAndSiting: 0x20)
        values.absoluteCaptureTime = AbsoluteCaptureTime(
            time: NTPTime(bits: 0x0123_4567_89AB_CDEF), clockOffset: -7)
        return values
    }

    /// The one-byte form, with padding between elements (RFC 8285, section 4.2).
    @Test func oneByteElements() throws {
        let bytes: [UInt8] = [0x10, 0x85, 0, 0, 0x32, 1, 2, 3, 0x21, 0xAA, 0xBB, 0x50]
        let map = ExtensionMap([.audioLevel: 1, .transportSequenceNumber: 2, .absoluteSendTime: 3])
        let values = try read(packet(bytes, profile: [0xBE, 0xDE]), map)
        #expect(values.audioLevel == AudioLevelValue(level: 5, isVoice: true))
        #expect(values.absoluteSendTime == 0x010203 && values.transportSequenceNumber == 0xAABB)
        #expect(values.mid == nil)
    }

    @Test func numberFifteenEndsTheReading() throws {
        let bytes: [UInt8] = [0xF0, 0, 0x10, 0x85]
        #expect(
            try read(packet(bytes, profile: [0xBE, 0xDE]), ExtensionMap([.audioLevel: 1])) == RTPHeaderExtensions())
    }

    /// The two-byte form, with an element without value (section 4.3).
    @Test func twoByteElements() throws {
        let bytes: [UInt8] = [0x05, 0, 0, 200, 3, 0x61, 0x62, 0x63]
        let values = try read(packet(bytes, profile: [0x10, 0x07]), ExtensionMap([.mid: 200, .rid: 5]))
        #expect(values.mid?.description == "abc" && values.rid == nil)
    }

    @Test("What is written is read again", arguments: [UInt8(1), 2, 100])
    func roundTrip(firstID: UInt8) throws {
        var map = ExtensionMap()
        for kind in RTPExtensionKind.allCases { map[kind] = firstID + kind.rawValue }
        let header = RTPHeader(marker: true, payloadType: 96, sequenceNumber: 7, timestamp: 8, ssrc: 9)
        var buffer = [UInt8](repeating: 0xEE, count: 256)
        let count = try #require(buffer.withUnsafeMutableBytes { header.write(extensions: full, map: map, into: $0) })
        let packet = Array(buffer[..<count])
        let again = try RTPHeader(packet.span.bytes)
        // Numbers above 14 need the two-byte form; the last kind, which would be 15, is never written.
        #expect(again.extensionProfile == (firstID < 5 ? 0xBEDE : 0x1000))
        #expect(again.marker && again.payloadType == 96 && again.sequenceNumber == 7 && again.payload == count..<count)
        #expect(try read(packet, map) == full)
        #expect(count % 4 == 0)
    }

    @Test func nothingAgreedIsNothingWritten() throws {
        var buffer = [UInt8](repeating: 0, count: 12)
        let header = RTPHeader(payloadType: 0, sequenceNumber: 7, timestamp: 8, ssrc: 9)
        #expect(buffer.withUnsafeMutableBytes { header.write(extensions: full, into: $0) } == 12)
        #expect(buffer[0] == 0x80)
    }

    @Test func shortBuffersAreRefused() {
        let map = ExtensionMap([.mid: 1])
        for size in 0..<20 {
            var buffer = [UInt8](repeating: 0, count: size)
            let header = RTPHeader(payloadType: 0, sequenceNumber: 7, timestamp: 8, ssrc: 9)
            #expect(buffer.withUnsafeMutableBytes { header.write(extensions: full, map: map, into: $0) } == nil)
        }
    }

    @Test func aValueCanBeSetAfterwards() throws {
        let bytes: [UInt8] = [0x10, 0x85, 0x21, 0xAA, 0xBB, 0, 0, 0]
        let packet = packet(bytes, profile: [0xBE, 0xDE])
        let header = try RTPHeader(packet.span.bytes)
        let map = ExtensionMap([.audioLevel: 1, .transportSequenceNumber: 2])
        let place = RTPHeaderExtensions.locate(
            .transportSequenceNumber, in: packet.span.bytes, header: header, map: map)
        #expect(place.map { Array(packet[$0]) } == [0xAA, 0xBB])
        let none = RTPHeaderExtensions.locate(.mid, in: packet.span.bytes, header: header, map: map)
        #expect(none == nil)
    }

    @Test func aNumberStandsForOneKind() {
        var map = ExtensionMap([.mid: 3, .rid: 4])
        map[.audioLevel] = 3
        #expect(map.kind(of: 3) == .audioLevel && map[.mid] == nil && map[.rid] == 4)
        map[.audioLevel] = nil
        #expect(map.kind(of: 3) == nil && !map.isEmpty)
        for kind in RTPExtensionKind.allCases { #expect(RTPExtensionKind(uri: kind.uri) == kind) }
    }

    @Test func labels() {
        #expect(StreamLabel("") == nil && StreamLabel("0123456789abcdefg") == nil)
        #expect(StreamLabel("0123456789abcdef")?.description == "0123456789abcdef")
        #expect(StreamLabel("a") != StreamLabel("a\0"))
    }
}
