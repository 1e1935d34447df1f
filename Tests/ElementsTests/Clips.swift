import Core
import Codecs
import Elements
import Files
import Glibc
import Media
import TestKit

/// Small media files, made once per test run with ffmpeg.
enum Clips {
    private static let recipes: [String: [String]] = [
        "a.webm": video(160, 120, 25, tone: 440, seconds: 3) + vp8,
        "b.webm": video(128, 96, 30, tone: 1000, seconds: 2) + vp8,
        // A tone that rises all the time, so that no two of its packets are alike.
        "long.webm": [
            "-f", "lavfi", "-i", "testsrc2=size=64x48:rate=25", "-f", "lavfi", "-i",
            "aevalsrc=0.3*sin(2*PI*(300+100*t)*t):s=48000", "-t", "12", "-threads", "1", "-fflags", "+bitexact",
        ] + vp8,
        "b-frames.mp4": video(128, 96, 25, tone: 700, seconds: 2)
            + ["-c:v", "libx264", "-bf", "3", "-g", "20", "-pix_fmt", "yuv420p", "-c:a", "aac"],
        "sound.ogg": [
            "-f", "lavfi", "-i", "sine=frequency=300:sample_rate=48000", "-t", "2", "-c:a", "libopus", "-fflags",
            "+bitexact",
        ],
    ]
    private static let vp8 = [
        "-c:v", "libvpx", "-b:v", "200k", "-g", "25", "-cpu-used", "8", "-c:a", "libopus", "-b:a", "48k",
    ]

    private static func video(_ width: Int, _ height: Int, _ rate: Int, tone: Int, seconds: Int) -> [String] {
        [
            "-f", "lavfi", "-i", "testsrc2=size=\(width)x\(height):rate=\(rate)", "-f", "lavfi", "-i",
            "sine=frequency=\(tone):sample_rate=48000", "-t", "\(seconds)", "-threads", "1", "-fflags", "+bitexact",
        ]
    }

    private static let made: Result<String, any Error> = Result {
        let folder = try Shell.scratch("elements")
        for (name, options) in recipes { try Shell.ffmpeg(options + ["\(folder)/\(name)"]) }
        return folder
    }

    static func path(_ name: String) throws -> String { try made.get() + "/" + name }
    /// A path for an output of a test.
    static func output(_ name: String) throws -> String { try Shell.scratch("out") + "/" + name }

    /// All frames of a file by kind, and the formats.
    struct Content {
        var frames: [MediaKind: [EncodedFrame]] = [:]
        var formats: [MediaKind: EncodedFormat] = [:]
        var duration: MediaTime?

        func payloads(_ kind: MediaKind) -> [[UInt8]] { (frames[kind] ?? []).map(\.payload.bytes) }
        func times(_ kind: MediaKind) -> [MediaTime] { (frames[kind] ?? []).map(\.pts) }
        /// The longest step between the times of two frames.
        func longestStep(_ kind: MediaKind) -> MediaTime {
            let times = times(kind)
            return zip(times, times.dropFirst()).map { $1 - $0 }.max() ?? .zero
        }
    }

    static func read(_ path: String) throws -> Content {
        let demuxer = try Demuxer(url: path, options: Demuxer.Options(), interrupt: Interrupt())
        var content = Content()
        content.duration = demuxer.duration
        for track in demuxer.tracks { content.formats[track.kind] = track.format }
        while let packet = try demuxer.read() {
            content.frames[demuxer.tracks[packet.track].kind, default: []].append(packet.frame)
        }
        return content
    }

    /// All sound of a file, one channel, as our own decoder hears it.
    static func samples(_ content: Content) throws -> [Float] {
        guard case .audio(let format) = content.formats[.audio] else { return [] }
        let decoder = try LibraryCodecs().audioDecoder(format)
        var samples: [Float] = []
        for frame in content.frames[.audio] ?? [] {
            for block in try decoder.decode(frame) {
                samples += Tones.channel(0, of: block.samples, channels: block.channels)
            }
        }
        return samples
    }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }
}

extension RecordingProfile {
    /// WebM whose video is encoded whatever comes.
    static func encoded(_ width: Int = 160, _ height: Int = 120, bitrate: Int = 300_000) -> RecordingProfile {
        RecordingProfile(container: .webm, videoBitrate: bitrate, width: width, height: height)
    }
}
