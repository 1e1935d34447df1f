import Core
import Elements
import Media
import TestKit
import Testing

@Suite struct GStreamerFilterTests {
    /// What a filter makes of three pictures: left half dark, right half bright, coloured.
    private static func pictures(_ command: String, width: Int = 64, height: Int = 48) throws -> [VideoFrame] {
        let rig = TestRig()
        try rig.on { context in
            let source = try context.wire(
                try GStreamerFilter(context, name: "filter", command: command), kinds: [.video])
            source.draw(3, width: width, height: height, u: 90, v: 160) {
                $0.fill(40, x: 0..<(width / 2), y: 0..<height)
                $0.fill(200, x: (width / 2)..<width, y: 0..<height)
            }
            source.source(.video)?.push(.end(.milliseconds(120)))
        }
        rig.run(0.5)
        #expect(rig.troubles == [])
        return try rig.on { $0.sink().pictures }
    }

    private static func sounds(
        _ command: String, tone: Double = 1000, channels: Int = 2, seconds: Double = 1, level: Double = 0.25
    ) throws -> [AudioFrame] {
        let rig = TestRig()
        try rig.on { context in
            let source = try context.wire(
                try GStreamerFilter(context, name: "filter", command: command), kinds: [.audio])
            source.every(.milliseconds(20), until: .seconds(seconds)) { source in
                let index = Int((context.now.seconds * 50).rounded())
                source.hum(tone, blocks: 1, from: index, channels: channels, level: level)
            }
        }
        rig.run(seconds + 0.2)
        try rig.on { $0.source().source(.audio)?.push(.end(.seconds(seconds))) }
        rig.run(0.5)
        #expect(rig.troubles == [])
        return try rig.on { $0.sink().sounds }
    }

    private static func loudness(_ blocks: [AudioFrame], _ tone: Double, channel: Int = 0) -> Double {
        let samples = blocks.flatMap {
            Tones.channel(min(channel, $0.channels - 1), of: $0.samples, channels: $0.channels)
        }
        return Tones.amplitude(of: tone, in: Array(samples.dropFirst(9600).prefix(24_000)))
    }

    @Test func geometry() throws {
        let flipped = try #require(try Self.pictures("videoflip method=4").last)
        #expect(flipped.luma(0.2, 0.5) == 200 && flipped.luma(0.8, 0.5) == 40)
        let turned = try #require(try Self.pictures("videoflip method=clockwise").last)
        #expect(turned.width == 48 && turned.height == 64)
        #expect(turned.luma(0.5, 0.2) == 40 && turned.luma(0.5, 0.8) == 200, "left went up")
        let cropped = try #require(try Self.pictures("videocrop left=32 top=8").last)
        #expect(cropped.width == 32 && cropped.height == 40 && cropped.luma(0.1, 0.5) == 200)
        let boxed = try #require(try Self.pictures("videobox left=-16 fill=white").last)
        #expect(boxed.width == 80 && boxed.luma(0.05, 0.5) > 230 && boxed.luma(0.3, 0.5) == 40)
        let shaped = try #require(try Self.pictures("aspectratiocrop aspect-ratio=1/1").last)
        #expect(shaped.width == 48 && shaped.height == 48)
        let scaled = try #require(try Self.pictures("capsfilter caps=video/x-raw,width=128,height=96").last)
        #expect(scaled.width == 128 && scaled.height == 96)
    }

    @Test func colours() throws {
        func chroma(_ picture: VideoFrame) -> [UInt8] { [picture.planes.u[5], picture.planes.v[5]] }
        let grey = try #require(try Self.pictures("videobalance saturation=0.0").last)
        #expect(chroma(grey) == [128, 128] && grey.luma(0.2, 0.5) == 40)
        let strong = try #require(try Self.pictures("videobalance contrast=0.5 brightness=0.1").last)
        #expect(abs(Int(strong.luma(0.8, 0.5)) - (16 + 92 + 25)) <= 1, "\(strong.luma(0.8, 0.5))")
        let opposite = try #require(try Self.pictures("videobalance hue=1").last)
        #expect(abs(Int(chroma(opposite)[0]) - 166) <= 1 && abs(Int(chroma(opposite)[1]) - 96) <= 1)
        // The sign of the turn: U' = U cos + V sin.
        let quarter = try #require(try Self.pictures("videobalance hue=0.5").last)
        #expect(
            abs(Int(chroma(quarter)[0]) - 160) <= 1 && abs(Int(chroma(quarter)[1]) - 166) <= 1, "\(chroma(quarter))")
        let gamma = try #require(try Self.pictures("gamma gamma=2").last)
        #expect(abs(Int(gamma.luma(0.2, 0.5)) - 101) <= 1, "255 × √(40/255)")
        let red = try #require(try Self.pictures("capsfilter caps=video/x-raw,format=GRAY8").last)
        #expect(chroma(red) == [128, 128])
    }

    @Test func frameRates() throws {
        for (command, expected) in [
            ("videorate max-rate=5", 10), ("capsfilter caps=video/x-raw,framerate=10/1", 20),
            ("capsfilter caps=video/x-raw,framerate=50/1", 100), ("videorate max-rate=100", 50),
        ] {
            let rig = TestRig()
            try rig.on { context in
                let source = try context.wire(
                    try GStreamerFilter(context, name: "filter", command: command), kinds: [.video])
                source.every(.milliseconds(40), until: .milliseconds(1990)) {
                    $0.draw(1, from: Int(($0.context.now.seconds * 25).rounded()))
                }
            }
            rig.run(2.2)
            try rig.on { $0.source().source(.video)?.push(.end(.seconds(2))) }
            rig.run(0.2)
            let count = try rig.on { $0.sink().pictures.count }
            #expect(abs(count - expected) <= 2, "\(command): \(count)")
        }
    }

    @Test func sound() throws {
        let plain = Self.loudness(try Self.sounds("identity"), 1000)
        func factor(_ command: String, tone: Double = 1000, channels: Int = 2, channel: Int = 0) throws -> Double {
            Self.loudness(try Self.sounds(command, tone: tone, channels: channels), tone, channel: channel) / plain
        }
        #expect(abs(try factor("volume volume=0.5") - 0.5) < 0.02)
        #expect(try factor("volume mute=true") < 0.001)
        #expect(abs(try factor("audioamplify amplification=2") - 2) < 0.05)
        #expect(try factor("audioinvert degree=0.5") < 0.01)
        #expect(abs(try factor("audiopanorama panorama=-1 method=simple", channel: 0) - 1) < 0.02)
        #expect(try factor("audiopanorama panorama=-1 method=simple", channel: 1) < 0.01)
        #expect(abs(try factor("audiopanorama panorama=1", channels: 1, channel: 1) - 1) < 0.02)
        for filter in ["audiocheblimit", "audiowsinclimit"] {
            #expect(try factor("\(filter) mode=low-pass cutoff=3000", tone: 500) > 0.85, "\(filter)")
            #expect(try factor("\(filter) mode=low-pass cutoff=3000", tone: 9000) < 0.06, "\(filter)")
            #expect(try factor("\(filter) mode=high-pass cutoff=3000", tone: 9000) > 0.85, "\(filter)")
            #expect(try factor("\(filter) mode=high-pass cutoff=3000", tone: 500) < 0.06, "\(filter)")
        }
        #expect(try factor("audiochebband lower-frequency=800 upper-frequency=1300 poles=8") > 0.8)
        #expect(try factor("audiochebband lower-frequency=2000 upper-frequency=3000 poles=8") < 0.05)
        #expect(abs(try factor("equalizer-3bands band1=6") - 2) < 0.15)
        #expect(try factor("equalizer-10bands band5=-12") < 0.35)
        #expect(try factor("audiodynamic threshold=0.1 ratio=0") < 0.6)
        #expect(try factor("audiokaraoke") < 0.01, "the same on both sides")
        let high = try Self.sounds("pitch pitch=2.0")
        let tone = Tones.frequency(in: high.flatMap { Tones.channel(0, of: $0.samples, channels: 2) }[12_000..<36_000])
        #expect(abs(tone - 2000) < 40, "\(tone) Hz")
        // An echo of the same tone, a whole number of periods later, adds up.
        #expect(abs(try factor("audioecho delay=100000000 intensity=0.5") - 1.5) < 0.05)
    }

    /// What comes out is as long as what went in and has no gap, for every element there is.
    @Test func everyElementKeepsTime() throws {
        for element in GStreamerElement.all where element.media == .audio {
            let samples = element.properties.filter { $0.name == "cutoff" }.isEmpty ? "" : " cutoff=1000"
            let extra = element.name == "pitch" ? " pitch=1.5" : samples
            let blocks = try Self.sounds(element.name + extra, seconds: 1)
            let count = blocks.map(\.sampleCount).reduce(0, +)
            #expect(abs(count - 48_000) <= 960, "\(element.name): \(count) samples")
            #expect(abs((blocks.first?.pts ?? .infinity).seconds) < 0.03, "\(element.name)")
            for (last, next) in zip(blocks, blocks.dropFirst()) {
                #expect(abs((next.pts - last.end).seconds) < 0.0001, "\(element.name): a gap")
            }
        }
        for element in GStreamerElement.all where element.media == .video {
            let pictures = try Self.pictures(element.name == "textoverlay" ? "textoverlay text=x" : element.name)
            #expect(pictures.map(\.pts) == [0, 40, 80].map { .milliseconds($0) }, "\(element.name)")
        }
    }

    @Test func propertiesChangeLive() throws {
        let rig = TestRig()
        try rig.on { context in
            let filter = try GStreamerFilter(context, name: "filter", command: "videobalance saturation=1.0")
            #expect(filter.command == "videobalance saturation=1.0")
            let source = try context.wire(filter, kinds: [.video])
            source.every(.milliseconds(40), until: .milliseconds(3990)) {
                $0.draw(1, from: Int(($0.context.now.seconds * 25).rounded()), u: 90, v: 160)
            }
        }
        rig.run(1)
        try rig.on { try $0.get("filter", GStreamerFilter.self).setElementProperty("saturation", "0") }
        rig.run(1)
        try rig.on { context in
            let filter: GStreamerFilter = context.get("filter")
            #expect(throws: FilterCommandError.self) { try filter.setElementProperty("saturation", "much") }
            #expect(throws: FilterCommandError.self) { try filter.setElementProperty("sturation", "1") }
            try filter.setElementProperty("brightness", "0.2")
        }
        rig.run(2.5)
        try rig.on { context in
            let pictures = context.sink().pictures
            #expect(pictures.map(\.pts) == (0..<100).map { .milliseconds(40 * $0) }, "no picture was lost")
            try #require(pictures.count == 100)
            #expect(pictures[10].planes.u[0] == 90 && pictures[40].planes.u[0] == 128)
            #expect(pictures[10].luma(0.5, 0.5) == 100 && pictures[90].luma(0.5, 0.5) == 151)
        }
        #expect(rig.troubles == [])
    }

    @Test func soundChangesLive() throws {
        let rig = TestRig()
        try rig.on { context in
            let filter = try GStreamerFilter(context, name: "filter", command: "volume volume=1")
            let source = try context.wire(filter, kinds: [.audio])
            source.every(.milliseconds(20), until: .seconds(2)) {
                $0.hum(1000, blocks: 1, from: Int(($0.context.now.seconds * 50).rounded()))
            }
        }
        rig.run(1)
        try rig.on { try $0.get("filter", GStreamerFilter.self).setElementProperty("volume", "0.25") }
        rig.run(1.5)
        try rig.on { context in
            let samples = context.sink().samples()
            try #require(samples.count == 96_000)
            let (before, after) = (
                Tones.amplitude(of: 1000, in: samples[9600..<33_600]),
                Tones.amplitude(of: 1000, in: samples[62_400..<86_400])
            )
            #expect(abs(after / before - 0.25) < 0.01)
        }
    }

    /// Nothing to do: the source is handed on, nothing is decoded. Other kinds pass in any case.
    @Test func passesSourcesThrough() throws {
        let rig = TestRig()
        try rig.on { context in
            let filter = try GStreamerFilter(context, name: "filter", command: "videoflip method=none")
            let source = TestSource(context, name: "source", kinds: MediaKind.allCases)
            try source.connect(to: filter)
            try filter.connect(to: TestSink(context, name: "sink", kinds: MediaKind.allCases))
            source.beginVideo()
            source.source(.data)?.setForm(.messages)
            source.sendPictures(3, key: true)
            source.source(.data)?.push(.message(.text("hello")))
            #expect(filter.outputs[.video]?.origin === source.source(.video))
        }
        rig.run(0.2)
        try rig.on { context in
            #expect(context.sink().encoded.count == 3)
            #expect(context.sink().arrivals.contains { if case .message = $0.item { true } else { false } })
            #expect(rig.synthetic.videoDecoders.figures.made == 0)
            try context.get("filter", GStreamerFilter.self).setElementProperty("method", "4")
            #expect(context.get("filter", Element.self).outputs[.video]?.origin !== context.source().source(.video))
        }
    }

    @Test func whatCannotBeIsToldAndPasses() throws {
        let rig = TestRig()
        try rig.on { context in
            let source = try context.wire(
                try GStreamerFilter(context, name: "filter", command: "videocrop left=64"), kinds: [.video])
            source.draw(2)
        }
        rig.run(0.3)
        #expect(rig.troubles.count == 1, "once: \(rig.troubles)")
        #expect(try rig.on { $0.sink().pictures.map(\.width) } == [64, 64])
        try rig.on { context in
            #expect(throws: FilterCommandError.self) {
                try GStreamerFilter(context, name: "other", command: "volume", filterType: .video)
            }
            #expect(context.element(named: "other") == nil)
            _ = try GStreamerFilter(context, name: "another", command: "volume", filterType: .audio)
        }
    }

    @Test func text() throws {
        func bright(_ picture: VideoFrame) -> Int {
            (0..<(picture.height * picture.width)).count { place in
                picture.planes.y[place / picture.width * picture.planes.strideY + place % picture.width] > 220
            }
        }
        let plain = try #require(try Self.pictures("textoverlay", width: 320, height: 240).last)
        #expect(bright(plain) == 0)
        for command in ["textoverlay text=안녕 valignment=center", "clockoverlay", "timeoverlay halignment=right"] {
            let picture = try #require(try Self.pictures(command, width: 640, height: 480).last)
            #expect(bright(picture) > 50, "\(command)")
        }
        let times = try Self.pictures("timeoverlay", width: 320, height: 240)
        try #require(times.count == 3)
        #expect(times[0].contentID != times[1].contentID && Pictures.psnr(times[0], times[1]) < 60)
    }
}
