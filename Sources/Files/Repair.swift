import CFFmpeg
package import Core
import Glibc

/// What `repair` found and did.
package struct RepairReport: Hashable, Sendable, CustomStringConvertible {
    package let path: String
    /// Nothing was missing, and nothing was changed.
    package let wasWhole: Bool
    /// Length of the file's media, where known.
    package let duration: MediaTime?
    /// Frames that the file holds now; nil if it was whole and not counted.
    package let frames: Int?
    /// Frames known to be lost at the end; what a cut-off fragment held besides is only in `bytesLost`.
    package let framesLost: Int
    /// Bytes at the end that belonged to an incomplete cluster or fragment.
    package let bytesLost: Int64

    package var description: String {
        guard !wasWhole else { return "“\(path)” is whole; nothing was changed." }
        let length = duration.map { " of \($0)" } ?? ""
        let kept = "“\(path)” was mended: \(frames ?? 0) frames\(length)"
        let frames = framesLost > 0 ? " (\(framesLost) frames)" : ""
        return bytesLost == 0
            ? "\(kept), nothing lost." : "\(kept); \(bytesLost) bytes at the end were incomplete\(frames)."
    }
}

/// Mends a recording whose program was killed: afterwards it has exact duration and a seek index. An MP4 of ours is
/// mended in place; WebM and Matroska are copied to a neighbouring file that replaces the old one in one step, so a
/// failure leaves the old one untouched. A whole file is not changed; what is not a recording is refused, untouched.
package func repair(path: String, interrupt: Interrupt = Interrupt()) throws(FileError) -> RepairReport {
    let location = try Location(path, schemes: ["file"])
    let path = location.name
    try Location.checkReadable(path)
    let descriptor = open(path, O_RDWR | O_CLOEXEC)
    guard descriptor >= 0 else { throw FileError(errno: errno, path: path, call: "open") }
    defer { close(descriptor) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { throw FileError(errno: errno, path: path, call: "flock") }
    var start = [UInt8](repeating: 0, count: 12)
    guard pread(descriptor, &start, start.count, 0) == start.count else { throw .notMedia(path: path) }
    if start[4..<8].elementsEqual("ftyp".utf8) {
        return try repairMP4(descriptor, location: location, interrupt: interrupt)
    }
    guard start[0..<4].elementsEqual(MatroskaSummary.magic) else {
        throw .unsupported(path: path, what: "repairing anything but WebM, Matroska and MP4")
    }
    let summary = try MatroskaSummary(descriptor: descriptor, path: path)
    guard !summary.isWhole else { return .whole(path, duration: summary.duration) }
    let copy = try RemuxCopy(location: location, muxerName: summary.isWebM ? "webm" : "matroska", interrupt: interrupt)
    let result = try copy.run(mode: descriptor)
    return RepairReport(
        path: path, wasWhole: false, duration: result.duration, frames: result.frames, framesLost: 0,
        bytesLost: summary.bytesIncomplete)
}

private func repairMP4(
    _ descriptor: Int32, location: Location, interrupt: Interrupt
) throws(FileError) -> RepairReport {
    let path = location.name
    let index = try MP4Index(descriptor: descriptor, path: path)
    switch index.state {
    case .whole: return .whole(path, duration: nil)
    case .cutOff: throw .truncated(path: path, what: "its index is whole, but media are missing; it plays up to there")
    case .headless: throw .truncated(path: path, what: "the part that says what it holds was never written")
    case .foreign:
        guard !index.isComplete else { return .whole(path, duration: nil) }
        let result = try RemuxCopy(location: location, muxerName: "mp4", interrupt: interrupt).run(mode: descriptor)
        return RepairReport(
            path: path, wasWhole: false, duration: result.duration, frames: result.frames,
            framesLost: index.samplesLost, bytesLost: index.fileSize - index.end)
    case .unfinished:
        try index.finish(descriptor: descriptor, path: path)
        return RepairReport(
            path: path, wasWhole: false, duration: index.duration,
            frames: index.tracks.reduce(0) { $0 + $1.samples.count }, framesLost: index.samplesLost,
            bytesLost: index.fileSize - index.end)
    }
}

extension RepairReport {
    fileprivate static func whole(_ path: String, duration: MediaTime?) -> RepairReport {
        RepairReport(path: path, wasWhole: true, duration: duration, frames: nil, framesLost: 0, bytesLost: 0)
    }
}
