import Core
import Glibc
package import Media

/// Reference results kept beside a test, one `name value` per line. With `TESSERA_UPDATE_GOLDENS=1` in the
/// environment a check writes the value it got instead of comparing it.
package struct GoldenFile: Sendable {
    private let path: String
    /// Several tests may update one file at a time.
    // Not `Lock(())`: ThreadSanitizer takes the place of an empty state for the field behind it.
    private static let writing = Lock(false)

    /// `name` is a file in the folder `Goldens` beside `testFile`.
    package init(_ name: String, beside testFile: String = #filePath) {
        let folder = testFile.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        path = (folder + ["Goldens", Substring(name)]).joined(separator: "/")
    }

    /// What a check found.
    package enum Outcome: Hashable, Sendable {
        case equal
        case updated
        /// The golden value is another one, or there is none.
        case differs(golden: String?)
    }

    package func check(_ name: String, _ value: String) -> Outcome {
        GoldenFile.writing.withLock { _ in
            var lines = read()
            if getenv("TESSERA_UPDATE_GOLDENS").map({ String(cString: $0) }) == "1" {
                lines[name] = value
                write(lines)
                return .updated
            }
            return lines[name] == value ? .equal : .differs(golden: lines[name])
        }
    }

    private func read() -> [String: String] {
        guard let file = fopen(path, "r") else { return [:] }
        defer { fclose(file) }
        var lines: [String: String] = [:]
        var buffer = [CChar](repeating: 0, count: 512)
        while fgets(&buffer, Int32(buffer.count), file) != nil {
            let bytes = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            let parts = String(decoding: bytes, as: UTF8.self).split { $0 == " " || $0 == "\n" }
            if parts.count == 2 { lines[String(parts[0])] = String(parts[1]) }
        }
        return lines
    }

    private func write(_ lines: [String: String]) {
        guard let file = fopen(path, "w") else { preconditionFailure("cannot write \(path)") }
        defer { fclose(file) }
        for (name, value) in lines.sorted(by: { $0.key < $1.key }) { fputs("\(name) \(value)\n", file) }
    }
}

extension VideoFrame {
    /// FNV-1a of all visible samples, as 16 hexadecimal digits: equal for equal pictures wherever they lie.
    package var pixelHash: String {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func add(_ plane: UnsafeMutablePointer<UInt8>, _ stride: Int, _ width: Int, _ height: Int) {
            for row in 0..<height {
                for byte in UnsafeBufferPointer(start: plane + row * stride, count: width) {
                    hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3
                }
            }
        }
        add(planes.y, planes.strideY, planes.width, planes.height)
        add(planes.u, planes.strideUV, planes.chromaWidth, planes.chromaHeight)
        add(planes.v, planes.strideUV, planes.chromaWidth, planes.chromaHeight)
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

/// Tones: made, and measured by the Goertzel algorithm.
package enum Tone {
    /// `count` samples of a sine, from sample number `start` of it on.
    package static func samples(
        frequency: Double, amplitude: Double, count: Int, start: Int = 0, rate: Int = AudioFrame.sampleRate
    ) -> [Float] {
        (0..<count).map { index in
            // Whole turns are taken off first, so that the phase stays exact in a long signal.
            let turns = frequency * Double(start + index) / Double(rate)
            return Float(amplitude * sin(2 * .pi * (turns - turns.rounded(.down))))
        }
    }

    /// Level of the part of `samples` at `frequency`, in dB: 0 is a sine of full scale. Exact where the samples hold
    /// whole periods; a Hann window keeps strong tones at other frequencies out where they do not.
    package static func level(
        _ samples: [Float], at frequency: Double, rate: Int = AudioFrame.sampleRate, windowed: Bool = true
    ) -> Double {
        guard !samples.isEmpty else { return -.infinity }
        let step = 2 * Double.pi * frequency / Double(rate)
        let coefficient = 2 * cos(step)
        var (previous, beforePrevious) = (0.0, 0.0)
        var weights = 0.0
        for (index, sample) in samples.enumerated() {
            let turn = 2 * Double.pi * Double(index) / Double(samples.count)
            let weight = windowed ? 0.5 - 0.5 * cos(turn) : 1
            weights += weight
            let value = weight * Double(sample) + coefficient * previous - beforePrevious
            (beforePrevious, previous) = (previous, value)
        }
        let real = previous - beforePrevious * cos(step)
        let imaginary = beforePrevious * sin(step)
        return 20 * log10(2 * (real * real + imaginary * imaginary).squareRoot() / weights)
    }

    /// One channel of interleaved samples.
    package static func channel(_ index: Int, of samples: [Float], channels: Int) -> [Float] {
        stride(from: index, to: samples.count, by: channels).map { samples[$0] }
    }
}
