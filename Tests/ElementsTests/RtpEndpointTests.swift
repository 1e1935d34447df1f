import Codecs
import Core
import Elements
import Foundation
import Media
import Reactor
import SDP
import TestKit
import Testing

/// `RtpEndpoint` against itself and against ffmpeg and GStreamer, over real sockets on loopback.
@Suite(.serialized) struct RtpEndpointTests {
    /// A pipeline with one endpoint, and what it has seen.
    private final class Side: Sendable {
        let pipeline: MediaPipeline
        let events = Lock<[PipelineEvent.Detail]>([])
        let seen = Lock<(red: Int, sound: [Float])>((0, []))

        init(_ host: SystemHost, _ services: RealTimeServices, _ options: RtpEndpoint.Options = .init()) async throws {
            pipeline = makePipeline(host, .realTime, codecs: LibraryCodecs())
            try await pipeline.perform { [events] context in
                context.onEvent = { event in events.withLock { $0.append(event.detail) } }
                _ = try RtpEndpoint(context, name: "peer", services: services, options: options)
            }
        }

        func peer<R: Sendable>(_ body: @Sendable (RtpEndpoint) throws -> R) async throws -> R {
            try await pipeline.perform { try body($0.get("peer", RtpEndpoint.self)) }
        }

        func saw(_ event: PipelineEvent.Detail) -> Bool { events.withLock { $0.contains(event) } }

        /// Red pictures and a tone of 500 Hz go to the peer.
        func play() async throws {
            try await pipeline.perform { context in
                let source = TestSource(context, name: "source", kinds: [.audio, .video])
                source.source(.video)?.setForm(.pictures(width: 320, height: 180, frameRate: Rational(30, 1)))
                source.source(.audio)?.setForm(.sound(channels: 1))
                source.every(.milliseconds(33), until: .seconds(60)) { source in
                    let picture = Pictures.flat(
                        width: 320, height: 180, y: 81, u: 90, v: 240, pts: source.context.now,
                        pool: source.context.configuration.pool)
                    source.source(.video)?.push(.picture(picture))
                }
                // A timer that comes late on a busy machine must not tear the tone.
                var heard = source.context.now
                source.every(.milliseconds(20), until: .seconds(60)) { source in
                    source.source(.audio)?.push(
                        .sound(
                            AudioFrame(
                                pts: heard, channels: 1,
                                samples: Tones.sine(500, seconds: 0.02))))
                    heard += .milliseconds(20)
                }
                try source.connect(to: context.get("peer", RtpEndpoint.self))
            }
        }

        /// Counts red pictures and keeps the last half second of sound; nothing else, so that the loop stays free.
        func watch() async throws {
            try await pipeline.perform { [seen] context in
                let sink = TestSink(context, name: "sink", audio: .raw, video: .raw)
                sink.onArrival = { sink, arrival in
                    switch arrival.item {
                    case .picture(let picture):
                        let place = picture.height / 4 * picture.planes.strideUV + picture.width / 4
                        let isRed = picture.planes.v[place] > 200 && picture.planes.u[place] < 110
                        if isRed { seen.withLock { $0.red += 1 } }
                    case .sound(let block):
                        let samples = Tones.channel(0, of: Array(block.samples), channels: block.channels)
                        seen.withLock { $0.sound = Array(($0.sound + samples).suffix(24_000)) }
                    default: break
                    }
                    sink.forget()
                }
                try context.get("peer", RtpEndpoint.self).connect(to: sink, kind: .video)
                try context.get("peer", RtpEndpoint.self).connect(to: sink, kind: .audio)
            }
        }

        /// Waits for half a second of the tone, and for thirty red pictures.
        func expectRedAndTone(_ frequency: Double = 500) async throws {
            try await eventually("red pictures and a tone of \(frequency) Hz") {
                let (red, heard) = seen.withLock { $0 }
                return red >= 30 && heard.count == 24_000 && abs(Tones.frequency(in: heard) - frequency) < 3
                    && Tones.amplitude(of: frequency, in: heard) > 0.05
            }
        }
    }

    private static func eventually(_ what: String, _ isTrue: @Sendable () async throws -> Bool) async throws {
        for _ in 0..<300 {
            if try await isTrue() { return }
            try await Task.sleep(nanoseconds: 200_000_000)
        }
        Issue.record("\(what) did not come to pass within a minute")
    }

    private static let host = SystemHost(workers: 2)
    private static func services() -> RealTimeServices {
        var options = RealTimeServices.Options()
        options.addresses = [.loopbackV4]
        return RealTimeServices(host: host, options: options)
    }

    private static let key = SDESKey(suite: .aes128SHA1x80, key: (0..<30).map { UInt8(7 * $0 + 1) })
    private static func inline(_ key: SDESKey) -> String { Data(key.key).base64EncodedString() }

    /// The description of a peer at these ports of loopback.
    private static func description(
        video: String, audio: String, ports: (video: Int, audio: Int), profile: String = "RTP/AVP", crypto: String = "",
        address: String = "127.0.0.1"
    ) -> String {
        """
        v=0
        o=- 1 1 IN IP4 127.0.0.1
        s=-
        c=IN IP4 \(address)
        t=0 0
        m=video \(ports.video) \(profile) 96
        a=rtpmap:96 \(video)
        \(crypto)m=audio \(ports.audio) \(profile) \(audio.hasPrefix("PCMU") ? "0" : "97")
        a=rtpmap:\(audio.hasPrefix("PCMU") ? "0" : "97") \(audio)
        \(crypto)
        """
    }

    /// The ports of an answer, video first.
    private static func ports(_ answer: String) throws -> (video: Int, audio: Int) {
        let media = try SessionDescription(answer).media
        return (Int(media[0].port), Int(media[1].port))
    }

    // MARK: Two of ours

    enum Variant: String, CaseIterable { case plain, secure, multiplexed }

    @Test("Two endpoints of ours", arguments: Variant.allCases)
    func pair(_ variant: Variant) async throws {
        let services = Self.services()
        var options = RtpEndpoint.Options()
        if variant == .secure { options.crypto = [RtpEndpoint.randomKey(.aes256SHA1x80, host: Self.host)] }
        options.keySoftLimit = 30
        let (one, two) = (try await Side(Self.host, services, options), try await Side(Self.host, services, options))
        try await one.play()
        try await two.watch()
        var offer = try await one.peer { try $0.generateOffer() }
        if variant == .multiplexed { offer = offer.replacing("a=sendrecv", with: "a=rtcp-mux\r\na=sendrecv") }
        let answer = try await two.peer { [offer] in try $0.processOffer(offer) }
        #expect(answer.contains("RTP/SAVPF") == (variant == .secure))
        #expect(answer.contains("a=rtcp-mux") == (variant == .multiplexed))
        if variant == .multiplexed { return }
        _ = try await one.peer { try $0.processAnswer(answer) }
        try await two.expectRedAndTone()
        for side in [one, two] {
            #expect(side.saw(.mediaSessionStarted))
            #expect(side.saw(.connectionStateChanged(old: .disconnected, new: .connected)))
            try await eventually("reports at both sides") {
                side.saw(.mediaStateChanged(old: .disconnected, new: .connected))
            }
        }
        if variant == .secure {
            try await eventually("the end of the key in sight") { one.saw(.onKeySoftLimit(.audio)) }
        }
        try await expectFigures(one, two)
        await one.pipeline.release()
        try await eventually("the good-bye of the other side") {
            two.saw(.mediaStateChanged(old: .connected, new: .disconnected))
        }
        await two.pipeline.release()
    }

    /// Statistics of both ends say the same, and so do the metrics.
    private func expectFigures(_ one: Side, _ two: Side) async throws {
        try await eventually("sender and receiver reports in the statistics") {
            let types = Set(try await two.peer { $0.statistics().map(\.type) })
            let sent = Set(try await one.peer { $0.statistics().map(\.type) })
            return types.contains(.remoteOutboundRTP) && sent.contains(.remoteInboundRTP)
        }
        for kind in [MediaKind.audio, .video] {
            let sent = try await one.peer { $0.statistics([kind]) }
            let received = try await two.peer { $0.statistics([kind]) }
            let out = try #require(sent.first { $0.type == .outboundRTP })
            let inbound = try #require(received.first { $0.type == .inboundRTP })
            #expect(out[.ssrc] == inbound[.ssrc] && out[.kind]?.text == kind.rawValue)
            // Read one after the other: a few packets may have come between.
            let (gone, come) = (out[.packetsSent]?.int ?? 0, inbound[.packetsReceived]?.int ?? 0)
            #expect(gone > 20 && come >= gone && come < gone + 60)
            #expect(inbound[.packetsLost]?.int == 0)
            let codec = try #require(sent.first { $0.id == out[.codecId]?.text })
            #expect(codec[.mimeType]?.text == (kind == .audio ? "audio/opus" : "video/VP8"))
            let far = try #require(sent.first { $0.id == out[.remoteId]?.text })
            #expect(far[.localId]?.text == out.id && (far[.packetsReceived]?.int ?? 0) > 0)
            // On loopback it may be too short to be told from zero.
            if let time = far[.roundTripTime]?.number { #expect(time > 0 && time < 1) }
            let transport = try #require(received.first { $0.id == inbound[.transportId]?.text })
            #expect((transport[.bytesReceived]?.int ?? 0) > (inbound[.bytesReceived]?.int ?? 0))
            #expect(Set(received.map(\.id)).count == received.count, "ids are unique")
        }
        let names = await two.pipeline.perform { context in
            context.metrics.samples().filter {
                if case .counter(let count) = $0.sample { count > 0 } else { false }
            }.map { "\($0.name) \($0.labels.map(\.value))" }
        }
        #expect(names.contains(#"tessera_rtp_packets_received_total ["RtpEndpoint", "video"]"#))
    }

    private func eventually(_ what: String, _ isTrue: @Sendable () async throws -> Bool) async throws {
        try await Self.eventually(what, isTrue)
    }

    // MARK: ffmpeg

    private static let source = [
        "-hide_banner", "-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", "color=red:s=320x180:r=30", "-re", "-f",
        "lavfi", "-i", "sine=frequency=500:sample_rate=48000",
    ]
    private static let vp8 = ["-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-g", "30", "-b:v", "300k"]
    private static let h264 = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "30"]
    private static let h265 = [
        "-c:v", "libx265", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "30", "-x265-params",
        "log-level=none:repeat-headers=1",
    ]
    private static let opus = ["-c:a", "libopus", "-b:a", "48k"]
    private static let mulaw = ["-c:a", "pcm_mulaw", "-ar", "8000", "-ac", "1"]

    enum Sender: String, CaseIterable { case vp8Opus, h264MuLaw, h265Opus, secureVP8Opus, fromUnknownAddress }

    @Test("ffmpeg sends", arguments: Sender.allCases)
    func ffmpegSends(_ sender: Sender) async throws {
        var options = RtpEndpoint.Options()
        let isSecure = sender == .secureVP8Opus
        if isSecure { options.crypto = [RtpEndpoint.randomKey(.aes128SHA1x80, host: Self.host)] }
        let side = try await Side(Self.host, Self.services(), options)
        try await side.watch()
        let isH264 = sender == .h264MuLaw
        let (codec, videoArguments) = sender == .h265Opus ? ("H265/90000", Self.h265) : ("VP8/90000", Self.vp8)
        let offer = Self.description(
            video: isH264 ? "H264/90000" : codec, audio: isH264 ? "PCMU/8000" : "opus/48000/2",
            ports: (45_002, 45_004), profile: isSecure ? "RTP/SAVP" : "RTP/AVP",
            crypto: isSecure ? "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:\(Self.inline(Self.key))\n" : "",
            address: sender == .fromUnknownAddress ? "0.0.0.0" : "127.0.0.1")
        let answer = try await side.peer { try $0.processOffer(offer) }
        let ports = try Self.ports(answer)
        #expect(ports.video % 2 == 0 && ports.audio % 2 == 0)
        let isKnown = sender != .fromUnknownAddress
        #expect(side.saw(.connectionStateChanged(old: .disconnected, new: .connected)) == isKnown)
        var arguments = Self.source
        let secure =
            isSecure ? ["-srtp_out_suite", "AES_CM_128_HMAC_SHA1_80", "-srtp_out_params", Self.inline(Self.key)] : []
        let scheme = isSecure ? "srtp" : "rtp"
        arguments += ["-map", "0:v"] + (isH264 ? Self.h264 : videoArguments) + ["-payload_type", "96"] + secure
        arguments += ["-f", "rtp", "\(scheme)://127.0.0.1:\(ports.video)"]
        arguments += ["-map", "1:a"] + (isH264 ? Self.mulaw : Self.opus) + ["-payload_type", isH264 ? "0" : "97"]
        arguments += secure + ["-f", "rtp", "\(scheme)://127.0.0.1:\(ports.audio)"]
        let tool = try Shell.start("ffmpeg", arguments)
        try await side.expectRedAndTone()
        try await eventually("the connection and reports") {
            side.saw(.connectionStateChanged(old: .disconnected, new: .connected))
                && side.saw(.mediaStateChanged(old: .disconnected, new: .connected))
        }
        #expect(tool.isRunning, "ffmpeg: \(tool.output)")
        tool.stop()
        await side.pipeline.release()
    }

    @Test("ffmpeg receives", arguments: ["vp8", "h264", "srtp"])
    func ffmpegReceives(_ kind: String) async throws {
        var options = RtpEndpoint.Options()
        if kind == "srtp" { options.crypto = [Self.key] }
        let side = try await Side(Self.host, Self.services(), options)
        try await side.play()
        let isH264 = kind == "h264"
        let ports = (video: 45_102, audio: 45_104)
        let crypto = kind == "srtp" ? "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:\(Self.inline(Self.key))\n" : ""
        let description = Self.description(
            video: isH264 ? "H264/90000" : "VP8/90000", audio: isH264 ? "PCMU/8000" : "opus/48000/2", ports: ports,
            profile: kind == "srtp" ? "RTP/SAVP" : "RTP/AVP", crypto: crypto)
        let folder = try Shell.scratch("ffmpeg")
        try (description + "\n").write(toFile: folder + "/in.sdp", atomically: true, encoding: .utf8)
        let (pictures, sound) = (folder + "/out.yuv", folder + "/out.f32")
        let tool = try Shell.start(
            "ffmpeg",
            [
                "-hide_banner", "-nostdin", "-v", "error", "-y", "-protocol_whitelist", "file,udp,rtp,srtp",
                "-fflags", "nobuffer", "-analyzeduration", "2000000", "-i", folder + "/in.sdp", "-map", "0:v", "-t",
                "3", "-s", "64x36",
                "-pix_fmt", "yuv420p", "-f", "rawvideo", pictures, "-map", "0:a", "-t", "3", "-ac", "1", "-ar", "48000",
                "-f", "f32le", sound,
            ])
        // Its sockets are open by then; what comes before is lost as on any line.
        try await Task.sleep(nanoseconds: 500_000_000)
        _ = try await side.peer { try $0.processOffer(description) }
        // A receiver of plain RTP without feedback asks for no key frame: the first has to reach it.
        try await eventually("ffmpeg has seen three seconds") { !tool.isRunning }
        #expect(!tool.isRunning, "ffmpeg: \(tool.output)")
        let picture = try Data(contentsOf: URL(fileURLWithPath: pictures))
        let size = 64 * 36 * 3 / 2
        #expect(picture.count >= 30 * size, "ffmpeg: \(tool.output)")
        if picture.count >= size {
            let last = [UInt8](picture.suffix(size))
            #expect(last[64 * 36 + 16 * 9] < 110 && last[64 * 36 + 32 * 18 + 16 * 9] > 200)
        }
        let samples = try Data(contentsOf: URL(fileURLWithPath: sound)).withUnsafeBytes {
            Array($0.bindMemory(to: Float.self))
        }
        // A busy machine makes the source stumble, so each tenth of a second is looked at by itself.
        let pieces = stride(from: 0, to: samples.count - 4800, by: 4800).map { samples[$0..<($0 + 4800)] }
        let tones = pieces.filter { abs(Tones.frequency(in: $0) - 500) < 5 && Tones.amplitude(of: 500, in: $0) > 0.2 }
        #expect(tones.count >= 10, "\(tones.count) of \(pieces.count) tenths of a second")
        await side.pipeline.release()
    }
}
