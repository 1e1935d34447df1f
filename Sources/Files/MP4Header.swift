import Core

/// The start of an MP4 recording: `ftyp | free(16) | moov | moof mdat moof mdat …`.
///
/// The 16 reserved bytes later become the header of one `mdat` that hides all that follows (see `MP4Index`). Decoding
/// times in fragments are unsigned, so all times are moved by `shift`, and an edit list in the first `moov` moves
/// them back: players of the unfinished file see the true times, and the index can be made from the file alone.
enum MP4Header {
    /// Room before 0 for priming and for pictures that are decoded before they are shown; a multiple of every tick.
    static let shift = MediaTime.milliseconds(1_000)
    static let reservedBytes = 16

    /// libavformat's `ftyp` and empty `moov`, with the reserved box between them and the edit lists added.
    static func prepare(_ header: [UInt8], path: String) throws(FileError) -> [UInt8] {
        do {
            var out = MP4Writer()
            for box in try MP4Box.children(header, in: 0..<header.count) {
                if box.is("moov") {
                    out.box(MP4Box.code("free")) { $0.raw([UInt8](repeating: 0, count: reservedBytes - 8)) }
                    try out.box(box.type) { out throws(MP4Error) in try rewriteMovie(header, box, &out) }
                } else {
                    out.raw(header[box.range])
                }
            }
            return out.bytes
        } catch {
            throw .failed(path: path, call: "avformat_write_header", reason: error.reason)
        }
    }

    private static func rewriteMovie(_ bytes: [UInt8], _ movie: MP4Box, _ out: inout MP4Writer) throws(MP4Error) {
        for box in try MP4Box.children(bytes, in: movie.body) {
            guard box.is("trak") else {
                out.raw(bytes[box.range])
                continue
            }
            let media = try MP4Box.child("mdia", bytes, in: box.body)
            let header = try MP4MediaHeader(bytes, try MP4Box.child("mdhd", bytes, in: media.body))
            try out.box(box.type) { out throws(MP4Error) in
                for part in try MP4Box.children(bytes, in: box.body) where !part.is("edts") {
                    out.raw(bytes[part.range])
                    guard part.is("tkhd") else { continue }
                    // A duration of 0 stands for all that the fragments hold (ISO/IEC 14496-12, 8.6.6.1).
                    MP4Edit.write([MP4Edit(duration: 0, mediaTime: Int64(header.timeScale))], &out)
                }
            }
        }
    }
}

/// The fields of `mdhd` or `mvhd` that matter here; both begin alike (ISO/IEC 14496-12, 8.2.2 and 8.4.2).
struct MP4MediaHeader {
    let created: UInt64
    let modified: UInt64
    /// Ticks per second; at least 1.
    let timeScale: UInt32
    let duration: UInt64
    /// What follows the duration.
    let rest: Range<Int>

    init(_ bytes: [UInt8], _ box: MP4Box) throws(MP4Error) {
        var reader = MP4Reader(bytes, box.body)
        let isLong = try reader.versionAndFlags().version == 1
        created = isLong ? try reader.u64() : UInt64(try reader.u32())
        modified = isLong ? try reader.u64() : UInt64(try reader.u32())
        timeScale = try reader.u32()
        duration = isLong ? try reader.u64() : UInt64(try reader.u32())
        rest = reader.offset..<box.body.upperBound
        guard timeScale > 0 else { throw MP4Error("a track counts no time") }
    }
}

/// One entry of an edit list (ISO/IEC 14496-12, 8.6.6).
struct MP4Edit: Hashable {
    /// In the movie's ticks.
    var duration: UInt64
    /// In the track's ticks; −1: nothing is shown.
    var mediaTime: Int64

    static func write(_ edits: [MP4Edit], _ out: inout MP4Writer) {
        let isLong = edits.contains { $0.duration > UInt64(UInt32.max) || $0.mediaTime > Int64(Int32.max) }
        out.box(MP4Box.code("edts")) { out in
            out.fullBox("elst", version: isLong ? 1 : 0) { out in
                out.u32(UInt32(edits.count))
                for edit in edits {
                    if isLong {
                        out.u64(edit.duration)
                        out.u64(UInt64(bitPattern: edit.mediaTime))
                    } else {
                        out.u32(UInt32(edit.duration))
                        out.u32(UInt32(bitPattern: Int32(edit.mediaTime)))
                    }
                    out.u32(1 << 16)
                }
            }
        }
    }

    /// The entries of an `elst` box.
    static func read(_ bytes: [UInt8], _ box: MP4Box) throws(MP4Error) -> [MP4Edit] {
        var reader = MP4Reader(bytes, box.body)
        let isLong = try reader.versionAndFlags().version == 1
        let count = try reader.u32()
        guard Int(count) <= reader.remaining / (isLong ? 20 : 12) else { throw MP4Error("an edit list is too long") }
        var edits: [MP4Edit] = []
        for _ in 0..<count {
            let duration = isLong ? try reader.u64() : UInt64(try reader.u32())
            let mediaTime = isLong ? try reader.i64() : Int64(try reader.i32())
            edits.append(MP4Edit(duration: duration, mediaTime: mediaTime))
            try reader.skip(4)
        }
        return edits
    }
}
