import Core
import Glibc

/// One sample (frame) of a track, as the fragments tell it.
struct MP4Sample: Hashable {
    /// Decoding time in the track's ticks.
    var dts: Int64
    /// Presentation time minus decoding time.
    var composition: Int32
    var duration: UInt32
    var size: UInt32
    var isSync: Bool
}

/// Samples that lie one behind the other in the file.
struct MP4Chunk: Hashable {
    var offset: UInt64
    var count: UInt32
}

/// What the fragments hold of one track.
struct MP4TrackIndex: Hashable {
    let id: UInt32
    /// Ticks per second.
    let timeScale: UInt32
    /// The decoding time that is media time 0, in ticks (from the edit list of the first `moov`).
    let zero: Int64
    let defaults: MP4SampleDefaults
    var samples: [MP4Sample] = []
    var chunks: [MP4Chunk] = []

    /// How much is known, to go back to.
    struct Mark: Hashable {
        let samples: Int
        let chunks: Int
    }
    var mark: Mark { Mark(samples: samples.count, chunks: chunks.count) }
    mutating func rollBack(to mark: Mark) {
        samples.removeLast(samples.count - mark.samples)
        chunks.removeLast(chunks.count - mark.chunks)
    }
}

/// The contents of a recording of ours, found by reading its boxes: what was killed is mended, and what ended
/// properly is finished, by the same two calls.
///
/// `init` walks over the top level and collects every sample of every whole fragment. `finish` then appends a `moov`
/// with complete sample tables, and by one write of 16 bytes turns the reserved box into the header of an `mdat` that
/// spans all fragments. Until that write the file is a fragmented MP4 that plays, afterwards a progressive one.
struct MP4Index {
    enum State: Hashable {
        /// A progressive file that lacks nothing.
        case whole
        /// A progressive file whose end is missing; its index says what should be there.
        case cutOff
        /// One of ours that was not finished.
        case unfinished
        /// Fragmented by somebody else: there is no room for the index.
        case foreign
        /// No `moov`: nothing says what the bytes mean.
        case headless
    }

    /// Limits against hostile or broken files.
    static let boxBytesMax: Int64 = 256 << 20
    static let samplesMax = 50_000_000

    private(set) var state = State.headless
    private(set) var tracks: [MP4TrackIndex] = []
    /// The first `moov`, header included.
    private(set) var movie: [UInt8] = []
    /// Where the reserved 16 bytes begin.
    private(set) var reserved: Int64 = 0
    /// The end of the last whole fragment.
    private(set) var end: Int64 = 0
    private(set) var fileSize: Int64 = 0
    /// Every box of the top level is all there.
    private(set) var isComplete = false
    /// Samples that a last, incomplete fragment announced.
    private(set) var samplesLost = 0

    /// A box of the top level.
    private struct TopBox {
        let type: UInt32
        let offset: Int64
        /// Bytes of the header: 8 or 16.
        let header: Int64
        let size: Int64
        var end: Int64 { offset + size }
    }

    /// Reads a file. Throws `.notMedia` if it does not begin like an MP4.
    init(descriptor: Int32, path: String) throws(FileError) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw FileError(errno: errno, path: path, call: "fstat") }
        fileSize = Int64(status.st_size)
        guard let first = MP4Index.box(descriptor, at: 0, fileSize), first.type == MP4Box.code("ftyp") else {
            throw .notMedia(path: path)
        }
        var offset = first.end
        guard let second = MP4Index.box(descriptor, at: offset, .max) else { return }
        let isReserve = second.type == MP4Box.code("free") && second.size == Int64(MP4Header.reservedBytes)
        let isHidden =
            second.type == MP4Box.code("mdat") && second.header == Int64(MP4Header.reservedBytes)
            && MP4Index.box(descriptor, at: offset + second.header, fileSize)?.type == MP4Box.code("moov")
        reserved = offset
        if isHidden, let last = MP4Index.box(descriptor, at: second.end, fileSize), last.type == MP4Box.code("moov") {
            state = .whole
            return
        }
        if isReserve || isHidden { offset += Int64(MP4Header.reservedBytes) }
        do {
            try walk(descriptor, from: offset, isOurs: isReserve || isHidden)
        } catch {
            throw .truncated(path: path, what: error.reason)
        }
    }

    private mutating func walk(_ descriptor: Int32, from start: Int64, isOurs: Bool) throws(MP4Error) {
        var offset = start
        // What was known before the fragment whose data has not come yet.
        var before: [MP4TrackIndex.Mark]?
        defer {
            if let before {
                samplesLost = zip(tracks, before).reduce(0) { $0 + $1.0.samples.count - $1.1.samples }
                rollBack(to: before)
            }
        }
        while let box = MP4Index.box(descriptor, at: offset, fileSize) {
            switch box.type {
            case MP4Box.code("moov") where movie.isEmpty:
                movie = try MP4Index.read(descriptor, box)
                try readMovie(isOurs: isOurs)
                end = box.end
            case MP4Box.code("moof") where !tracks.isEmpty:
                if let before { rollBack(to: before) }
                before = tracks.map(\.mark)
                guard let bytes = try? MP4Index.read(descriptor, box),
                    (try? MP4Fragment.collect(bytes, at: box.offset, into: &tracks)) != nil
                else { return }
            case MP4Box.code("mdat"):
                guard let marks = before else { break }
                guard MP4Fragment.newChunks(tracks, since: marks, liesWithin: box.offset..<box.end) else { return }
                before = nil
                end = box.end
            default: break
            }
            offset = box.end
        }
        isComplete = offset == fileSize && before == nil
        if state == .whole, offset < fileSize { state = .cutOff }
    }

    private mutating func rollBack(to marks: [MP4TrackIndex.Mark]) {
        for index in tracks.indices { tracks[index].rollBack(to: marks[index]) }
    }

    /// The tracks that the first `moov` announces, and what kind of file this is.
    private mutating func readMovie(isOurs: Bool) throws(MP4Error) {
        let body = 8..<movie.count
        let boxes = try MP4Box.children(movie, in: body)
        guard let extends = boxes.first(where: { $0.is("mvex") }) else {
            state = .whole
            return
        }
        state = isOurs ? .unfinished : .foreign
        let defaults = try MP4SampleDefaults.read(movie, extends)
        for box in boxes where box.is("trak") {
            var header = MP4Reader(movie, try MP4Box.child("tkhd", movie, in: box.body).body)
            try header.skip(try header.versionAndFlags().version == 1 ? 16 : 8)
            let id = try header.u32()
            let media = try MP4Box.child("mdia", movie, in: box.body)
            let timeScale = try MP4MediaHeader(movie, try MP4Box.child("mdhd", movie, in: media.body)).timeScale
            var zero: Int64 = 0
            if let edits = try MP4Box.children(movie, in: box.body).first(where: { $0.is("edts") }) {
                let list = try MP4Edit.read(movie, try MP4Box.child("elst", movie, in: edits.body))
                zero = list.first { $0.mediaTime >= 0 }?.mediaTime ?? 0
                guard zero < 1 << 60 else { throw MP4Error("a track starts beyond all time") }
            }
            guard !tracks.contains(where: { $0.id == id }) else { throw MP4Error("two tracks have one number") }
            tracks.append(
                MP4TrackIndex(id: id, timeScale: timeScale, zero: zero, defaults: defaults[id] ?? MP4SampleDefaults()))
        }
    }

    /// From media time 0 to the end of the last sample.
    var duration: MediaTime {
        tracks.reduce(.zero) { longest, track in
            let end = track.samples.map { $0.dts + Int64($0.composition) + Int64($0.duration) }.max() ?? track.zero
            return max(longest, MediaTime(end - track.zero, per: Rational(Int(track.timeScale), 1)))
        }
    }

    /// Makes an unfinished file progressive, in place. What lies behind the last whole fragment is cut off. If the
    /// disk has no room for the index, the file stays as it was (less the incomplete fragment) and `.full` is thrown.
    func finish(descriptor: Int32, path: String) throws(FileError) {
        precondition(state == .unfinished, "only a recording of ours can be finished")
        guard tracks.contains(where: { !$0.samples.isEmpty }) else {
            throw .truncated(path: path, what: "it holds not one whole fragment")
        }
        let index: [UInt8]
        do { index = try MP4Movie.build(movie, tracks: tracks) } catch {
            throw .truncated(path: path, what: error.reason)
        }
        func failed() -> FileError { FileError(errno: errno, path: path, call: "pwrite") }
        guard ftruncate(descriptor, Int(end)) == 0 else { throw failed() }
        do throws(FileError) {
            try MP4Index.write(descriptor, index, at: end, path: path)
            var patch = MP4Writer()
            patch.u32(1)
            patch.u32(MP4Box.code("mdat"))
            patch.u64(UInt64(end - reserved))
            try MP4Index.write(descriptor, patch.bytes, at: reserved, path: path)
        } catch {
            _ = ftruncate(descriptor, Int(end))
            throw error
        }
    }

    private static func write(
        _ descriptor: Int32, _ bytes: [UInt8], at offset: Int64, path: String
    ) throws(FileError) {
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes {
                pwrite(descriptor, $0.baseAddress, $0.count, Int(offset) + done)
            }
            if count > 0 {
                done += count
            } else if count == 0 || errno != EINTR {
                throw FileError(errno: count == 0 ? ENOSPC : errno, path: path, call: "pwrite")
            }
        }
    }

    /// The box at an offset; nil if its header or, below `limit`, its body is not all there.
    private static func box(_ descriptor: Int32, at offset: Int64, _ limit: Int64) -> TopBox? {
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = pread(descriptor, &bytes, 16, Int(offset))
        guard count >= 8 else { return nil }
        var reader = MP4Reader(bytes, 0..<count)
        guard let short = try? reader.u32(), let type = try? reader.u32() else { return nil }
        var size = UInt64(short)
        if short == 1 {
            guard let long = try? reader.u64() else { return nil }
            size = long
        }
        if short == 0 { size = UInt64(max(0, limit - offset)) }
        guard size >= UInt64(reader.offset), size <= UInt64(Int64.max - offset), Int64(size) <= limit - offset else {
            return nil
        }
        return TopBox(type: type, offset: offset, header: Int64(reader.offset), size: Int64(size))
    }

    /// A box as bytes, with a header of 8 bytes whatever the file has.
    private static func read(_ descriptor: Int32, _ box: TopBox) throws(MP4Error) -> [UInt8] {
        guard box.size <= boxBytesMax else { throw MP4Error("a box of \(box.size) bytes is too large") }
        var out = MP4Writer()
        out.u32(UInt32(box.size - box.header + 8))
        out.u32(box.type)
        var bytes = out.bytes + [UInt8](repeating: 0, count: Int(box.size - box.header))
        var done = 8
        while done < bytes.count {
            let count = bytes[done...].withUnsafeMutableBytes {
                pread(descriptor, $0.baseAddress, $0.count, Int(box.offset + box.header) + done - 8)
            }
            guard count > 0 || (count < 0 && errno == EINTR) else { throw MP4Error("it ends too early") }
            done += max(0, count)
        }
        return bytes
    }
}
