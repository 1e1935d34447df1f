import Core
import RTP
import Testing

struct PacketizerTests {
    @Test("What is cut into packets is put together again", arguments: VideoCodec.allCases, 0..<40 as Range<UInt64>)
    func roundTrip(codec: VideoCodec, seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var depacketizer = VideoDepacketizer(codec: codec)
        let format = TestFrames.format(codec)
        let packetizer = Packetizer(codec: codec)
        for isKey in [true, false, false, true] {
            let count = [8, 200, 1300, 9000].randomElement(using: &random) ?? 0
            let frame = TestFrames.frame(
                codec, isKey: isKey, count: Int.random(in: 1...count, using: &random), &random)
            let sizeMax = Int.random(in: 100...1200, using: &random)
            let cut = try packetizer.packetize(frame, format: format, sizeMax: sizeMax)
            let payloads = cut.payloads()
            #expect(payloads.allSatisfy { $0.count <= sizeMax })
            #expect(cut.slices.first?.isStart == true && cut.slices.last?.isLast == true)
            #expect(cut.slices.count { $0.isStart } == 1 && cut.slices.count { $0.isLast } == 1)
            // No more packets than bytes ask for, with room for heads and for units that end inside a packet.
            #expect(payloads.count <= 12 + 2 * frame.payload.count / sizeMax)
            #expect(try info(payloads[0], codec).start != .no)
            let again = try depacketizer.assemble(payloads)
            #expect(again.payload.bytes == frame.payload.bytes)
            #expect(again.isKey == isKey)
            #expect(again.size == (isKey ? .init(width: 318, height: 182) : nil))
        }
    }

    /// The configuration comes with the first key frame, and again only when it changes.
    @Test("Parameter sets go in band", arguments: [VideoCodec.h264, .h265])
    func configuration(codec: VideoCodec) throws {
        var random = SeededRandom(seed: 1)
        let format = TestFrames.format(codec)
        var depacketizer = VideoDepacketizer(codec: codec)
        let packetizer = Packetizer(codec: codec)
        func send(isKey: Bool) throws -> AssembledFrame {
            let frame = TestFrames.frame(codec, isKey: isKey, count: 3000, &random)
            return try depacketizer.assemble(packetizer.packetize(frame, format: format, sizeMax: 500).payloads())
        }
        #expect(try send(isKey: false).configuration == nil)
        #expect(try send(isKey: true).configuration == format.configuration)
        #expect(try send(isKey: true).configuration == nil)
        // Without them a key frame is of no use.
        let bare = TestFrames.frame(codec, isKey: true, count: 3000, &random)
        let payloads = try packetizer.packetize(
            bare, format: VideoFormat(codec: codec, width: 0, height: 0), sizeMax: 500
        )
        .payloads()
        var fresh = VideoDepacketizer(codec: codec)
        #expect(try !fresh.assemble(payloads).isKey)
        // Or they came outside the stream.
        let sets =
            codec == .h264
            ? [TestFrames.avcSequence, TestFrames.avcPicture]
            : [TestFrames.hevcVideo, TestFrames.hevcSequence, TestFrames.hevcPicture]
        for set in sets { fresh.learn(parameterSet: set) }
        let learnt = try fresh.assemble(payloads)
        #expect(learnt.isKey && learnt.configuration == format.configuration)
    }

    @Test("A frame that lacks a packet is not put together", arguments: VideoCodec.allCases)
    func missingPackets(codec: VideoCodec) throws {
        var random = SeededRandom(seed: 2)
        let frame = TestFrames.frame(codec, isKey: true, count: 3000, &random)
        let cut = try Packetizer(codec: codec).packetize(
            frame, format: VideoFormat(codec: codec, width: 0, height: 0), sizeMax: 400)
        let payloads = cut.payloads()
        var depacketizer = VideoDepacketizer(codec: codec)
        // The begin, which every format shows; that nothing lacks later the sequence numbers tell.
        #expect(throws: RTPError.malformedPayload) { () throws in
            _ = try depacketizer.assemble(Array(payloads.dropFirst()))
        }
        #expect(throws: RTPError.malformedPayload) { () throws in _ = try depacketizer.assemble([[UInt8]]()) }
    }

    /// A viewer's numbers go on when it changes to another encoder.
    @Test("Each viewer has its own numbers", arguments: [VideoCodec.vp8, .vp9])
    func numbers(codec: VideoCodec) throws {
        var random = SeededRandom(seed: 3)
        let frame = TestFrames.frame(codec, isKey: false, count: 2000, &random)
        let cut = try Packetizer(codec: codec).packetize(frame, format: TestFrames.format(codec), sizeMax: 600)
        var numbers = PictureNumbers(pictureID: 0x7FFE, tl0PictureIndex: 254)
        for (id, index) in [(0x7FFE, 254), (0x7FFF, 255), (0, 0)] as [(UInt16, UInt8)] {
            for payload in cut.payloads(numbers) {
                let info = try info(payload, codec)
                #expect(info.pictureID == id && info.hasLongPictureID)
                #expect(info.tl0PictureIndex == (codec == .vp8 ? index : nil))
            }
            numbers.advance()
        }
    }

    /// I, P, then F where the references are named; B and E in the only packet.
    @Test("VP9 names its references in flexible mode only", arguments: [true, false])
    func references(isFlexible: Bool) throws {
        var random = SeededRandom(seed: 5)
        let frame = TestFrames.frame(.vp9, isKey: false, count: 50, &random)
        let packetizer = Packetizer(codec: .vp9, vp9Mode: isFlexible ? .flexible : .nonFlexible)
        let cut = try packetizer.packetize(frame, format: TestFrames.format(.vp9), sizeMax: 600)
        let payload = try #require(cut.payloads(PictureNumbers(pictureID: 0x123, tl0PictureIndex: 0)).first)
        let descriptor: [UInt8] = isFlexible ? [0xDC, 0x81, 0x23, 0x02] : [0xCC, 0x81, 0x23]
        #expect(
            Array(payload.prefix(descriptor.count)) == descriptor
                && payload.count == descriptor.count + frame.payload.count)
        let info = try info(payload, .vp9)
        #expect(info.media == descriptor.count..<payload.count && info.start == .yes && !info.isKey)
    }

    @Test func singleNALMode() throws {
        let packetizer = Packetizer(codec: .h264, h264Mode: .singleNAL)
        let frame = EncodedFrame(payload: Payload([0, 0, 0, 2, 0x65, 1, 0, 0, 0, 1, 0x65]), pts: .zero, isKey: true)
        let cut = try packetizer.packetize(frame, format: TestFrames.format(.h264), sizeMax: 100)
        #expect(cut.payloads() == [TestFrames.avcSequence, TestFrames.avcPicture, [0x65, 1], [0x65]])
        let long = EncodedFrame(
            payload: Payload([0, 0, 0, 200] + [UInt8](repeating: 0x41, count: 200)), pts: .zero, isKey: false)
        #expect(throws: RTPError.malformedPayload) { () throws in
            _ = try packetizer.packetize(long, format: TestFrames.format(.h264), sizeMax: 100)
        }
    }

    @Test func buffersThatAreTooSmall() throws {
        var random = SeededRandom(seed: 4)
        for codec in VideoCodec.allCases {
            let frame = TestFrames.frame(codec, isKey: true, count: 50, &random)
            let cut = try Packetizer(codec: codec).packetize(frame, format: TestFrames.format(codec), sizeMax: 1200)
            for size in 0..<cut.slices[0].count {
                var buffer = [UInt8](repeating: 0, count: size)
                let numbers = PictureNumbers(pictureID: 0, tl0PictureIndex: 0)
                #expect(buffer.withUnsafeMutableBytes { cut.write(cut.slices[0], numbers, into: $0) } == nil)
            }
        }
    }
}
