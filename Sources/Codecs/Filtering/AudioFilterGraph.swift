import CFFmpeg
package import Core
package import Media

/// A chain of libavfilter for 48 kHz float sound. Keeps time: what comes out is as long as what went in, and due when
/// it was. Owned by one stage; not thread-safe.
package final class AudioFilterGraph {
    private let graph: FilterGraph
    /// Of what comes in.
    package let channels: Int
    private let outputChannels: Int
    /// Counts what has gone in.
    private var clock: AudioTimeline?
    /// When the next sample to come out is due.
    package private(set) var nextOutput: MediaTime?

    /// `outputChannels`: 1 or 2, into which whatever the steps make is brought.
    package init(_ steps: [FilterStep], channels: Int, outputChannels: Int) throws(CodecError) {
        self.channels = channels
        self.outputChannels = outputChannels
        let rate = AudioFrame.sampleRate
        graph = try FilterGraph(
            source: FilterStep(
                "abuffer",
                [
                    "sample_rate": "\(rate)", "sample_fmt": "flt", "time_base": "1/\(rate)",
                    "channel_layout": Self.layout(channels),
                ]), steps: steps,
            end: FilterStep(
                "aformat",
                [
                    "sample_fmts": "flt", "sample_rates": "\(rate)", "channel_layouts": Self.layout(outputChannels),
                ]), sink: "abuffersink")
    }

    private static func layout(_ channels: Int) -> String { channels == 1 ? "mono" : "stereo" }

    package func filter(_ block: AudioFrame) throws(CodecError) -> [AudioFrame] {
        var timeline = clock ?? AudioTimeline(start: block.pts, rate: AudioFrame.sampleRate)
        if !timeline.continues(at: block.pts) {
            timeline.count = (block.pts - timeline.start).samples(rate: AudioFrame.sampleRate)
        }
        guard let frame = av_frame_alloc() else { fatalError("out of memory: a frame") }
        defer {
            var frame = Optional(frame)
            av_frame_free(&frame)
        }
        frame.pointee.format = AV_SAMPLE_FMT_FLT.rawValue
        frame.pointee.sample_rate = Int32(AudioFrame.sampleRate)
        frame.pointee.nb_samples = Int32(clamping: block.sampleCount)
        frame.pointee.pts = timeline.count
        cffmpeg_set_sound_layout(frame, Int32(channels))
        let result = av_frame_get_buffer(frame, 0)
        if result < 0 { throw CodecError(libav: "av_frame_get_buffer", result) }
        // The one copy in: libavfilter's sound has to lie in memory of its own kind.
        block.samples.withUnsafeBytes { bytes in
            guard let room = frame.pointee.data.0 else { return }
            UnsafeMutableRawBufferPointer(start: room, count: bytes.count).copyMemory(from: bytes)
        }
        timeline.count += Int64(block.sampleCount)
        clock = timeline
        return try run(frame)
    }

    /// What is still held back, at the end; the graph takes no more after it.
    package func flush() throws(CodecError) -> [AudioFrame] { try run(nil) }

    /// Goes over to other options; false where a new graph is needed.
    package func change(to steps: [FilterStep]) -> Bool { graph.change(to: steps) }

    private func run(_ input: UnsafeMutablePointer<AVFrame>?) throws(CodecError) -> [AudioFrame] {
        var out: [AudioFrame] = []
        try graph.run(input) { frame throws(CodecError) in
            let time = cffmpeg_sink_time(graph.sink, frame, Int32(AudioFrame.sampleRate))
            let count = Int(frame.pointee.nb_samples) * outputChannels
            guard let clock, time != cffmpeg_no_pts, let start = frame.pointee.data.0, count > 0 else { return }
            let samples = start.withMemoryRebound(to: Float.self, capacity: count) {
                Array(UnsafeBufferPointer(start: $0, count: count))
            }
            let block = AudioFrame(
                pts: clock.start + MediaTime(samples: time, rate: AudioFrame.sampleRate), channels: outputChannels,
                samples: samples)
            nextOutput = block.end
            out.append(block)
        }
        return out
    }
}
