import Codecs
import Core
import Elements
import Foundation
import Media
import Reactor
import TestKit

/// A pipeline on the real machine, for what cannot be had in virtual time: sockets of libraries.
final class RealRig: Sendable {
    let host: SystemHost
    let pipeline: MediaPipeline
    private let noted = Lock<[PipelineEvent]>([])

    init(
        _ host: SystemHost = SystemHost(workers: 2), configure: (inout PipelineConfiguration) -> Void = { _ in }
    ) async {
        self.host = host
        pipeline = makePipeline(host, .realTime, codecs: LibraryCodecs(), configure: configure)
        await pipeline.perform { [noted] context in
            context.onEvent = { event in noted.withLock { $0.append(event) } }
        }
    }

    @discardableResult
    func on<R: Sendable>(_ body: @Sendable (PipelineContext) throws -> R) async throws -> R {
        try await pipeline.perform(body)
    }

    /// Looks every 20 ms whether something has come to pass, for at most so many seconds.
    func wait(_ limit: Double = 10, until isDone: @escaping @Sendable (PipelineContext) -> Bool) async throws -> Bool {
        for _ in 0..<Int(limit * 50) {
            if try await on(isDone) { return true }
            try await Task.sleep(nanoseconds: 20_000_000)
        }
        return try await on(isDone)
    }

    func pause(_ seconds: Double) async throws { try await Task.sleep(nanoseconds: UInt64(seconds * 1e9)) }

    var events: [PipelineEvent] { noted.withLock { $0 } }
    func details(_ element: String) -> [PipelineEvent.Detail] {
        events.filter { $0.element == element }.map(\.detail)
    }
    func errors(_ element: String) -> [(type: ErrorType, text: String)] {
        details(element).compactMap { if case .error(let type, let text) = $0 { (type, text) } else { nil } }
    }

    func release() async { await pipeline.release() }

    /// A TCP port that is free now.
    static func freePort() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let size = length
        let code = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(descriptor, pointer, size) == 0 ? getsockname(descriptor, pointer, &length) : -1
            }
        }
        guard code == 0 else { throw Trouble(description: "no free port") }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}

/// The RTSP camera of Tests/Cameras.
enum Camera {
    static func start(_ port: Int, _ arguments: [String] = []) async throws -> Shell.Running {
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Cameras/camera.py").path
        let camera = try Shell.start("/usr/bin/python3", [script, "\(port)"] + arguments)
        for _ in 0..<500 {
            if camera.output.contains("ready") { return camera }
            guard camera.isRunning else { break }
            try await Task.sleep(nanoseconds: 20_000_000)
        }
        throw Trouble(description: "the camera did not start: \(camera.output)")
    }
}

/// What keeps a test from beginning.
struct Trouble: Error, CustomStringConvertible { let description: String }
