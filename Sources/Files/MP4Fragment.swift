/// What a sample has where its fragment does not say (`trex`, overridden by `tfhd`).
struct MP4SampleDefaults: Hashable {
    var duration: UInt32 = 0
    var size: UInt32 = 0
    var flags: UInt32 = 0

    /// The defaults of all tracks in `mvex`, by track number.
    static func read(_ bytes: [UInt8], _ extends: MP4Box) throws(MP4Error) -> [UInt32: MP4SampleDefaults] {
        var result: [UInt32: MP4SampleDefaults] = [:]
        for box in try MP4Box.children(bytes, in: extends.body) where box.is("trex") {
            var reader = MP4Reader(bytes, box.body)
            try reader.skip(4)
            let track = try reader.u32()
            try reader.skip(4)
            result[track] = MP4SampleDefaults(
                duration: try reader.u32(), size: try reader.u32(), flags: try reader.u32())
        }
        return result
    }
}

/// Reads movie fragments (ISO/IEC 14496-12, 8.8).
enum MP4Fragment {
    private static let isNotSync: UInt32 = 0x1_0000

    /// Adds the samples of a `moof` (header of 8 bytes included in `bytes`; `offset`: its place in the file).
    static func collect(_ bytes: [UInt8], at offset: Int64, into tracks: inout [MP4TrackIndex]) throws(MP4Error) {
        guard bytes.count >= 8 else { throw MP4Error("a fragment ends too early") }
        var dataEnd = offset
        for box in try MP4Box.children(bytes, in: 8..<bytes.count) where box.is("traf") {
            try collectTrack(bytes, box, moof: offset, dataEnd: &dataEnd, into: &tracks)
        }
    }

    private static func collectTrack(
        _ bytes: [UInt8], _ fragment: MP4Box, moof: Int64, dataEnd: inout Int64, into tracks: inout [MP4TrackIndex]
    ) throws(MP4Error) {
        let boxes = try MP4Box.children(bytes, in: fragment.body)
        guard let head = boxes.first(where: { $0.is("tfhd") }) else { throw MP4Error("a fragment has no header") }
        var reader = MP4Reader(bytes, head.body)
        let flags = try reader.versionAndFlags().flags
        let id = try reader.u32()
        guard let track = tracks.firstIndex(where: { $0.id == id }) else {
            throw MP4Error("a fragment belongs to no track")
        }
        var base = flags & 0x2_0000 != 0 || dataEnd == moof ? moof : dataEnd
        if flags & 0x1 != 0 { base = Int64(clamping: try reader.u64()) }
        if flags & 0x2 != 0 { try reader.skip(4) }
        var defaults = tracks[track].defaults
        if flags & 0x8 != 0 { defaults.duration = try reader.u32() }
        if flags & 0x10 != 0 { defaults.size = try reader.u32() }
        if flags & 0x20 != 0 { defaults.flags = try reader.u32() }

        var time = tracks[track].samples.last.map { $0.dts + Int64($0.duration) } ?? 0
        if let box = boxes.first(where: { $0.is("tfdt") }) {
            var reader = MP4Reader(bytes, box.body)
            let isLong = try reader.versionAndFlags().version == 1
            let stated = isLong ? try reader.u64() : UInt64(try reader.u32())
            guard stated < 1 << 60 else { throw MP4Error("a fragment starts beyond all time") }
            // Decoding times rise; a fragment that says otherwise follows the one before.
            time = max(Int64(stated), (tracks[track].samples.last?.dts ?? -1) + 1)
        }
        dataEnd = base
        for run in boxes where run.is("trun") {
            try collectRun(
                bytes, run, base: base, defaults: defaults, time: &time, dataEnd: &dataEnd,
                into: &tracks[track])
        }
    }

    private static func collectRun(
        _ bytes: [UInt8], _ run: MP4Box, base: Int64, defaults: MP4SampleDefaults, time: inout Int64,
        dataEnd: inout Int64, into track: inout MP4TrackIndex
    ) throws(MP4Error) {
        var reader = MP4Reader(bytes, run.body)
        let (version, flags) = try reader.versionAndFlags()
        let count = Int(try reader.u32())
        var start = dataEnd
        if flags & 0x1 != 0 { start = base.addingReportingOverflow(Int64(try reader.i32())).partialValue }
        let firstFlags = flags & 0x4 != 0 ? try reader.u32() : nil
        let fields = [UInt32(0x100), 0x200, 0x400, 0x800].filter { flags & $0 != 0 }.count
        // Without fields of its own a sample costs no bytes, so the number needs a bound of its own.
        guard fields == 0 ? count <= 65_536 : count <= reader.remaining / (4 * fields) else {
            throw MP4Error("a fragment announces more samples than it has")
        }
        guard track.samples.count + count <= MP4Index.samplesMax else { throw MP4Error("it has too many samples") }
        guard count > 0 else { return }
        guard start >= 0, start < 1 << 62 else { throw MP4Error("a fragment's data lies outside of the file") }
        var position = start
        for index in 0..<count {
            let duration = flags & 0x100 != 0 ? try reader.u32() : defaults.duration
            let size = flags & 0x200 != 0 ? try reader.u32() : defaults.size
            var sampleFlags = flags & 0x400 != 0 ? try reader.u32() : defaults.flags
            if index == 0, let firstFlags { sampleFlags = firstFlags }
            var composition: Int32 = 0
            if flags & 0x800 != 0 {
                composition = version == 0 ? Int32(clamping: try reader.u32()) : try reader.i32()
            }
            track.samples.append(
                MP4Sample(
                    dts: time, composition: composition, duration: duration, size: size,
                    isSync: sampleFlags & isNotSync == 0))
            time += Int64(duration)
            position += Int64(size)
        }
        track.chunks.append(MP4Chunk(offset: UInt64(start), count: UInt32(count)))
        dataEnd = position
    }

    /// Whether all chunks that `tracks` has more than `before` lie in a range of the file.
    static func newChunks(
        _ tracks: [MP4TrackIndex], since before: [MP4TrackIndex.Mark], liesWithin range: Range<Int64>
    ) -> Bool {
        for (new, old) in zip(tracks, before) {
            var sample = old.samples
            for chunk in new.chunks[old.chunks...] {
                let last = sample + Int(chunk.count)
                let bytes = new.samples[sample..<last].reduce(Int64(0)) { $0 + Int64($1.size) }
                guard Int64(chunk.offset) >= range.lowerBound, Int64(chunk.offset) + bytes <= range.upperBound else {
                    return false
                }
                sample = last
            }
        }
        return true
    }
}
