import RTP
import Testing

struct RTPHeaderTests {
    private let plain: [UInt8] = [0x80, 0xE0, 0, 7, 0, 0, 0x10, 0, 1, 2, 3, 4, 0xAA, 0xBB]

    @Test func plainPacket() throws {
        let header = try RTPHeader(plain.span.bytes)
        #expect(header.marker && header.payloadType == 96 && header.sequenceNumber == 7)
        #expect(header.timestamp == 4096 && header.ssrc == 0x0102_0304 && header.payload == 12..<14)
    }

    @Test func everythingOptional() throws {
        var packet = plain
        packet[0] = 0xB1  // padding, extension, one contributor
        packet.insert(contentsOf: [9, 9, 9, 9, 0xBE, 0xDE, 0, 1, 0x10, 5, 0, 0], at: 12)
        packet += [0, 2]
        let header = try RTPHeader(packet.span.bytes)
        #expect(header.extensionProfile == 0xBEDE && header.extensions == 20..<24 && header.payload == 24..<26)
    }

    @Test func lengthsThatDoNotFit() {
        var wrong: [[UInt8]] = [[], Array(plain.prefix(11))]
        // Version 1; contributors, an extension, and padding of more than there is.
        for first: UInt8 in [0x40, 0x8F, 0x90, 0xA0] { wrong.append([first] + plain.dropFirst()) }
        wrong.append([0xA0] + plain.dropFirst().dropLast() + [0])
        for packet in wrong {
            #expect(throws: RTPError.malformedPacket) { () throws in _ = try RTPHeader(packet.span.bytes) }
        }
    }
}
