import Codecs
import Core
import Elements
import Files
import Glibc
import LoopbackRig
import Media
import Reactor
import TestKit
import Testing

extension Tag {
    @Tag static var slow: Self
}

/// Many short pipelines, and many peers that come to one pipeline and go, leave the process as it was.
/// `TESSERA_SOAK=1000` makes it a thousand of each.
@Suite(.serialized) struct SoakTests {
    private struct Figures {
        var residentKB = 0, heapKB = 0, threads = 0, descriptors = 0

        static func now() -> Figures {
            var figures = Figures()
            figures.heapKB = heapKiB()
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

    /// KiB; ThreadSanitizer's records take so many times as much. AddressSanitizer's malloc, of which the system's knows
    /// nothing, keeps what was freed for a long while, so it says nothing then.
    private func residentGrowthMax(_ withThreadSanitizer: Int) -> Int {
        heapKiB() == 0 ? .max : 8192 * (isThreadSanitized ? withThreadSanitizer : 1)
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
        #expect(after.residentKB - before.residentKB < residentGrowthMax(2), "\(text)")
        #expect(after.threads <= before.threads + 4 && after.descriptors <= before.descriptors + 6, "\(text)")
        if count >= 1000 { _ = write(STDERR_FILENO, "soak: \(text)\n", text.utf8.count + 7) }
    }

    @Test(.tags(.slow)) func joinsAndLeavesLeaveNothing() async throws {
        await #expect(processExitsWith: .success) { try await SoakTests().joinAndLeave() }
    }

    /// Peers with all that belongs to one, data channels included, join a server's pipeline that lives on, see its
    /// pictures, and leave; a few at a time.
    private func joinAndLeave() async throws {
        let count = getenv("TESSERA_SOAK").flatMap { Int(String(cString: $0)) } ?? 200
        let (clients, server) = (LoopbackServer(isCrowd: true), LoopbackServer())
        await server.pipeline.perform { _ = SteadySource($0, name: "source", bytes: 2000) }
        let together = 8
        var before = Figures()
        var (seen, quarter) = (0, count / 4)
        for first in stride(from: 0, to: count, by: together) {
            let names = (first..<min(count, first + together)).map { "peer-\($0)" }
            seen += try await withThrowingTaskGroup(of: Bool.self) { group in
                for name in names {
                    group.addTask { try await Self.joinAndLeave(name, clients, server) }
                }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            // The first ones fill pools and caches.
            if first >= quarter {
                before = Figures.now()
                quarter = .max
            }
        }
        await server.pause(.milliseconds(500))
        let after = Figures.now()
        let text = "\(count) joins, \(seen) saw pictures: \(before) → \(after)"
        #expect(seen == count, "\(text)")
        #expect(after.residentKB - before.residentKB < residentGrowthMax(4), "\(text)")
        // A block that stays with each is found here, long before the system is asked for more memory.
        #expect(after.heapKB - before.heapKB < 2048 + count / 4, "\(text)")
        #expect(after.threads <= before.threads + 1 && after.descriptors <= before.descriptors + 4, "\(text)")
        if count >= 1000 { _ = write(STDERR_FILENO, "soak: \(text)\n", text.utf8.count + 7) }
    }

    /// Whether pictures came.
    private static func joinAndLeave(
        _ name: String, _ clients: LoopbackServer, _ server: LoopbackServer
    ) async throws -> Bool {
        var options = WebRtcEndpoint.Options()
        options.usesDataChannels = true
        for side in [clients, server] { try await side.addEndpoint(name, options) }
        try await server.pipeline.perform { context in
            if let endpoint = context.element(named: name) {
                try context.element(named: "source")?.connect(to: endpoint)
            }
        }
        try await clients.pipeline.perform { context in
            let sink = SteadySink(context, name: "sink-\(name)")
            guard let endpoint = context.element(named: name) else { return }
            for kind in [MediaKind.audio, .video] { try endpoint.connect(to: sink, kind: kind) }
        }
        var hasCome = false
        if try await clients.call(name, server, name) {
            for _ in 0..<200 where !hasCome {
                await clients.pause(.milliseconds(20))
                hasCome = await clients.pipeline.perform { ($0.element(named: "sink-\(name)")?.framesIn ?? 0) > 5 }
            }
        }
        await clients.release("sink-\(name)")
        await clients.release(name)
        await server.release(name)
        return hasCome
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
