import Codecs
import Core
import Elements
import Files
import Glibc
import Media
import Reactor
import TestKit
import Testing

extension Tag {
    @Tag static var slow: Self
}

/// Many short pipelines in one process leave it as it was. `TESSERA_SOAK=1000` makes it a thousand.
@Suite(.serialized) struct SoakTests {
    private struct Figures {
        var residentKB = 0, threads = 0, descriptors = 0

        static func now() -> Figures {
            var figures = Figures()
            if let file = fopen("/proc/self/status", "r") {
                defer { fclose(file) }
                var line = [CChar](repeating: 0, count: 256)
                while fgets(&line, 256, file) != nil {
                    let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                    let number = Int(text.filter(\.isNumber)) ?? 0
                    if text.hasPrefix("VmRSS:") { figures.residentKB = number }
                    if text.hasPrefix("Threads:") { figures.threads = number }
                }
            }
            if let folder = opendir("/proc/self/fd") {
                defer { closedir(folder) }
                while readdir(folder) != nil { figures.descriptors += 1 }
            }
            return figures
        }
    }

    /// In a process of its own: other tests open threads and sockets.
    @Test(.tags(.slow)) func shortPipelinesLeaveNothing() async throws {
        await #expect(processExitsWith: .success) { try await SoakTests().run() }
    }

    private func run() async throws {
        let count = getenv("TESSERA_SOAK").flatMap { Int(String(cString: $0)) } ?? 100
        let host = SystemHost(workers: 2)
        let (input, output) = (try Clips.path("b.webm"), try Clips.output("soak.webm"))
        var before = Figures()
        for round in 0..<count {
            try await once(host, input, output)
            // The first ones fill pools and caches.
            if round == min(count / 2, 50) { before = Figures.now() }
        }
        usleep(200_000)
        let after = Figures.now()
        let text = "\(count) pipelines: \(before) → \(after)"
        #expect(after.residentKB - before.residentKB < 8192 * (isThreadSanitized ? 2 : 1), "\(text)")
        #expect(after.threads <= before.threads + 4 && after.descriptors <= before.descriptors + 6, "\(text)")
        if count >= 1000 { _ = write(STDERR_FILENO, "soak: \(text)\n", text.utf8.count + 7) }
    }

    /// ThreadSanitizer keeps a shadow of all memory touched, which is resident too.
    private var isThreadSanitized: Bool { dlsym(nil, "__tsan_init") != nil }

    private func once(_ host: SystemHost, _ input: String, _ output: String) async throws {
        let pipeline = makePipeline(host, .offline, codecs: LibraryCodecs()) { $0.endsWithInputs = true }
        await withCheckedContinuation { continuation in
            Task {
                try await pipeline.perform { context in
                    var options = Composite.Options()
                    (options.width, options.height) = (96, 64)
                    let hub = Composite(context, name: "hub", options: options)
                    let port = HubPort(context, name: "port", hub: hub)
                    let player = PlayerEndpoint(context, name: "player", uri: input)
                    let recorder = RecorderEndpoint(
                        context, name: "recorder", uri: output, profile: .encoded(96, 64))
                    try player.connect(to: port)
                    try port.connect(to: recorder)
                    recorder.onStopped = { continuation.resume() }
                    recorder.record()
                    player.play()
                }
            }
        }
        await pipeline.release()
    }
}
