package import Core

/// The sound level of a packet's block (RFC 6464).
package struct AudioLevelValue: Hashable, Sendable {
    /// Decibels below full scale, 0 (loudest) to 127 (silence).
    package var level: UInt8
    /// The sender's voice detector says that somebody speaks.
    package var isVoice: Bool
    package init(level: UInt8, isVoice: Bool) {
        self.level = level
        self.isVoice = isVoice
    }
}

/// How long the sender wants a picture to be held, in steps of 10 ms, 0–4095.
package struct PlayoutDelay: Hashable, Sendable {
    package var minimum: UInt16
    package var maximum: UInt16
    package init(minimum: UInt16, maximum: UInt16) {
        self.minimum = minimum
        self.maximum = maximum
    }
}

/// How a picture is to be turned for display (3GPP TS 26.114, section 7.4.5).
package struct VideoOrientation: Hashable, Sendable {
    /// Degrees clockwise by which the receiver turns the picture: 0, 90, 180 or 270.
    package var rotation: Int
    /// Mirrored left to right before it is turned.
    package var isFlipped: Bool
    /// From the camera on the device's back.
    package var isBackCamera: Bool
    package init(rotation: Int, isFlipped: Bool = false, isBackCamera: Bool = false) {
        self.rotation = rotation
        self.isFlipped = isFlipped
        self.isBackCamera = isBackCamera
    }
}

/// What the numbers of a picture mean, on the last packet of key frames; numbers as in ITU-T H.273. The form with
/// brightness figures for HDR is read as far as this goes.
package struct ColorSpaceValue: Hashable, Sendable {
    package var primaries: UInt8
    package var transfer: UInt8
    package var matrix: UInt8
    /// Range in bits 5–4 (1 limited, 2 full, 3 as transfer and matrix say), siting of chroma below.
    package var rangeAndSiting: UInt8
    package init(primaries: UInt8, transfer: UInt8, matrix: UInt8, rangeAndSiting: UInt8) {
        self.primaries = primaries
        self.transfer = transfer
        self.matrix = matrix
        self.rangeAndSiting = rangeAndSiting
    }

    /// Nil for what no decoder gives us, and for what says nothing.
    package var colour: VideoColour? {
        let isFullRange = rangeAndSiting >> 4 & 3 == 2
        switch matrix {
        case 1: return VideoColour(matrix: .bt709, isFullRange: isFullRange)
        case 5, 6: return VideoColour(matrix: .bt601, isFullRange: isFullRange)
        case 7: return VideoColour(matrix: .smpte240, isFullRange: isFullRange)
        case 9, 10: return VideoColour(matrix: .bt2020, isFullRange: isFullRange)
        default: return nil
        }
    }
}

/// When a frame was captured, by the capturer's clock.
package struct AbsoluteCaptureTime: Hashable, Sendable {
    package var time: NTPTime
    /// The capturer's clock minus the sender's, in 2^-32 seconds, where known.
    package var clockOffset: Int64?
    package init(time: NTPTime, clockOffset: Int64? = nil) {
        self.time = time
        self.clockOffset = clockOffset
    }
}

/// What header extensions say about the picture that a packet belongs to.
package struct PictureHints: Hashable, Sendable {
    package var orientation: VideoOrientation?
    package var colorSpace: ColorSpaceValue?
    package init(orientation: VideoOrientation? = nil, colorSpace: ColorSpaceValue? = nil) {
        self.orientation = orientation
        self.colorSpace = colorSpace
    }
}

extension RTPHeaderExtensions {
    package var pictureHints: PictureHints { PictureHints(orientation: videoOrientation, colorSpace: colorSpace) }
}

/// What a packet's header extensions say (RFC 8285): a plain value, nil where an extension is absent.
package struct RTPHeaderExtensions: Hashable, Sendable {
    package var mid: StreamLabel?
    package var rid: StreamLabel?
    package var repairedRID: StreamLabel?
    package var cname: StreamLabel?
    /// Seconds modulo 64, in 2^-18 seconds: 24 bits.
    package var absoluteSendTime: UInt32?
    /// Counts every packet of a transport, whatever its stream (draft-holmer-rmcat-transport-wide-cc-extensions-01).
    package var transportSequenceNumber: UInt16?
    /// RTP clock ticks between the timestamp and the sending: 24 bits, signed (RFC 5450).
    package var transmissionOffset: Int32?
    package var audioLevel: AudioLevelValue?
    package var playoutDelay: PlayoutDelay?
    package var videoOrientation: VideoOrientation?
    package var absoluteCaptureTime: AbsoluteCaptureTime?
    package var colorSpace: ColorSpaceValue?

    package init() {}

    /// Reads what `map` names. Unknown elements are skipped; one that does not fit ends the reading, because what
    /// follows cannot be found then: RFC 8285 lets a receiver ignore extensions, so nothing here is an error.
    package init(_ packet: RawSpan, header: RTPHeader, map: ExtensionMap) {
        var elements = ExtensionElements(packet, header: header)
        while let element = elements.next() {
            guard let kind = map.kind(of: element.id) else { continue }
            try? read(kind, packet.extracting(element.range))
        }
    }

    private mutating func read(_ kind: RTPExtensionKind, _ bytes: RawSpan) throws(TruncatedError) {
        var reader = ByteReader(bytes)
        switch kind {
        case .mid: mid = StreamLabel(bytes)
        case .rid: rid = StreamLabel(bytes)
        case .repairedRID: repairedRID = StreamLabel(bytes)
        case .cname: cname = StreamLabel(bytes)
        case .absoluteSendTime: absoluteSendTime = try reader.u24()
        case .transportSequenceNumber: transportSequenceNumber = try reader.u16()
        case .transmissionOffset: transmissionOffset = Int32(bitPattern: try reader.u24() << 8) >> 8
        case .audioLevel:
            let byte = try reader.u8()
            audioLevel = AudioLevelValue(level: byte & 0x7F, isVoice: byte & 0x80 != 0)
        case .playoutDelay:
            let bits = try reader.u24()
            playoutDelay = PlayoutDelay(minimum: UInt16(bits >> 12), maximum: UInt16(bits & 0xFFF))
        case .videoOrientation:
            let byte = try reader.u8()
            videoOrientation = VideoOrientation(
                rotation: 90 * Int(byte & 3), isFlipped: byte & 4 != 0, isBackCamera: byte & 8 != 0)
        case .absoluteCaptureTime:
            let time = NTPTime(bits: try reader.u64())
            let offset = reader.remaining >= 8 ? Int64(bitPattern: try reader.u64()) : nil
            absoluteCaptureTime = AbsoluteCaptureTime(time: time, clockOffset: offset)
        case .dependencyDescriptor: break
        case .colorSpace:
            colorSpace = ColorSpaceValue(
                primaries: try reader.u8(), transfer: try reader.u8(), matrix: try reader.u8(),
                rangeAndSiting: try reader.u8())
        }
    }

    /// Bytes of one element, 0 if it is absent or not agreed.
    private func size(_ kind: RTPExtensionKind) -> Int {
        switch kind {
        case .mid: mid?.count ?? 0
        case .rid: rid?.count ?? 0
        case .repairedRID: repairedRID?.count ?? 0
        case .cname: cname?.count ?? 0
        case .absoluteSendTime: absoluteSendTime == nil ? 0 : 3
        case .transportSequenceNumber: transportSequenceNumber == nil ? 0 : 2
        case .transmissionOffset: transmissionOffset == nil ? 0 : 3
        case .audioLevel: audioLevel == nil ? 0 : 1
        case .playoutDelay: playoutDelay == nil ? 0 : 3
        case .videoOrientation: videoOrientation == nil ? 0 : 1
        case .absoluteCaptureTime: absoluteCaptureTime.map { $0.clockOffset == nil ? 8 : 16 } ?? 0
        case .dependencyDescriptor: 0
        case .colorSpace: colorSpace == nil ? 0 : 4
        }
    }

    /// Writes the extension with its four-byte head, padded to 32 bits, if any element of ours is in the map. One-byte
    /// elements where all numbers allow it (1–14), else two-byte ones (RFC 8285, sections 4.2 and 4.3). Returns
    /// whether something was written.
    func write(to writer: inout FixedWriter, map: ExtensionMap) -> Bool {
        var needed = false
        var isLong = false
        for kind in RTPExtensionKind.allCases where size(kind) > 0 {
            guard let id = map[kind] else { continue }
            needed = true
            if id > 14 { isLong = true }
        }
        guard needed else { return false }
        writer.u16(isLong ? 0x1000 : 0xBEDE)
        let start = writer.count
        writer.u16(0)
        for kind in RTPExtensionKind.allCases {
            let size = size(kind)
            guard size > 0, let id = map[kind] else { continue }
            if isLong {
                writer.u8(id)
                writer.u8(UInt8(size))
            } else {
                writer.u8(id << 4 | UInt8(size - 1))
            }
            write(kind, to: &writer)
        }
        // The head is at a multiple of four from the packet's begin, so padding counts from there.
        while (writer.count - start - 2) % 4 != 0, !writer.isOverrun { writer.u8(0) }
        writer.patch(u16: UInt16(truncatingIfNeeded: (writer.count - start - 2) / 4), at: start)
        return true
    }

    private func write(_ kind: RTPExtensionKind, to writer: inout FixedWriter) {
        switch kind {
        case .mid: mid?.write(to: &writer)
        case .rid: rid?.write(to: &writer)
        case .repairedRID: repairedRID?.write(to: &writer)
        case .cname: cname?.write(to: &writer)
        case .absoluteSendTime: writer.u24(absoluteSendTime ?? 0)
        case .transportSequenceNumber: writer.u16(transportSequenceNumber ?? 0)
        case .transmissionOffset: writer.u24(UInt32(bitPattern: transmissionOffset ?? 0))
        case .audioLevel:
            guard let audioLevel else { return }
            writer.u8((audioLevel.isVoice ? 0x80 : 0) | min(audioLevel.level, 127))
        case .playoutDelay:
            guard let playoutDelay else { return }
            writer.u24(UInt32(min(playoutDelay.minimum, 0xFFF)) << 12 | UInt32(min(playoutDelay.maximum, 0xFFF)))
        case .videoOrientation:
            guard let videoOrientation else { return }
            let turns = UInt8(truncatingIfNeeded: videoOrientation.rotation / 90) & 3
            writer.u8(turns | (videoOrientation.isFlipped ? 4 : 0) | (videoOrientation.isBackCamera ? 8 : 0))
        case .absoluteCaptureTime:
            guard let absoluteCaptureTime else { return }
            writer.u64(absoluteCaptureTime.time.bits)
            if let offset = absoluteCaptureTime.clockOffset { writer.u64(UInt64(bitPattern: offset)) }
        case .dependencyDescriptor: break
        case .colorSpace:
            guard let colorSpace else { return }
            writer.u8(colorSpace.primaries)
            writer.u8(colorSpace.transfer)
            writer.u8(colorSpace.matrix)
            writer.u8(colorSpace.rangeAndSiting)
        }
    }

    /// Where the value of an extension lies in a packet, so that a sender can set it again (the time of sending, the
    /// transport's number) without writing the header anew; nil if it is not there.
    package static func locate(
        _ kind: RTPExtensionKind, in packet: RawSpan, header: RTPHeader, map: ExtensionMap
    ) -> Range<Int>? {
        guard let id = map[kind] else { return nil }
        var elements = ExtensionElements(packet, header: header)
        while let element = elements.next() {
            if element.id == id { return element.range }
        }
        return nil
    }
}

/// The elements of a header extension one after the other, in either form.
private struct ExtensionElements: ~Escapable {
    private var reader: ByteReader
    private let start: Int
    private let isLong: Bool

    @_lifetime(copy packet)
    init(_ packet: RawSpan, header: RTPHeader) {
        isLong = header.extensionProfile & 0xFFF0 == 0x1000
        let isKnown = isLong || header.extensionProfile == 0xBEDE
        // A header that was not parsed from these bytes has no elements here.
        let fits = isKnown && header.extensions.upperBound <= packet.byteCount
        start = fits ? header.extensions.lowerBound : 0
        reader = ByteReader(packet.extracting(fits ? header.extensions : 0..<0))
    }

    /// The next element: its number, and where its value lies in the packet; nil at the end or at one that does not fit.
    mutating func next() -> (id: UInt8, range: Range<Int>)? {
        while let first = try? reader.u8() {
            // A zero byte is padding; in the one-byte form so is every element with number 0, whatever its length.
            if first == 0 { continue }
            let id = isLong ? first : first >> 4
            // Number 15 ends the reading in the one-byte form.
            if !isLong, id == 15 { return nil }
            guard let count = isLong ? (try? reader.u8()).map(Int.init) : Int(first & 0x0F) + 1 else { return nil }
            let from = start + reader.offset
            guard (try? reader.skip(count)) != nil else { return nil }
            if id != 0 { return (id, from..<(from + count)) }
        }
        return nil
    }
}
