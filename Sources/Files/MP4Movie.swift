/// Makes the `moov` of a progressive file out of the first one and the samples that the fragments hold
/// (ISO/IEC 14496-12, 8.2–8.7). What describes codecs (`stsd`) and everything not mentioned is copied.
enum MP4Movie {
    /// `movie`: the first `moov` with a header of 8 bytes. Tracks without samples are left out.
    static func build(_ movie: [UInt8], tracks: [MP4TrackIndex]) throws(MP4Error) -> [UInt8] {
        let boxes = try MP4Box.children(movie, in: 8..<movie.count)
        let header = try MP4MediaHeader(movie, try MP4Box.child("mvhd", movie, in: 8..<movie.count))
        let plans = tracks.filter { !$0.samples.isEmpty }.map { MP4TrackPlan($0, movieScale: header.timeScale) }
        let length = plans.map(\.presented).max() ?? 0
        var out = MP4Writer()
        var traks = boxes.filter { $0.is("trak") }.makeIterator()
        try out.box(MP4Box.code("moov")) { out throws(MP4Error) in
            for box in boxes where !box.is("mvex") {
                if box.is("mvhd") {
                    writeHeader("mvhd", header, duration: length, rest: movie[header.rest], &out)
                } else if box.is("trak") {
                    guard let trak = traks.next() else { continue }
                    var reader = MP4Reader(movie, try MP4Box.child("tkhd", movie, in: trak.body).body)
                    try reader.skip(try reader.versionAndFlags().version == 1 ? 16 : 8)
                    let id = try reader.u32()
                    guard let plan = plans.first(where: { $0.track.id == id }) else { continue }
                    try out.box(box.type) { out throws(MP4Error) in try writeTrack(movie, trak, plan, &out) }
                } else {
                    out.raw(movie[box.range])
                }
            }
        }
        return out.bytes
    }

    private static func writeTrack(
        _ movie: [UInt8], _ trak: MP4Box, _ plan: MP4TrackPlan, _ out: inout MP4Writer
    ) throws(MP4Error) {
        for box in try MP4Box.children(movie, in: trak.body) where !box.is("edts") {
            if box.is("tkhd") {
                try writeTrackHeader(movie, box, duration: plan.presented, &out)
                MP4Edit.write(plan.edits, &out)
            } else if box.is("mdia") {
                try out.box(box.type) { out throws(MP4Error) in try writeMedia(movie, box, plan, &out) }
            } else {
                out.raw(movie[box.range])
            }
        }
    }

    private static func writeMedia(
        _ movie: [UInt8], _ media: MP4Box, _ plan: MP4TrackPlan, _ out: inout MP4Writer
    ) throws(MP4Error) {
        for box in try MP4Box.children(movie, in: media.body) {
            if box.is("mdhd") {
                let header = try MP4MediaHeader(movie, box)
                writeHeader("mdhd", header, duration: plan.mediaDuration, rest: movie[header.rest], &out)
            } else if box.is("minf") {
                try out.box(box.type) { out throws(MP4Error) in
                    for part in try MP4Box.children(movie, in: box.body) {
                        guard part.is("stbl") else {
                            out.raw(movie[part.range])
                            continue
                        }
                        let description = try MP4Box.child("stsd", movie, in: part.body)
                        out.box(part.type) { out in
                            out.raw(movie[description.range])
                            plan.writeTables(isOpus: isOpus(movie, description), &out)
                        }
                    }
                }
            } else {
                out.raw(movie[box.range])
            }
        }
    }

    /// `mvhd` or `mdhd` with another duration; 64-bit fields where they are needed.
    private static func writeHeader(
        _ name: StaticString, _ header: MP4MediaHeader, duration: UInt64, rest: ArraySlice<UInt8>,
        _ out: inout MP4Writer
    ) {
        let isLong = max(duration, header.created, header.modified) >= UInt64(UInt32.max)
        out.fullBox(name, version: isLong ? 1 : 0) { out in
            if isLong {
                out.u64(header.created)
                out.u64(header.modified)
                out.u32(header.timeScale)
                out.u64(duration)
            } else {
                out.u32(UInt32(header.created))
                out.u32(UInt32(header.modified))
                out.u32(header.timeScale)
                out.u32(UInt32(duration))
            }
            out.raw(rest)
        }
    }

    private static func writeTrackHeader(
        _ movie: [UInt8], _ box: MP4Box, duration: UInt64, _ out: inout MP4Writer
    ) throws(MP4Error) {
        var reader = MP4Reader(movie, box.body)
        let (version, flags) = try reader.versionAndFlags()
        let created = version == 1 ? try reader.u64() : UInt64(try reader.u32())
        let modified = version == 1 ? try reader.u64() : UInt64(try reader.u32())
        let id = try reader.u32()
        try reader.skip(version == 1 ? 12 : 8)
        let rest = movie[reader.offset..<box.body.upperBound]
        let isLong = max(duration, created, modified) >= UInt64(UInt32.max)
        out.fullBox("tkhd", version: isLong ? 1 : 0, flags: flags) { out in
            for value in [created, modified] { isLong ? out.u64(value) : out.u32(UInt32(value)) }
            out.u32(id)
            out.u32(0)
            isLong ? out.u64(duration) : out.u32(UInt32(duration))
            out.raw(rest)
        }
    }

    private static func isOpus(_ movie: [UInt8], _ description: MP4Box) -> Bool {
        let name = description.body.lowerBound + 12
        return name + 4 <= description.body.upperBound && Array(movie[name..<(name + 4)]) == Array("Opus".utf8)
    }
}

/// The times and tables of one track. Decoding times count from the first sample, as sample tables demand; the edit
/// list puts the track where the fragments had it.
struct MP4TrackPlan {
    let track: MP4TrackIndex
    /// Ticks between each sample and the next; of the last, its own duration.
    let durations: [UInt32]
    /// Sum of `durations`.
    let mediaDuration: UInt64
    /// Pause before the track in the movie's ticks, and what is shown of it.
    let edits: [MP4Edit]
    /// When the track ends, in the movie's ticks.
    let presented: UInt64

    /// `track` has samples.
    init(_ track: MP4TrackIndex, movieScale: UInt32) {
        self.track = track
        let samples = track.samples
        var durations: [UInt32] = []
        durations.reserveCapacity(samples.count)
        for index in samples.indices.dropLast() {
            durations.append(UInt32(clamping: samples[index + 1].dts - samples[index].dts))
        }
        durations.append(samples.last?.duration ?? 0)
        // A picture whose duration nobody told lasts as long as the one before.
        if durations.last == 0, durations.count > 1 { durations[durations.count - 1] = durations[durations.count - 2] }
        self.durations = durations
        mediaDuration = durations.reduce(0) { $0 + UInt64($1) }

        let base = samples.first?.dts ?? 0
        var earliest = Int64.max
        var latest = Int64.min
        for (index, sample) in samples.enumerated() {
            let time = sample.dts + Int64(sample.composition)
            earliest = min(earliest, time)
            latest = max(latest, time + Int64(durations[index]))
        }
        func movieTicks(_ ticks: Int64) -> UInt64 {
            let scaled = UInt64(max(0, ticks)).multipliedFullWidth(by: UInt64(movieScale))
            let divisor = UInt64(track.timeScale)
            // Only hostile times come near the bound; it keeps sums of two from overflowing.
            guard scaled.high < divisor else { return 1 << 62 }
            let (quotient, remainder) = divisor.dividingFullWidth(scaled)
            return min(1 << 62, remainder >= divisor - remainder ? quotient + 1 : quotient)
        }
        // What lies before 0 is priming and is not presented.
        let shown = max(earliest, track.zero)
        let pause = movieTicks(shown - track.zero)
        let length = movieTicks(latest - shown)
        edits =
            (pause > 0 ? [MP4Edit(duration: pause, mediaTime: -1)] : [])
            + [MP4Edit(duration: length, mediaTime: shown - base)]
        presented = pause + length
    }

    /// Writes `stts ctts stss stsc stsz stco|co64`, and for Opus the pre-roll group.
    func writeTables(isOpus: Bool, _ out: inout MP4Writer) {
        let samples = track.samples
        let times = runs(durations)
        out.fullBox("stts") { out in
            out.u32(UInt32(times.count))
            for run in times {
                out.u32(run.count)
                out.u32(run.value)
            }
        }
        if samples.contains(where: { $0.composition != 0 }) {
            let offsets = runs(samples.map { UInt32(bitPattern: $0.composition) })
            out.fullBox("ctts", version: samples.contains { $0.composition < 0 } ? 1 : 0) { out in
                out.u32(UInt32(offsets.count))
                for run in offsets {
                    out.u32(run.count)
                    out.u32(run.value)
                }
            }
        }
        if samples.contains(where: { !$0.isSync }) {
            let keys = samples.indices.filter { samples[$0].isSync }
            out.fullBox("stss") { out in
                out.u32(UInt32(keys.count))
                for key in keys { out.u32(UInt32(key + 1)) }
            }
        }
        if isOpus { writePreRoll(&out) }
        writeChunks(&out)
        out.fullBox("stsz") { out in
            out.u32(0)
            out.u32(UInt32(samples.count))
            for sample in samples { out.u32(sample.size) }
        }
        let isLarge = track.chunks.contains { $0.offset > UInt64(UInt32.max) }
        out.fullBox(isLarge ? "co64" : "stco") { out in
            out.u32(UInt32(track.chunks.count))
            for chunk in track.chunks { isLarge ? out.u64(chunk.offset) : out.u32(UInt32(chunk.offset)) }
        }
    }

    private func writeChunks(_ out: inout MP4Writer) {
        var entries: [(first: Int, count: UInt32)] = []
        for (index, chunk) in track.chunks.enumerated() where entries.last?.count != chunk.count {
            entries.append((index + 1, chunk.count))
        }
        out.fullBox("stsc") { out in
            out.u32(UInt32(entries.count))
            for entry in entries {
                out.u32(UInt32(entry.first))
                out.u32(entry.count)
                out.u32(1)
            }
        }
    }

    /// Opus decoders need 80 ms before a seek point (Encapsulation of Opus in ISO Base Media File Format, 4.3.6.2).
    private func writePreRoll(_ out: inout MP4Writer) {
        let block = UInt64(max(1, durations.first ?? 960))
        let distance = -Int16(clamping: (UInt64(track.timeScale) * 80 / 1000 + block - 1) / block)
        out.fullBox("sgpd", version: 1) { out in
            out.u32(MP4Box.code("roll"))
            out.u32(2)
            out.u32(1)
            out.u16(UInt16(bitPattern: distance))
        }
        out.fullBox("sbgp") { out in
            out.u32(MP4Box.code("roll"))
            out.u32(1)
            out.u32(UInt32(track.samples.count))
            out.u32(1)
        }
    }

    private func runs(_ values: [UInt32]) -> [(count: UInt32, value: UInt32)] {
        var result: [(count: UInt32, value: UInt32)] = []
        for value in values {
            if let last = result.last, last.value == value {
                result[result.count - 1].count += 1
            } else {
                result.append((1, value))
            }
        }
        return result
    }
}
