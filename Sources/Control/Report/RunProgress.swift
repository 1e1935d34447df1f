package import Core

/// How far a run is; a value that the program makes some times a second.
package struct RunProgress: Hashable, Sendable {
    /// Media time that all outputs have reached.
    package var position: MediaTime
    /// Media time at which the run will end, where that is known.
    package var duration: MediaTime?
    /// Real time since the start.
    package var elapsed: MediaTime
    /// Pictures written so far.
    package var frames: Int
    /// Frames dropped so far, everywhere and for every reason.
    package var dropped: Int

    package init(position: MediaTime, duration: MediaTime? = nil, elapsed: MediaTime, frames: Int, dropped: Int) {
        self.position = position
        self.duration = duration
        self.elapsed = elapsed
        self.frames = frames
        self.dropped = dropped
    }

    /// Seconds of media per second of real time, since the start; 0 before there is anything to divide.
    package var speed: Double { rate(position.seconds) }
    /// Pictures per second of real time, since the start.
    package var framesPerSecond: Double { rate(Double(frames)) }

    private func rate(_ amount: Double) -> Double {
        elapsed.isFinite && position.isFinite && elapsed.seconds > 0 ? amount / elapsed.seconds : 0
    }

    /// Part of the whole, 0 to 1; nil where the length is not known.
    package var fraction: Double? {
        guard let duration, duration.isFinite, duration > .zero else { return nil }
        return position.isFinite ? min(1, max(0, position.seconds / duration.seconds)) : 1
    }

    /// One line that fills at most `width` cells: bar, time, speed, pictures per second, drops. What does not fit is
    /// left out, the least important first; the line has the same length from one call to the next.
    ///
    /// ```
    /// ████████████▌           52 %  0:01:02 / 0:02:00   8.1×   243 fps  dropped 0
    /// ```
    package func line(width: Int) -> String {
        var time = aligned(RunProgress.clock(position), to: 7)
        if let duration, duration.isFinite { time += " / " + RunProgress.clock(duration) }
        let parts = [
            fraction.map { aligned(fixed(($0 * 100).rounded(.down), 0), to: 3) + " %" } ?? "",
            time,
            aligned(fixed(speed, speed < 100 ? 1 : 0), to: 5) + "×",
            aligned(fixed(framesPerSecond, 0), to: 5) + " fps",
            "dropped \(dropped)",
        ].filter { !$0.isEmpty }
        // From the line's end the numbers go until a bar has room, but never the time.
        var shown = parts
        let kept = fraction == nil ? 1 : 2
        let bar = fraction == nil ? 0 : RunProgress.shortestBar + 2
        while shown.count > kept, cellWidth(shown.joined(separator: "  ")) + bar > width { shown.removeLast() }
        let text = shown.joined(separator: "  ")
        let room = min(40, width - cellWidth(text) - 2)
        guard let fraction, room >= RunProgress.shortestBar else { return fitted(text, to: width) }
        return RunProgress.bar(fraction, width: room) + "  " + text
    }

    /// Cells below which a bar says nothing that the figure beside it does not say better.
    private static let shortestBar = 8

    /// Eighths of a cell: a bar of 20 cells has 160 steps.
    private static func bar(_ fraction: Double, width: Int) -> String {
        let eighths = Int((fraction * Double(width) * 8).rounded(.down))
        let full = min(width, eighths / 8)
        let parts = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]
        let rest = full < width ? parts[eighths % 8] : ""
        return padded(String(repeating: "█", count: full) + rest, to: width)
    }

    /// `h:mm:ss`; what is not known is `-:--:--`.
    static func clock(_ time: MediaTime) -> String {
        guard time.isFinite else { return "-:--:--" }
        let text = time.description
        return text.lastIndex(of: ".").map { String(text[..<$0]) } ?? text
    }

    /// One line of `--json` output.
    package var json: JSON {
        [
            "type": "progress",
            "position": .seconds(position),
            "duration": duration.map { .seconds($0) } ?? nil,
            "elapsed": .seconds(elapsed),
            "speed": .double(rounded(speed, 1000)),
            "framesPerSecond": .double(rounded(framesPerSecond, 1000)),
            "frames": .int(frames),
            "dropped": .int(dropped),
        ]
    }
}

extension JSON {
    /// A time in seconds with nanoseconds; null where it is not finite.
    package static func seconds(_ time: MediaTime) -> JSON { time.isFinite ? .double(time.seconds) : .null }
}

/// The value in steps of `1/scale`, so that a line of output is not full of digits that mean nothing.
func rounded(_ value: Double, _ scale: Double) -> Double { value.isFinite ? (value * scale).rounded() / scale : 0 }
