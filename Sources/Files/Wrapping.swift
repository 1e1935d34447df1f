import Core

/// How a track's frames lie in the file, where that is not how they travel inside Tessera.
enum Wrapping: Hashable, Sendable {
    case asIs
    /// H.264 with start codes (MPEG-TS, raw streams).
    case annexB
    /// H.264 with NAL lengths of fewer than four bytes.
    case shortLengths(Int)
    /// AAC with a header in front of each frame (ISO/IEC 13818-7, 6.2).
    case adts

    /// The wrapping that a track's extradata tells, and the configuration in container form.
    static func of(video codec: VideoCodec, extradata: [UInt8]) -> (Wrapping, [UInt8]) {
        guard codec == .h264 else { return (.asIs, extradata) }
        guard extradata.count >= 7, extradata[0] == 1 else {
            return (.annexB, extradata.withUnsafeBytes { AVC.configuration(annexB: $0) } ?? [])
        }
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
        case .annexB:
            guard AVC.isAnnexB(bytes) else { return nil }
            if case .video(var video)? = format, video.configuration.isEmpty,
                let configuration = AVC.configuration(annexB: bytes)
            {
                video.configuration = configuration
                format = .video(video)
                changed = true
            }
            return AVC.lengthPrefixed(annexB: bytes)
        case .shortLengths(let count): return Wrapping.widened(bytes, lengthBytes: count)
        case .adts: return Wrapping.withoutADTS(bytes, format: &format, changed: &changed)
        }
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
