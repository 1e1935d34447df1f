import Codecs
import Core
import Glibc
import Media

private let frequency = GStreamerType.double(0...100_000)
private let anyFactor = GStreamerType.double(-3.402823e38...3.402823e38)

/// A formula for every sample of every channel.
private func formula(_ expression: String) -> FilterStep {
    FilterStep("aeval", ["exprs": expression, "channel_layout": "same"])
}

/// Factors from the left and right input to the left and right output.
private func matrix(_ ll: Double, _ rl: Double, _ lr: Double, _ rr: Double) -> FilterPlan {
    .steps([
        FilterStep("aformat", ["channel_layouts": "stereo"]),
        FilterStep("pan", ["args": "stereo|c0=\(ll)*c0+\(rl)*c1|c1=\(lr)*c0+\(rr)*c1"]),
    ])
}

extension GStreamerElement {
    static let audioElements: [GStreamerElement] = levelElements + spaceElements + frequencyElements

    private static let levelElements: [GStreamerElement] = [
        GStreamerElement(
            "volume", .audio, "Makes sound louder or softer.",
            [.init("volume", .double(0...10), "1"), .init("mute", .boolean, "false")]
        ) { values, _ in
            let volume = values.flag("mute") ? 0 : values.double("volume")
            return .steps([FilterStep("volume", ["precision": "float", "volume": "\(volume)"])])
        },
        GStreamerElement(
            "audioamplify", .audio, "Multiplies sound; what is beyond full scale is cut off, or not.",
            [
                .init("amplification", anyFactor, "1"),
                .init("clipping-method", .word([("clip", 0), ("none", 3)]), "clip"),
            ]
        ) { values, _ in
            let scaled = "val(ch)*(\(values.double("amplification")))"
            return .steps([formula(values.text("clipping-method") == "clip" ? "clip(\(scaled),-1,1)" : scaled)])
        },
        GStreamerElement(
            "audioinvert", .audio, "Turns sound upside down, by degrees.", [.init("degree", .double(0...1), "0")]
        ) { values, _ in .steps([formula("val(ch)*(\(1 - 2 * values.double("degree")))")]) },
        GStreamerElement(
            "audiodynamic", .audio, "Compresses loud samples or expands soft ones.",
            [
                .init("mode", .words("compressor", "expander"), "compressor"),
                .init("characteristics", .words("hard-knee", "soft-knee"), "hard-knee"),
                .init("threshold", .double(0...1), "0"), .init("ratio", .double(0...1e6), "1"),
            ]
        ) { values, _ in
            .steps([
                formula(
                    dynamics(
                        threshold: values.double("threshold"), ratio: values.double("ratio"),
                        compresses: values.text("mode") == "compressor",
                        isSoft: values.text("characteristics") == "soft-knee"))
            ])
        },
    ]

    /// A curve of the amount of a sample; its sign stays.
    private static func dynamics(threshold t: Double, ratio r: Double, compresses: Bool, isSoft: Bool) -> String {
        let amount = "abs(val(ch))"
        let curve: String
        if !isSoft || compresses && t >= 1 || !compresses && t <= 0 {
            curve = "max(0,\(t)+(\(amount)-\(t))*\(r))"
        } else {
            // A parabola that meets the straight part without a corner: f(t) = t, f'(t) = 1, and slope r at its end.
            let a = compresses ? (r - 1) / (2 * (1 - t)) : (1 - r) / (2 * t)
            let b = 1 - 2 * a * t
            let c = t * (1 - a * t - b)
            curve = "max(0,(\(a))*\(amount)*\(amount)+(\(b))*\(amount)+(\(c)))"
        }
        let isBent = compresses ? "gt(\(amount),\(t))" : "lt(\(amount),\(t))"
        return "if(\(isBent),sgn(val(ch))*\(curve),val(ch))"
    }

    private static let spaceElements: [GStreamerElement] = [
        GStreamerElement(
            "audioecho", .audio, "Echo, once or fading.",
            [
                .init("delay", .int(1...60_000_000_000), "1"), .init("max-delay", .int(1...60_000_000_000), "1"),
                .init("intensity", .double(0...1), "0"), .init("feedback", .double(0...1), "0"),
            ]
        ) { values, _ in
            let delay = Double(values.int("delay")) / 1e6
            let (intensity, feedback) = (values.double("intensity"), min(values.double("feedback"), 0.98))
            guard delay >= 1, intensity > 0 else { return .nothing }
            // Each echo of an echo is softer; what is 60 dB below the first is not heard, nor what comes after 90 s.
            var decays = [intensity]
            while let last = decays.last, last * feedback > intensity / 1000, decays.count < 64,
                delay * Double(decays.count + 1) < 90_000
            {
                decays.append(last * feedback)
            }
            return .steps([
                FilterStep(
                    "aecho",
                    [
                        "in_gain": "1", "out_gain": "1",
                        "delays": decays.indices.map { "\(delay * Double($0 + 1))" }.joined(separator: "|"),
                        "decays": decays.map { "\($0)" }.joined(separator: "|"),
                    ])
            ])
        },
        GStreamerElement(
            "audiopanorama", .audio, "Moves sound to the left or right; makes stereo of mono.",
            [
                .init("panorama", .double(-1...1), "0"),
                .init("method", .words("psychoacoustic", "simple"), "psychoacoustic"),
            ]
        ) { values, form in
            let place = values.double("panorama")
            let (left, right) = (min(1, 1 - place), min(1, 1 + place))
            if values.text("method") == "simple" { return matrix(left, 0, 0, right) }
            // Stereo: what one side loses the other one gains.
            if form.channels == 2 { return matrix(left, 1 - right, 1 - left, right) }
            let toRight = (place + 1) / 2
            return .steps([
                FilterStep("pan", ["args": "stereo|c0=\(1 - toRight)*c0|c1=\(toRight)*c0"])
            ])
        },
        GStreamerElement(
            "audiochannelmix", .audio, "Mixes left and right into left and right.",
            [
                .init("left-to-left", anyFactor, "1"), .init("left-to-right", anyFactor, "0"),
                .init("right-to-left", anyFactor, "0"), .init("right-to-right", anyFactor, "1"),
            ]
        ) { values, _ in
            matrix(
                values.double("left-to-left"), values.double("right-to-left"), values.double("left-to-right"),
                values.double("right-to-right"))
        },
        GStreamerElement(
            "audiokaraoke", .audio, "Takes out what is in the middle between left and right.",
            [.init("level", .double(0...1), "1"), .init("mono-level", .double(0...1), "1")]
        ) { values, form in
            let level = values.double("level")
            return form.channels == 2 ? matrix(1, -level, -level, 1) : .nothing
        },
        GStreamerElement(
            "pitch", .audio, "Makes sound higher or lower, as long as it was.",
            [.init("pitch", .double(0.1...10), "1")]
        ) { values, _ in
            let pitch = values.double("pitch")
            return pitch == 1 ? .nothing : .steps([FilterStep("rubberband", ["pitch": "\(pitch)"])])
        },
    ]

    private static let limitModes = GStreamerType.words("low-pass", "high-pass")
    private static let bandModes = GStreamerType.words("band-pass", "band-reject")
    private static let windows = GStreamerType.word([("hamming", 0), ("blackman", 1), ("hann", 4)])

    private static let frequencyElements: [GStreamerElement] = [
        GStreamerElement(
            "audiocheblimit", .audio, "Chebyshev low pass or high pass.",
            [
                .init("mode", limitModes, "low-pass"), .init("cutoff", frequency, "0"),
                .init("poles", .int(2...32), "4"), .init("ripple", .double(0...200), "0.25"),
                .init("type", .int(1...1), "1"),
            ]
        ) { values, _ in
            .steps(
                chebyshev(
                    isLowPass: values.text("mode") == "low-pass", cutoff: values.double("cutoff"),
                    poles: (values.int("poles") + 1) & ~1, ripple: values.double("ripple")))
        },
        GStreamerElement(
            "audiochebband", .audio, "Chebyshev band pass.",
            [
                .init("mode", .word([("band-pass", 0)]), "band-pass"), .init("lower-frequency", frequency, "0"),
                .init("upper-frequency", frequency, "0"), .init("poles", .int(4...32), "4"),
                .init("ripple", .double(0...200), "0.25"), .init("type", .int(1...1), "1"),
            ]
        ) { values, _ in
            let (poles, ripple) = ((values.int("poles") / 2 + 1) & ~1, values.double("ripple"))
            return .steps(
                chebyshev(isLowPass: false, cutoff: values.double("lower-frequency"), poles: poles, ripple: ripple)
                    + chebyshev(isLowPass: true, cutoff: values.double("upper-frequency"), poles: poles, ripple: ripple)
            )
        },
        GStreamerElement(
            "audiowsinclimit", .audio, "Low pass or high pass that delays all frequencies alike.",
            [
                .init("mode", limitModes, "low-pass"), .init("cutoff", frequency, "0"),
                .init("length", .int(3...256_000), "101"), .init("window", windows, "hamming"),
            ]
        ) { values, _ in
            let test = values.text("mode") == "low-pass" ? "lte" : "gte"
            return finiteImpulse("\(test)(f,\(values.double("cutoff")))", values)
        },
        GStreamerElement(
            "audiowsincband", .audio, "Band pass or band reject that delays all frequencies alike.",
            [
                .init("mode", bandModes, "band-pass"), .init("lower-frequency", frequency, "0"),
                .init("upper-frequency", frequency, "0"), .init("length", .int(3...256_000), "101"),
                .init("window", windows, "hamming"),
            ]
        ) { values, _ in
            let inside = "between(f,\(values.double("lower-frequency")),\(values.double("upper-frequency")))"
            return finiteImpulse(values.text("mode") == "band-pass" ? inside : "not(\(inside))", values)
        },
        equalizer("equalizer-3bands", bands: 3, label: ["100 Hz", "1100 Hz", "11 kHz"]),
        equalizer(
            "equalizer-10bands", bands: 10,
            label: [
                "29 Hz", "59 Hz", "119 Hz", "237 Hz", "474 Hz", "947 Hz", "1889 Hz", "3770 Hz", "7523 Hz", "15011 Hz",
            ]),
    ]

    private static func finiteImpulse(_ passes: String, _ values: GStreamerValues) -> FilterPlan {
        let delay = Double(values.int("length") | 1) / 2 / Double(AudioFrame.sampleRate)
        return .steps([
            FilterStep(
                "firequalizer",
                [
                    "gain": "if(\(passes),0,-120)", "delay": "\(max(delay, 0.0005))", "wfunc": values.text("window"),
                    "zero_phase": "1",
                ])
        ])
    }

    /// Bands from 20 Hz to 20 kHz, as wide as each other on the ear's scale; shelves at both ends.
    private static func equalizer(_ name: String, bands: Int, label: [String]) -> GStreamerElement {
        GStreamerElement(
            name, .audio, "Equalizer with bands at \(label.joined(separator: ", ")), in dB.",
            (0..<bands).map { .init("band\($0)", .double(-24...12), "0") }
        ) { values, _ in
            let step = pow(1000, 1 / Double(bands))
            return .steps(
                (0..<bands).map { band in
                    let (low, high) = (20 * pow(step, Double(band)), 20 * pow(step, Double(band + 1)))
                    let filter = band == 0 ? "lowshelf" : band == bands - 1 ? "highshelf" : "equalizer"
                    return FilterStep(
                        filter,
                        [
                            "frequency": "\((low + high) / 2)", "width_type": "h", "width": "\(high - low)",
                            "gain": "\(values.double("band\(band)"))",
                        ])
                })
        }
    }

    /// Chebyshev's filter of type 1 as a row of sections with two poles each, by the bilinear transform; its gain is
    /// 1 at the far end of what passes.
    private static func chebyshev(isLowPass: Bool, cutoff: Double, poles: Int, ripple: Double) -> [FilterStep] {
        let nyquist = Double(AudioFrame.sampleRate) / 2
        if isLowPass ? cutoff >= nyquist : cutoff <= 0 { return [FilterStep("anull")] }
        if isLowPass ? cutoff <= 0 : cutoff >= nyquist { return [FilterStep("volume", ["volume": "0"])] }
        let warped = tan(Double.pi * cutoff / Double(AudioFrame.sampleRate))
        let slope = ripple > 0 ? asinh(1 / sqrt(pow(10, ripple / 10) - 1)) / Double(poles) : nil
        return (0..<(poles / 2)).map { section in
            let angle = Double.pi * (Double(section) + 0.5) / Double(poles)
            let real = -sin(angle) * (slope.map { sinh($0) } ?? 1)
            let imaginary = cos(angle) * (slope.map { cosh($0) } ?? 1)
            let (square, twice) = (real * real + imaginary * imaginary, -2 * real)
            // s = (1 − z⁻¹) / (1 + z⁻¹) over the warped frequency; for a high pass the other way up.
            let k = isLowPass ? 1 / warped : warped
            let (a0, a2) = (k * k + twice * k + square, k * k - twice * k + square)
            let a1 = isLowPass ? 2 * square - 2 * k * k : 2 * k * k - 2 * square
            return FilterStep(
                "biquad",
                [
                    "b0": "\(square)", "b1": "\(isLowPass ? 2 * square : -2 * square)", "b2": "\(square)",
                    "a0": "\(a0)", "a1": "\(a1)", "a2": "\(a2)",
                ])
        }
    }
}
