import Codecs
import Core
import Media

private let directions = GStreamerType.words(
    "none", "clockwise", "rotate-180", "counterclockwise", "horizontal-flip", "vertical-flip", "upper-left-diagonal",
    "upper-right-diagonal", "automatic")
private let orientations = GStreamerType.words(
    "identity", "90r", "180", "90l", "horiz", "vert", "ul-lr", "ur-ll", "auto")

/// Elements whose expressions use `val`, the brightness of a pixel from 0 to 255.
private func brightness(_ expression: String) -> FilterStep { FilterStep("lutyuv", ["y": expression]) }

extension GStreamerElement {
    static let videoElements: [GStreamerElement] = geometryElements + colourElements + effectElements + rateElements

    private static let geometryElements: [GStreamerElement] = [
        GStreamerElement(
            "videoflip", .video, "Turns and mirrors the picture.",
            [.init("method", directions, "none"), .init("video-direction", orientations, "identity")]
        ) { values, _ in
            var turn = values.text("method")
            if values.isGiven("video-direction"), case .word(let words) = orientations,
                case .word(let names) = directions
            {
                let number = words.first { $0.word == values.text("video-direction") }?.number ?? 0
                turn = names[number].word
            }
            switch turn {
            case "clockwise": return .steps([FilterStep("transpose", ["dir": "clock"])])
            case "rotate-180": return .steps([FilterStep("hflip"), FilterStep("vflip")])
            case "counterclockwise": return .steps([FilterStep("transpose", ["dir": "cclock"])])
            case "horizontal-flip": return .steps([FilterStep("hflip")])
            case "vertical-flip": return .steps([FilterStep("vflip")])
            case "upper-left-diagonal": return .steps([FilterStep("transpose", ["dir": "cclock_flip"])])
            case "upper-right-diagonal": return .steps([FilterStep("transpose", ["dir": "clock_flip"])])
            // Decoders turn pictures upright already.
            default: return .nothing
            }
        },
        GStreamerElement(
            "rotate", .video, "Turns the picture about its middle; corners that come free are black.",
            [.init("angle", .double(-1000...1000), "0")]
        ) { values, _ in
            let angle = values.double("angle")
            return angle == 0 ? .nothing : .steps([FilterStep("rotate", ["angle": "\(angle)"])])
        },
        GStreamerElement(
            "videocrop", .video, "Cuts pixels off the edges.",
            ["top", "left", "right", "bottom"].map { .init($0, .int(0...8192), "0") }
        ) { values, form in crop(values, form) },
        GStreamerElement(
            "videobox", .video, "Cuts pixels off the edges, or, below 0, adds a border.",
            ["top", "left", "right", "bottom"].map { .init($0, .int(-8192...8192), "0") }
                + [.init("fill", .words("black", "green", "blue", "red", "yellow", "white"), "black")]
        ) { values, form in box(values, form) },
        GStreamerElement(
            "aspectratiocrop", .video, "Cuts the picture to a shape.", [.init("aspect-ratio", .fraction, "0/1")]
        ) { values, form in
            guard let ratio = values.fraction("aspect-ratio"), form.width > 0, form.height > 0 else { return .nothing }
            let width = min(form.width, Int((Double(form.height) * ratio.value).rounded()))
            let height = min(form.height, Int((Double(form.width) / ratio.value).rounded()))
            return .steps([FilterStep("crop", ["w": "\(max(2, width & ~1))", "h": "\(max(2, height & ~1))"])])
        },
        GStreamerElement(
            "videoscale", .video,
            "Scales to what those behind it want, which every sink here does by itself; so it changes nothing.",
            [
                .init("method", .words("nearest-neighbour", "bilinear", "4-tap", "lanczos"), "bilinear"),
                .init("add-borders", .boolean, "true"),
            ]
        ) { _, _ in .nothing },
    ]

    private static func crop(_ values: GStreamerValues, _ form: MediaForm) -> FilterPlan {
        let (left, top) = (values.int("left"), values.int("top"))
        let (width, height) = (form.width - left - values.int("right"), form.height - top - values.int("bottom"))
        guard width != form.width || height != form.height else { return .nothing }
        return .steps([
            FilterStep("crop", ["w": "\(width)", "h": "\(height)", "x": "\(left)", "y": "\(top)", "exact": "1"])
        ])
    }

    private static func box(_ values: GStreamerValues, _ form: MediaForm) -> FilterPlan {
        func cut(_ name: String) -> Int { max(0, values.int(name)) }
        func border(_ name: String) -> Int { max(0, -values.int(name)) }
        var steps: [FilterStep] = []
        let (width, height) = (form.width - cut("left") - cut("right"), form.height - cut("top") - cut("bottom"))
        if width != form.width || height != form.height {
            steps.append(
                FilterStep(
                    "crop",
                    ["w": "\(width)", "h": "\(height)", "x": "\(cut("left"))", "y": "\(cut("top"))", "exact": "1"]))
        }
        let (wide, high) = (width + border("left") + border("right"), height + border("top") + border("bottom"))
        if wide != width || high != height {
            steps.append(
                FilterStep(
                    "pad",
                    [
                        "w": "\(wide)", "h": "\(high)", "x": "\(border("left"))", "y": "\(border("top"))",
                        "color": values.text("fill"),
                    ]))
        }
        return steps.isEmpty ? .nothing : .steps(steps)
    }

    private static let colourElements: [GStreamerElement] = [
        GStreamerElement(
            "videobalance", .video, "Contrast, brightness, hue and saturation.",
            [
                .init("contrast", .double(0...2), "1"), .init("brightness", .double(-1...1), "0"),
                .init("hue", .double(-1...1), "0"), .init("saturation", .double(0...2), "1"),
            ]
        ) { values, _ in
            let (contrast, offset) = (values.double("contrast"), values.double("brightness") * 255)
            return .steps([
                brightness("clip(16+(val-16)*\(contrast)+(\(offset)),0,255)"),
                // The original turns the other way round.
                FilterStep("hue", ["h": "\(-180 * values.double("hue"))", "s": "\(values.double("saturation"))"]),
            ])
        },
        GStreamerElement(
            "gamma", .video, "Gamma correction of the brightness.", [.init("gamma", .double(0.01...10), "1")]
        ) { values, _ in .steps([brightness("255*pow(val/255,\(1 / values.double("gamma")))")]) },
        GStreamerElement(
            "coloreffects", .video, "Colour effects; the tones are close to the original's.",
            [.init("preset", .words("none", "heat", "sepia", "xray", "xpro", "yellowblue"), "none")]
        ) { values, _ in colourEffect(values.text("preset")) },
        GStreamerElement(
            "chromahold", .video, "Removes all colours but one.",
            [
                .init("target-r", .int(0...255), "255"), .init("target-g", .int(0...255), "0"),
                .init("target-b", .int(0...255), "0"), .init("tolerance", .int(0...180), "30"),
            ]
        ) { values, _ in
            let colour = ["target-r", "target-g", "target-b"].map { name in
                let digits = String(values.int(name), radix: 16)
                return digits.count < 2 ? "0" + digits : digits
            }
            let similarity = max(0.01, Double(values.int("tolerance")) / 180)
            return .steps([
                FilterStep("chromahold", ["color": "0x" + colour.joined(), "similarity": "\(similarity)"])
            ])
        },
        GStreamerElement(
            "solarize", .video, "Turns the brightness of a range upside down.",
            [
                .init("threshold", .int(0...256), "127"), .init("start", .int(0...256), "50"),
                .init("end", .int(0...256), "185"),
            ]
        ) { values, _ in
            let (middle, start, end) = (values.int("threshold"), values.int("start"), values.int("end"))
            let up = max(1, middle - start)
            let down = max(1, end - middle)
            return .steps([
                brightness(
                    "if(between(val,\(start),\(end)),if(lt(val,\(middle)),(val-\(start))*255/\(up),"
                        + "(\(end)-val)*255/\(down)),val)")
            ])
        },
    ]

    private static func colourEffect(_ preset: String) -> FilterPlan {
        let grey = FilterStep("hue", ["s": "0"])
        switch preset {
        case "heat": return .steps([FilterStep("pseudocolor", ["preset": "heat"])])
        case "sepia":
            return .steps([
                FilterStep(
                    "colorchannelmixer",
                    [
                        "rr": "0.393", "rg": "0.769", "rb": "0.189", "gr": "0.349", "gg": "0.686", "gb": "0.168",
                        "br": "0.272", "bg": "0.534", "bb": "0.131",
                    ])
            ])
        case "xray":
            return .steps([
                grey, FilterStep("negate"), FilterStep("curves", ["red": "0/0 1/0.85", "blue": "0/0.1 1/1"]),
            ])
        case "xpro": return .steps([FilterStep("curves", ["preset": "cross_process"])])
        case "yellowblue":
            return .steps([grey, FilterStep("curves", ["red": "0/0 1/1", "green": "0/0 1/1", "blue": "0/0.8 1/0.1"])])
        default: return .nothing
        }
    }

    private static let effectElements: [GStreamerElement] = [
        GStreamerElement(
            "gaussianblur", .video, "Blurs; below 0 it sharpens.", [.init("sigma", .double(-20...20), "1.2")]
        ) { values, _ in
            let sigma = values.double("sigma")
            if sigma > 0 { return .steps([FilterStep("gblur", ["sigma": "\(sigma)"])]) }
            if sigma == 0 { return .nothing }
            // The matrix of the sharpening has an odd side of about two sigmas each way.
            let side = min(23, max(3, Int((-sigma * 4).rounded()) | 1))
            return .steps([FilterStep("unsharp", ["lx": "\(side)", "ly": "\(side)", "la": "1"])])
        },
        GStreamerElement(
            "videomedian", .video, "Takes away specks: each pixel becomes the median of its neighbours.",
            [.init("filtersize", .word([("5", 5), ("9", 9)]), "5"), .init("lum-only", .boolean, "true")]
        ) { values, _ in
            .steps([FilterStep("median", ["radius": "1", "planes": values.flag("lum-only") ? "1" : "7"])])
        },
        GStreamerElement(
            "dilate", .video, "Lets bright parts grow, or dark ones.", [.init("erode", .boolean, "false")]
        ) { values, _ in .steps([FilterStep(values.flag("erode") ? "erosion" : "dilation")]) },
        GStreamerElement("edgetv", .video, "Shows edges, in colour on black.") { _, _ in
            .steps([FilterStep("sobel", ["scale": "2"])])
        },
        GStreamerElement(
            "agingtv", .video, "Looks like an old film: pale colours, grain, dark corners; without scratches and dust.",
            [
                .init("color-aging", .boolean, "true"), .init("dusts", .boolean, "true"),
                .init("pits", .boolean, "true"), .init("scratch-lines", .int(0...20), "7"),
            ]
        ) { values, _ in
            let grain = values.flag("dusts") || values.flag("pits") ? 18 : 8
            var steps = [FilterStep("noise", ["all_seed": "7", "all_strength": "\(grain)", "all_flags": "t"])]
            if values.flag("color-aging") { steps.insert(FilterStep("curves", ["preset": "vintage"]), at: 0) }
            return .steps(steps + [FilterStep("vignette")])
        },
        GStreamerElement(
            "deinterlace", .video, "Makes whole pictures of half ones.",
            [.init("mode", .words("auto", "interlaced", "disabled"), "auto")]
        ) { values, _ in
            switch values.text("mode") {
            case "interlaced": .steps([FilterStep("yadif", ["mode": "send_frame", "deint": "all"])])
            // Decoded pictures here no longer say whether they were interlaced.
            default: .nothing
            }
        },
    ]

    private static let rateElements: [GStreamerElement] = [
        GStreamerElement(
            "videorate", .video, "Leaves pictures out, so that there are not more than max-rate in a second.",
            [
                .init("max-rate", .int(1...Int(Int32.max)), "\(Int32.max)"), .init("drop-only", .boolean, "false"),
                .init("skip-to-first", .boolean, "false"), .init("silent", .boolean, "true"),
            ],
            frameRate: { $0.int("max-rate") > 240 ? nil : Rational($0.int("max-rate"), 1) }
        ) { values, _ in
            let rate = values.int("max-rate")
            guard rate <= 240 else { return .nothing }
            // A tenth of an interval earlier is still in time: containers round.
            return .steps([
                FilterStep(
                    "select", ["expr": "isnan(prev_selected_t)+gte(t-prev_selected_t,\(0.9 / Double(rate)))"])
            ])
        }
    ]
}
