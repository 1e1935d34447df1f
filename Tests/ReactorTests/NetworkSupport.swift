import Core
import Glibc
import Testing

@testable import Reactor

/// Runs a test on a thread of its own: it blocks (clients that are written as people write them, foreign programs), and
/// Swift's pool has as many threads as cores.
struct OwnThread: SuiteTrait, TestTrait, TestScoping {
    let isRecursive = true
    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        try await withTaskExecutorPreference(SystemHost.thread(named: "test")) { try await function() }
    }
}

extension Trait where Self == OwnThread {
    static var ownThread: OwnThread { OwnThread() }
}

/// A set of sockets on a loop of its own with a receiver that keeps what comes. Its calls hop to the loop.
final class NetworkProbe: Sendable {
    struct Datagram: Sendable, Hashable {
        var bytes: [UInt8]
        var path: NetworkPath
    }
    struct Seen: Sendable {
        var datagrams: [Datagram] = []
        var count = 0
        var batches = 0
        var connected: [NetworkPath] = []
        var disconnected: [(path: NetworkPath, reason: String)] = []
    }
    let host: SystemHost
    let loop: any Loop
    let seen = Lock(Seen())
    /// Touched on the loop only.
    private let state = Lock<(network: (any LoopNetwork)?, receiver: Receiver?)>((nil, nil))

    final class Receiver: NetworkReceiver {
        let seen: Lock<Seen>
        let keeps: Bool
        let network: any LoopNetwork
        /// Sends everything back.
        let echoes: Bool
        init(_ seen: Lock<Seen>, _ network: any LoopNetwork, keeps: Bool, echoes: Bool) {
            self.seen = seen
            self.network = network
            self.keeps = keeps
            self.echoes = echoes
        }
        func receive(_ bytes: UnsafeMutableRawBufferPointer, over path: NetworkPath, at now: Instant) {
            if echoes { network.send(UnsafeRawBufferPointer(bytes), over: path) }
            seen.withLock { seen in
                seen.count += 1
                if keeps { seen.datagrams.append(Datagram(bytes: Array(bytes), path: path)) }
            }
        }
        func batchEnded(at now: Instant) { seen.withLock { $0.batches += 1 } }
        func connected(_ path: NetworkPath, at now: Instant) { seen.withLock { $0.connected.append(path) } }
        func disconnected(_ path: NetworkPath, reason: String, at now: Instant) {
            seen.withLock { $0.disconnected.append((path, reason)) }
        }
    }

    init(_ options: NetworkOptions = NetworkOptions(), keeps: Bool = true, echoes: Bool = false) async {
        host = SystemHost(workers: 1, network: options)
        loop = host.nextLoop()
        await on { [self] in
            let network = loop.makeNetwork()
            let receiver = Receiver(seen, network, keeps: keeps, echoes: echoes)
            network.attach(receiver)
            state.withLock { $0 = (network, receiver) }
        }
    }

    func on<R: Sendable>(_ body: @escaping @Sendable () -> R) async -> R {
        await withCheckedContinuation { continuation in loop.post { continuation.resume(returning: body()) } }
    }

    /// Runs `body` with the sockets, on the loop.
    func with<R: Sendable>(_ body: @escaping @Sendable (any LoopNetwork) throws -> R) async throws -> R {
        let result = await on { [self] in
            Result {
                guard let network = state.withLock({ $0.network }) else { throw NetworkError("dropped") }
                return try body(network)
            }
        }
        return try result.get()
    }

    /// Lets go of the sockets.
    func drop() async { await on { [self] in state.withLock { $0 = (nil, nil) } } }

    /// Waits until what was seen fits, at most five seconds.
    func wait(_ isDone: @escaping @Sendable (Seen) -> Bool) async -> Bool {
        for _ in 0..<500 {
            if seen.withLock({ isDone($0) }) { return true }
            await pause(.milliseconds(10))
        }
        return false
    }

    func pause(_ time: MediaTime) async {
        await withCheckedContinuation { continuation in
            loop.post { [self] in
                _ = loop.schedule(at: host.now() + time) { continuation.resume() }
            }
        }
    }
}

/// A blocking UDP socket for the other side.
func plainUDP(to address: SocketAddress? = nil) -> (descriptor: Int32, port: UInt16) {
    let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
    var local = sockaddr_in()
    local.sin_family = sa_family_t(AF_INET)
    local.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &local) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            _ = bind(descriptor, $0, size)
            _ = getsockname(descriptor, $0, &size)
        }
    }
    if let address {
        var remote = sockaddr_in()
        remote.sin_family = sa_family_t(AF_INET)
        remote.sin_port = address.port.bigEndian
        remote.sin_addr.s_addr = UInt32(truncatingIfNeeded: address.ip.low).bigEndian
        withUnsafePointer(to: &remote) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = connect(descriptor, $0, size) }
        }
    }
    return (descriptor, UInt16(bigEndian: local.sin_port))
}

/// Descriptors this process has open.
func openDescriptors() -> Int {
    guard let folder = opendir("/proc/self/fd") else { return 0 }
    defer { closedir(folder) }
    var count = 0
    while readdir(folder) != nil { count += 1 }
    return count
}

/// Whether the open descriptors come back to about `count` within twenty seconds.
///
/// Tests that run at the same time hold some hundred for a moment, so one look is not enough; and they need the thread
/// meanwhile.
func descriptorsReturn(to count: Int) async throws -> Bool {
    for _ in 0..<200 {
        if abs(openDescriptors() - count) < 200 { return true }
        try await Task.sleep(nanoseconds: 100_000_000)
    }
    return false
}
