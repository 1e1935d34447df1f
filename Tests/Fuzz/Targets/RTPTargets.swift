import Core
import RTP

extension FuzzTarget {
    static let rtp: [FuzzTarget] =
        [
            FuzzTarget("rtp-packet") { bytes in rtpPacket(bytes) },
            FuzzTarget("rtcp") { bytes in rtcp(bytes) },
            FuzzTarget("red") { bytes in red(bytes) },
            FuzzTarget("fec", sizeMax: 8192) { bytes in fec(bytes) },
            FuzzTarget("audio-payload") { bytes in
                for codec in AudioCodec.allCases { _ = AudioPayload.ticks(bytes, codec: codec) }
                _ = try? TelephoneEvent(bytes).key
            },
        ]
        + VideoCodec.allCases.flatMap { codec in
            [
                FuzzTarget("depacketize-\(codec)", sizeMax: 8192) { bytes in depacketize(bytes, codec: codec) },
                FuzzTarget("packetize-\(codec)", sizeMax: 8192) { bytes in packetize(bytes, codec: codec) },
            ]
        }

    /// Every extension with a number: by chance of the input below 15 (one-byte form) or above.
    private static func map(from id: UInt8) -> ExtensionMap {
        var map = ExtensionMap()
        for kind in RTPExtensionKind.allCases { map[kind] = id &+ kind.rawValue }
        return map
    }

    private static func rtpPacket(_ bytes: RawSpan) {
        guard let header = try? RTPHeader(bytes) else { return }
        precondition(header.payload.upperBound <= bytes.byteCount)
        for map in [map(from: 1), map(from: 16)] {
            let values = RTPHeaderExtensions(bytes, header: header, map: map)
            for kind in RTPExtensionKind.allCases {
                guard let place = RTPHeaderExtensions.locate(kind, in: bytes, header: header, map: map) else {
                    continue
                }
                precondition(place.upperBound <= header.extensions.upperBound)
            }
            withUnsafeTemporaryAllocation(byteCount: 512, alignment: 1) { buffer in
                guard let count = header.write(extensions: values, map: map, into: buffer) else {
                    preconditionFailure("a header that was read does not fit")
                }
                let written = UnsafeRawBufferPointer(rebasing: buffer[..<count]).bytes
                guard let again = try? RTPHeader(written) else { preconditionFailure("not to be read again") }
                precondition(again.payload == count..<count && again.ssrc == header.ssrc)
                precondition(RTPHeaderExtensions(written, header: again, map: map) == values)
            }
        }
    }

    private static func rtcp(_ bytes: RawSpan) {
        var packets: [RTCPPacket] = []
        try? RTCPPacket.parse(bytes, into: &packets)
        precondition(packets.count <= RTCPPacket.countMax)
        for packet in packets {
            var writer = ByteWriter()
            packet.write(to: &writer)
            precondition(writer.count % 4 == 0)
            var again: [RTCPPacket] = []
            guard (try? RTCPPacket.parse(writer.bytes.span.bytes, into: &again)) != nil else {
                preconditionFailure("not to be read again: \(packet)")
            }
            precondition(again == [packet], "\(packet) became \(again)")
            if case .transportFeedback(let feedback) = packet { feedback.forEachPacket { _, _ in } }
            if case .nack(let nack) = packet { nack.forEachLost { _ in } }
        }
    }

    private static func red(_ bytes: RawSpan) {
        var blocks: [RedundantBlock] = []
        guard (try? RedundantPayload.forEachBlock(bytes) { blocks.append($0) }) != nil else { return }
        precondition(blocks.last?.isPrimary == true)
        for block in blocks { precondition(block.range.upperBound <= bytes.byteCount) }
        bytes.withUnsafeBytes { bytes in
            let out = blocks.map {
                RedundantPayload.Block(
                    payloadType: $0.payloadType, timestampOffset: UInt32($0.timestampOffset),
                    bytes: UnsafeRawBufferPointer(rebasing: bytes[$0.range]))
            }
            withUnsafeTemporaryAllocation(byteCount: bytes.count, alignment: 1) { buffer in
                precondition(RedundantPayload.write(out, into: buffer) != nil)
            }
        }
    }

    /// Media and repair packets of both schemes in any order.
    private static func fec(_ bytes: RawSpan) {
        var choices = FuzzChoices(bytes)
        var receiver = FECReceiver(scheme: choices.byte() & 1 == 0 ? .ulpfec : .flexfec, ssrc: 1)
        while !choices.isAtEnd {
            let isRepair = choices.byte() & 1 != 0
            let block = choices.block()
            if isRepair {
                receiver.receiveRepair(block.span.bytes)
            } else if let header = try? RTPHeader(block.span.bytes) {
                receiver.receiveMedia(block.span.bytes, header: header)
            }
            while let packet = receiver.poll() { precondition(packet.count >= RTPHeader.fixedSize) }
        }
    }

    /// Blocks of bytes as the packets of a frame; what comes out goes through packets again.
    private static func depacketize(_ bytes: RawSpan, codec: VideoCodec) {
        var choices = FuzzChoices(bytes)
        var depacketizer = VideoDepacketizer(codec: codec)
        while !choices.isAtEnd {
            var payloads: [[UInt8]] = []
            repeat { payloads.append(choices.block()) } while !choices.isAtEnd && choices.byte() & 1 == 0
            guard let frame = assemble(payloads, &depacketizer) else { continue }
            roundTrip(frame.payload, isKey: frame.isKey, codec: codec, sizeMax: 64 + Int(choices.byte()))
        }
    }

    /// The bytes as a coded frame.
    private static func packetize(_ bytes: RawSpan, codec: VideoCodec) {
        var choices = FuzzChoices(bytes)
        let sizeMax = Int(choices.word() & 0x7FF)
        let flags = choices.byte()
        roundTrip(Payload(choices.rest()), isKey: flags & 1 != 0, codec: codec, sizeMax: sizeMax)
    }

    private static func assemble(_ payloads: [[UInt8]], _ depacketizer: inout VideoDepacketizer) -> AssembledFrame? {
        let sources = payloads.map { Payload($0) }
        var packets: [FramePacket] = []
        for source in sources {
            let memory = source.withUnsafeBytes { $0 }
            guard let info = try? VideoDepacketizer.info(memory.bytes, codec: depacketizer.codec, marker: false)
            else { return nil }
            precondition(info.media.upperBound <= memory.count)
            packets.append(FramePacket(payload: memory, info: info))
        }
        // The packets' memory is the sources'.
        return withExtendedLifetime(sources) { try? depacketizer.assemble(packets) }
    }

    private static func roundTrip(_ payload: Payload, isKey: Bool, codec: VideoCodec, sizeMax: Int) {
        let frame = EncodedFrame(payload: payload, pts: .zero, isKey: isKey)
        let format = VideoFormat(codec: codec, width: 0, height: 0)
        guard let cut = try? Packetizer(codec: codec).packetize(frame, format: format, sizeMax: sizeMax) else { return }
        let numbers = PictureNumbers(pictureID: 77, tl0PictureIndex: 7)
        let payloads = cut.slices.map { slice in
            precondition(slice.count <= max(sizeMax, Packetizer.payloadSizeMin))
            return [UInt8](unsafeUninitializedCapacity: slice.count) { buffer, count in
                count = cut.write(slice, numbers, into: UnsafeMutableRawBufferPointer(buffer)) ?? 0
                precondition(count == slice.count)
            }
        }
        var depacketizer = VideoDepacketizer(codec: codec)
        guard let again = assemble(payloads, &depacketizer) else { return }
        // What a depacketizer leaves out (parameter sets, delimiters) and changes (size fields) it does only once.
        let bytes = again.payload.bytes
        precondition(bytes.count <= payload.count + 10 * payloads.count)
        if codec == .vp8 || codec == .vp9 { precondition(bytes == payload.bytes) }
    }
}
