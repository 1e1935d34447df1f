import Core

/// How a track's frames lie in the file, where that is not how they travel inside Tessera.
enum Wrapping: Hashable, Sendable {
    case asIs
    /// H.264 or H.265 with start codes (MPEG-TS, RTSP, raw streams).
    case annexB(VideoCodec)
    /// H.264 with NAL lengths of fewer than four bytes.
    case shortLengths(Int)
    /// AAC with a header in front of each frame (ISO/IEC 13818-7, 6.2).
    case adts

    /// The wrapping that a track's extradata tells, and the configuration in container form.
    static func of(video codec: VideoCodec, extradata: [UInt8]) -> (Wrapping, [UInt8]) {
        guard codec == .h264 || codec == .h265 else { return (.asIs, extradata) }
        // hvcC begins with the same version; both are told from start codes by it.
        guard extradata.count >= 7, extradata[0] == 1 else {
            return (.annexB(codec), extradata.withUnsafeBytes { decoderConfiguration(codec, annexB: $0) } ?? [])
        }
        guard codec == .h264 else { return (.asIs, extradata) }
        let lengthBytes = Int(extradata[4] & 3) + 1
        guard lengthBytes < 4 else { return (.asIs, extradata) }
        var configuration = extradata
        configuration[4] |= 3
        return (.shortLengths(lengthBytes), configuration)
    }

    /// The frame as it travels; nil if it is malformed. Where the frame itself tells the configuration, `format`
    /// is filled in and `changed` set.
    func unwrap(_ bytes: UnsafeRawBufferPointer, format: inout EncodedFormat?, changed: inout Bool) -> Payload? {
        switch self {
        case .asIs: return Payload(copying: bytes)
        case .annexB(let codec):
            guard AVC.isAnnexB(bytes) else { return nil }
            // Cameras change their picture while they run; new parameter sets then come in front of a key frame.
            if case .video(var video)? = format, Wrapping.holdsParameters(codec, bytes),
                let configuration = Wrapping.decoderConfiguration(codec, annexB: bytes),
                video.configuration != configuration
            {
                video.configuration = configuration
                if let size = Wrapping.size(codec, annexB: bytes) { (video.width, video.height) = size }
                format = .video(video)
                changed = true
            }
            return AVC.lengthPrefixed(annexB: bytes)
        case .shortLengths(let count): return Wrapping.widened(bytes, lengthBytes: count)
        case .adts: return Wrapping.withoutADTS(bytes, format: &format, changed: &changed)
        }
    }

    private static func decoderConfiguration(_ codec: VideoCodec, annexB bytes: UnsafeRawBufferPointer) -> [UInt8]? {
        codec == .h265 ? HEVC.configuration(annexB: bytes) : AVC.configuration(annexB: bytes)
    }

    /// Whether a sequence parameter set is among the NAL units.
    private static func holdsParameters(_ codec: VideoCodec, _ bytes: UnsafeRawBufferPointer) -> Bool {
        AVC.splitAnnexB(bytes).contains { unit in
            let first = bytes[unit.lowerBound]
            return codec == .h265 ? HEVC.unitType(first) == HEVC.sequenceParameterSet : first & 0x1F == 7
        }
    }

    /// The size that the first sequence parameter set names.
    private static func size(
        _ codec: VideoCodec, annexB bytes: UnsafeRawBufferPointer
    ) -> (width: Int, height: Int)? {
        for unit in AVC.splitAnnexB(bytes) where unit.count > 4 {
            let set = [UInt8](bytes[unit])
            if codec == .h265 {
                guard HEVC.unitType(set[0]) == HEVC.sequenceParameterSet,
                    let read = try? HEVCSequenceParameterSet(set.span.bytes)
                else { continue }
                return (read.width, read.height)
            }
            guard set[0] & 0x1F == 7, let read = try? AVCSequenceParameterSet(set.span.bytes) else { continue }
            return (read.width, read.height)
        }
        return nil
    }

    /// NAL units with `lengthBytes`-byte lengths (1 … 3) as ones with four; what is cut off at the end is left out.
    private static func widened(_ bytes: UnsafeRawBufferPointer, lengthBytes: Int) -> Payload? {
        var units: [Range<Int>] = []
        var offset = 0
        while offset + lengthBytes <= bytes.count {
            let length = bytes[offset..<(offset + lengthBytes)].reduce(0) { $0 << 8 | Int($1) }
            offset += lengthBytes
            guard length <= bytes.count - offset else { break }
            units.append(offset..<(offset + length))
            offset += length
        }
        guard !units.isEmpty else { return nil }
        return Payload(count: units.reduce(0) { $0 + 4 + $1.count }) { out in
            var position = 0
            for unit in units {
                out.storeBytes(of: UInt32(unit.count).bigEndian, toByteOffset: position, as: UInt32.self)
                out[(position + 4)..<(position + 4 + unit.count)].copyBytes(from: bytes[unit])
                position += 4 + unit.count
            }
        }
    }

    private static func withoutADTS(
        _ bytes: UnsafeRawBufferPointer, format: inout EncodedFormat?, changed: inout Bool
    ) -> Payload? {
        guard bytes.count > 7, bytes[0] == 0xFF, bytes[1] & 0xF6 == 0xF0, case .audio(var audio)? = format else {
            return nil
        }
        let header = bytes[1] & 1 == 1 ? 7 : 9
        let channels = (bytes[2] & 1) << 2 | bytes[3] >> 6
        // Several raw blocks in one frame, or channels given inside the data, need a parser; nobody writes them.
        guard bytes.count > header, bytes[6] & 3 == 0, channels > 0 else { return nil }
        let objectType = (bytes[2] >> 6) + 1
        let rateIndex = (bytes[2] >> 2) & 0xF
        let configuration: [UInt8] = [objectType << 3 | rateIndex >> 1, (rateIndex & 1) << 7 | channels << 3]
        if audio.configuration != configuration {
            audio.configuration = configuration
            format = .audio(audio)
            changed = true
        }
        return Payload(copying: UnsafeRawBufferPointer(rebasing: bytes[header...]))
    }
}
