import Codecs
import Core
import Elements
import Files
import Media
import TestKit
import Testing

/// H.265 and AV1 from files into a canvas.
@Suite struct NewerCodecsTests {
    private static let x265 = [
        "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none:pools=1:frame-threads=1",
    ]
    private static let av1 = ["-c:v", "libaom-av1", "-cpu-used", "8", "-usage", "realtime", "-row-mt", "0"]

    @Test(arguments: [
        ("h265.mp4", x265 + ["-tag:v", "hvc1"]), ("h265.mkv", x265), ("h265.ts", x265 + ["-bf", "2"]), ("av1.mkv", av1),
        ("av1.mp4", av1),
    ]) func intoAComposite(_ name: String, _ options: [String]) throws {
        let input = try Clips.output(name)
        try Shell.ffmpeg(
            ["-f", "lavfi", "-i", "color=red:size=160x120:rate=25", "-t", "2", "-pix_fmt", "yuv420p"] + options + [
                input
            ])
        let rig = TestRig(codecs: LibraryCodecs())
        try rig.on { context in
            var options = Composite.Options()
            (options.width, options.height) = (160, 120)
            let hub = Composite(context, name: "hub", options: options)
            let (source, view) = (HubPort(context, name: "in", hub: hub), HubPort(context, name: "out", hub: hub))
            let player = PlayerEndpoint(context, name: "player", uri: input)
            try player.connect(to: source, kind: .video)
            try view.connect(to: TestSink(context, name: "sink", video: .raw), kind: .video)
            player.play()
        }
        rig.run(2.4)
        try rig.on { context in
            let red = context.sink().pictures.filter { picture in
                let place = 20 * picture.planes.strideUV + 20
                return picture.planes.v[place] > 200 && picture.planes.u[place] < 110
            }
            #expect(red.count >= 20, "\(red.count) of \(context.sink().pictures.count)")
        }
        #expect(rig.troubles.isEmpty, "\(rig.troubles)")
    }
}
