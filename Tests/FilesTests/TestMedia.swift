import Core
import Files
import Foundation
import TestKit

/// Media made once per test run with the ffmpeg command line tool, and ways to ask ffprobe about files.
enum TestMedia {
    /// Name → ffmpeg's output options; two inputs: a test picture (160×120, 25 fps) and a tone.
    private static let recipes: [String: [String]] = [
        "vp8.webm": ["-c:v", "libvpx", "-b:v", "200k", "-g", "50", "-cpu-used", "8", "-c:a", "libopus"],
        "vp9.webm": ["-c:v", "libvpx-vp9", "-b:v", "200k", "-cpu-used", "8", "-c:a", "libvorbis"],
        "b.mp4": ["-c:v", "libx264", "-bf", "3", "-g", "50", "-pix_fmt", "yuv420p", "-c:a", "aac"],
        "b.mkv": ["-c:v", "libx264", "-bf", "3", "-g", "50", "-pix_fmt", "yuv420p", "-c:a", "aac"],
        "fragmented.mp4": [
            "-c:v", "libx264", "-bf", "2", "-g", "25", "-pix_fmt", "yuv420p", "-c:a", "aac", "-movflags",
            "frag_keyframe+empty_moov+default_base_moof",
        ],
        "b.ts": ["-c:v", "libx264", "-bf", "2", "-g", "25", "-pix_fmt", "yuv420p", "-c:a", "aac"],
        "opus.mp4": ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "libopus"],
        "vorbis.ogg": ["-vn", "-c:a", "libvorbis"],
        "opus.ogg": ["-vn", "-c:a", "libopus"],
        "pcm.wav": ["-vn", "-c:a", "pcm_s16le", "-ar", "44100"],
        "a.mp3": ["-vn", "-c:a", "libmp3lame"],
        "a.flac": ["-vn", "-c:a", "flac"],
        // A key frame only at the start.
        "single.webm": ["-c:v", "libvpx", "-b:v", "500k", "-g", "9999", "-cpu-used", "8", "-c:a", "libopus"],
        "single.mp4": [
            "-c:v", "libx264", "-bf", "2", "-g", "9999", "-sc_threshold", "0", "-b:v", "500k", "-pix_fmt", "yuv420p",
            "-c:a", "aac",
        ],
        "late.mkv": ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "libopus", "-af", "adelay=10"],
    ]
    static let names = recipes.keys.sorted()

    private static let made: Result<String, any Error> = Result {
        let folder = try Shell.scratch("media")
        for (name, options) in recipes {
            try Shell.ffmpeg(
                [
                    "-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25", "-f", "lavfi", "-i",
                    "sine=frequency=440:sample_rate=48000", "-t", "4", "-threads", "1", "-fflags", "+bitexact",
                ] + options + ["\(folder)/\(name)"])
        }
        return folder
    }

    static func path(_ name: String) throws -> String { try made.get() + "/" + name }

    /// All frames of a file, per track.
    static func frames(_ demuxer: Demuxer) throws -> [[EncodedFrame]] {
        var result = [[EncodedFrame]](repeating: [], count: demuxer.tracks.count)
        while let packet = try demuxer.read() { result[packet.track].append(packet.frame) }
        return result
    }

    /// One line per packet as ffprobe sees it.
    struct Probed { let stream: Int, pts: Double?, dts: Double?, duration: Double?, isKey: Bool, size: Int }

    static func probe(_ path: String) throws -> [Probed] {
        let text = try Shell.check(
            "ffprobe",
            [
                "-v", "error", "-show_entries", "packet=stream_index,pts_time,dts_time,duration_time,size,flags", "-of",
                "compact=p=0:nk=0", path,
            ])
        return text.split(separator: "\n").map { line in
            var fields: [Substring: String] = [:]
            for field in line.split(separator: "|") {
                let parts = field.split(separator: "=", maxSplits: 1)
                if parts.count == 2 { fields[parts[0]] = String(parts[1]) }
            }
            return Probed(
                stream: Int(fields["stream_index"] ?? "") ?? -1, pts: Double(fields["pts_time"] ?? ""),
                dts: Double(fields["dts_time"] ?? ""), duration: Double(fields["duration_time"] ?? ""),
                isKey: fields["flags"]?.hasPrefix("K") ?? false, size: Int(fields["size"] ?? "") ?? 0)
        }
    }

    /// Duration in seconds as ffprobe reads it from the container; nil if it has none.
    static func duration(_ path: String) throws -> Double? {
        Double(
            try Shell.check(
                "ffprobe", ["-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", path]
            ).trimmingCharacters(in: .whitespacesAndNewlines))
    }

    /// The time at which the last decoded frame of each kind ends, decoding everything; throws if decoding complains.
    static func decodedEnd(_ path: String, _ stream: String) throws -> (end: Double, frames: Int) {
        let text = try Shell.check(
            "ffprobe",
            [
                "-v", "error", "-select_streams", stream, "-show_entries",
                "frame=best_effort_timestamp_time,pkt_duration_time", "-of", "csv=p=0", path,
            ])
        let lines = text.split(separator: "\n")
        let ends = lines.map { line in line.split(separator: ",").prefix(2).compactMap { Double($0) }.reduce(0, +) }
        return (ends.max() ?? 0, lines.count)
    }

    static func bytes(_ path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) }
    static func write(_ bytes: [UInt8], to path: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path))
    }
    static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }
}
