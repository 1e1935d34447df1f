import Codecs
import Core

extension GStreamerElement {
    /// Elements that are for sound and picture alike.
    static let plainElements: [GStreamerElement] =
        [
            GStreamerElement(
                "capsfilter", .any, "Makes media fit caps: size, frame rate and grey of pictures, channels of sound.",
                [.init("caps", .caps, "")], frameRate: { $0.caps("caps")?.frameRate }
            ) { values, form in
                guard let caps = values.caps("caps") else { return .nothing }
                return caps.isVideo ? video(caps, form) : audio(caps)
            }
        ]
        + ["identity", "queue"].map { name in
            GStreamerElement(name, .any, "Hands media on as it is.") { _, _ in .nothing }
        }

    private static func video(_ caps: GStreamerCaps, _ form: MediaForm) -> FilterPlan {
        var steps: [FilterStep] = []
        if let rate = caps.frameRate { steps.append(FilterStep("fps", ["fps": "\(rate)", "round": "near"])) }
        if caps.width != nil || caps.height != nil {
            // With one side given the shape stays.
            steps.append(
                FilterStep(
                    "scale",
                    [
                        "w": caps.width.map { "\($0)" } ?? "-2", "h": caps.height.map { "\($0)" } ?? "-2",
                        "flags": "bicubic",
                    ]))
            steps.append(FilterStep("setsar", ["sar": "1"]))
        }
        if caps.isGrey { steps.append(FilterStep("hue", ["s": "0"])) }
        return steps.isEmpty ? .nothing : .steps(steps)
    }

    private static func audio(_ caps: GStreamerCaps) -> FilterPlan {
        guard let channels = caps.channels else { return .nothing }
        return .steps([FilterStep("aformat", ["channel_layouts": channels == 1 ? "mono" : "stereo"])])
    }
}
