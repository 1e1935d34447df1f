package import Core

/// What of a payload descriptor counts the frames that one viewer gets. A viewer owns one per video stream, and advances
/// it with each frame it sends, whichever encoder the frame comes from.
package struct PictureNumbers: Hashable, Sendable {
    /// 15 bits.
    package private(set) var pictureID: UInt16
    package private(set) var tl0PictureIndex: UInt8

    package init(pictureID: UInt16, tl0PictureIndex: UInt8) {
        self.pictureID = pictureID & 0x7FFF
        self.tl0PictureIndex = tl0PictureIndex
    }

    /// To be called before each frame but the first.
    package mutating func advance() {
        pictureID = (pictureID &+ 1) & 0x7FFF
        tl0PictureIndex &+= 1
    }
}

/// One packet's part of a `PacketizedFrame`.
package struct PacketSlice: Hashable, Sendable {
    /// Bytes of the whole RTP payload, the descriptor included.
    package var count: Int
    /// First packet of its frame.
    package var isStart: Bool
    /// Last packet of its frame: the marker is to be set.
    package var isLast: Bool
    /// Its pieces, by index.
    var pieces: Range<Int>
}

/// A frame cut into RTP payloads without being copied: computed once per rendition, written once per viewer.
package struct PacketizedFrame: Sendable {
    package private(set) var payload: Payload
    package let isKey: Bool
    package internal(set) var slices: [PacketSlice] = []
    /// Parameter sets that go in front of a key frame, with four-byte length prefixes.
    let parameters: [UInt8]
    var pieces: [PacketPiece] = []
    let descriptor: PayloadDescriptor

    init(payload: Payload, isKey: Bool, parameters: [UInt8] = [], descriptor: PayloadDescriptor = .none) {
        self.payload = payload
        self.isKey = isKey
        self.parameters = parameters
        self.descriptor = descriptor
    }

    /// Writes the RTP payload of one slice to the start of `buffer` and returns its length, which is `slice.count`; nil
    /// if it does not fit. This is the one copy per viewer. Allocates nothing.
    package func write(
        _ slice: PacketSlice, _ numbers: PictureNumbers, into buffer: UnsafeMutableRawBufferPointer
    ) -> Int? {
        var writer = FixedWriter(buffer)
        descriptor.write(to: &writer, numbers, slice, isKey: isKey)
        for index in slice.pieces {
            let piece = pieces[index]
            for place in 0..<Int(piece.prefixCount) { writer.u8(piece.prefix[place]) }
            if piece.isParameters {
                parameters.withUnsafeBytes { writer.append(UnsafeRawBufferPointer(rebasing: $0[piece.range])) }
            } else {
                payload.withUnsafeBytes { writer.append(UnsafeRawBufferPointer(rebasing: $0[piece.range])) }
            }
        }
        return writer.finished
    }

    /// Adds a packet of the pieces that were appended since the last one.
    mutating func endSlice() {
        let start = slices.last?.pieces.upperBound ?? 0
        let count = pieces[start...].reduce(descriptor.count(isStart: slices.isEmpty, isKey: isKey)) {
            $0 + Int($1.prefixCount) + $1.range.count
        }
        slices.append(
            PacketSlice(count: count, isStart: slices.isEmpty, isLast: false, pieces: start..<pieces.count))
    }

    /// Another payload for a frame of one packet and one piece.
    mutating func refill(_ payload: Payload) {
        self.payload = payload
        pieces[0].range = 0..<payload.count
        slices[0].count = payload.count
    }

    mutating func endFrame() {
        if let last = slices.indices.last { slices[last].isLast = true }
    }
}

/// Some bytes of our own, then a range of the frame or of its parameter sets.
struct PacketPiece: Sendable {
    private(set) var prefix: InlineArray<16, UInt8> = .init(repeating: 0)
    private(set) var prefixCount: UInt8 = 0
    var isParameters = false
    var range: Range<Int>

    init(_ range: Range<Int>) { self.range = range }

    /// At most 16 in all.
    mutating func add(_ byte: UInt8) {
        prefix[Int(prefixCount)] = byte
        prefixCount += 1
    }
}
