import Core
import Elements
import Media
import TestKit

/// A filter between a source that a test drives and a sink that keeps what comes.
extension PipelineContext {
    /// Wires `source` → `filter` → `sink`, all decoded.
    @discardableResult
    func wire(_ filter: Element, kinds: [MediaKind] = [.audio, .video]) throws -> TestSource {
        let source = TestSource(self, name: "source", kinds: kinds)
        try source.connect(to: filter)
        try filter.connect(to: TestSink(self, name: "sink", audio: .raw, video: .raw, kinds: kinds))
        return source
    }
}

extension TestSource {
    /// Pushes pictures 40 ms apart that are drawn by `draw` over grey.
    func draw(
        _ count: Int, width: Int = 64, height: Int = 48, from first: Int = 0, y: UInt8 = 100, u: UInt8 = 128,
        v: UInt8 = 128, _ draw: (VideoFrame.Planes) -> Void = { _ in }
    ) {
        source(.video)?.setForm(.pictures(width: width, height: height, frameRate: Rational(25, 1)))
        for index in first..<(first + count) {
            let picture = VideoFrame(
                width: width, height: height, pts: .milliseconds(40 * index), pool: context.configuration.pool
            ) { planes in
                planes.y.update(repeating: y, count: planes.strideY * height)
                planes.u.update(repeating: u, count: planes.strideUV * planes.chromaHeight)
                planes.v.update(repeating: v, count: planes.strideUV * planes.chromaHeight)
                draw(planes)
            }
            source(.video)?.push(.picture(picture))
        }
    }

    /// Pushes blocks of 20 ms of a sine, on and on.
    func hum(_ tone: Double, blocks: Int, from first: Int = 0, channels: Int = 2, level: Double = 0.25) {
        source(.audio)?.setForm(.sound(channels: channels))
        let samples = Tones.sine(tone, level: level, seconds: Double(first + blocks + 1) * 0.02)
        for index in first..<(first + blocks) {
            let part = samples[(index * AudioFrame.blockSamples)..<((index + 1) * AudioFrame.blockSamples)]
            let block = channels == 1 ? Array(part) : part.flatMap { [$0, $0] }
            source(.audio)?.push(
                .sound(AudioFrame(pts: .milliseconds(20 * index), channels: channels, samples: block)))
        }
    }
}

extension VideoFrame.Planes {
    func fill(_ value: UInt8, x: Range<Int>, y rows: Range<Int>) {
        for row in rows { for column in x { y[row * strideY + column] = value } }
    }
}
