// What a packet costs on the loop: `swift run -c release bench-network`. Two sockets on loopback, one loop: it sends a
// run of packets, then receives them, so the figures are of one core, the kernel's part included.
import Core
import CAllocations
import Glibc
import Reactor

final class Counting: NetworkReceiver {
    var count = 0
    var batches = 0
    func receive(_ bytes: UnsafeMutableRawBufferPointer, over path: NetworkPath, at now: Instant) { count += 1 }
    func batchEnded(at now: Instant) { batches += 1 }
    func connected(_ path: NetworkPath, at now: Instant) {}
    func disconnected(_ path: NetworkPath, reason: String, at now: Instant) {}
}

struct Result: Sendable {
    var nanoseconds = 0.0
    var allocations = 0.0
    var packets = 0.0
}

/// `rounds` runs of packets of `size` bytes to one peer, on the loop: to a socket of the same loop, which receives them,
/// or to one that nobody reads, which leaves the cost of sending alone.
final class Bench: @unchecked Sendable {
    // Sendable: used on one loop only, and read when that is done.
    let host: SystemHost
    let loop: any Loop
    let network: any LoopNetwork
    let receiver = Counting()
    let path: NetworkPath
    let bytes: [UInt8]
    let run: Int
    let isRead: Bool
    var left: Int
    var sent = 0
    var start: (nanoseconds: Int64, allocations: Int) = (0, 0)
    let done: @Sendable (Result) -> Void

    init(
        _ host: SystemHost, _ loop: any Loop, run: Int, size: Int, rounds: Int, isRead: Bool,
        done: @escaping @Sendable (Result) -> Void
    ) throws {
        self.host = host
        self.loop = loop
        self.run = run
        self.isRead = isRead
        self.done = done
        left = rounds
        bytes = [UInt8](repeating: 7, count: size)
        network = loop.makeNetwork()
        network.attach(receiver)
        let here = try network.openUDP(SocketAddress(.loopbackV4, 0))
        var there = SocketAddress(.loopbackV4, Bench.unreadPort)
        if isRead { there = try network.openUDP(SocketAddress(.loopbackV4, 0)) }
        path = NetworkPath(.udp, local: here, remote: there)
    }

    /// The port of a socket that nobody reads: its buffer is full after a while, and the kernel drops the rest.
    static let unreadPort: UInt16 = {
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
        return UInt16(bigEndian: local.sin_port)
    }()

    func begin() {
        start = (host.threadCPUNanoseconds(), Int(callocations_count()))
        round()
    }

    /// One turn queues and, at its end, sends; the next one receives.
    private func round() {
        bytes.withUnsafeBytes { bytes in for _ in 0..<run { network.send(bytes, over: path) } }
        sent += run
        loop.post { [self] in finish(tries: 0) }
    }

    private func finish(tries: Int) {
        // Lost ones never come.
        if isRead, receiver.count < sent, tries < 100 { return loop.post { [self] in finish(tries: tries + 1) } }
        left -= 1
        if left > 0 { return loop.post { [self] in round() } }
        let nanoseconds = Double(host.threadCPUNanoseconds() - start.nanoseconds)
        let allocations = Double(Int(callocations_count()) - start.allocations)
        done(Result(nanoseconds: nanoseconds, allocations: allocations, packets: Double(sent)))
    }
}

func measure(_ run: Int, _ size: Int, segments: Bool, isRead: Bool) async -> Result {
    var options = NetworkOptions()
    options.segments = segments
    let host = SystemHost(workers: 1, network: options)
    let loop = host.nextLoop()
    return await withCheckedContinuation { continuation in
        loop.post {
            do {
                let rounds = max(500, 200_000 / run)
                try Bench(host, loop, run: run, size: size, rounds: rounds, isRead: isRead) {
                    continuation.resume(returning: $0)
                }.begin()
            } catch { fatalError("\(error)") }
        }
    }
}

func padded(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.utf8.count)) + text
}
func fixed(_ value: Double, _ digits: Int) -> String {
    let scale = pow(10, Double(digits))
    let whole = Int((value * scale).rounded())
    if digits == 0 { return String(whole) }
    let rest = String(whole % Int(scale))
    return "\(whole / Int(scale))." + String(repeating: "0", count: digits - rest.utf8.count) + rest
}

// Two hand-overs a round are the benchmark's own: two allocations, and a part of the time of short runs.
print("  run  size  segments |  ns/packet: send  receive | allocations/packet | packets/s of a core, sent and received")
for (run, size) in [(1, 1200), (4, 1200), (16, 1200), (64, 1200), (64, 100), (256, 1200)] {
    for segments in [false, true] {
        let send = await measure(run, size, segments: segments, isRead: false)
        let both = await measure(run, size, segments: segments, isRead: true)
        let sending = send.nanoseconds / send.packets
        let total = both.nanoseconds / both.packets
        print(
            padded("\(run)", 5), padded("\(size)", 5), padded(segments ? "yes" : "no", 9), "|",
            padded(fixed(sending, 0), 16), padded(fixed(max(0, total - sending), 0), 8), "|",
            padded(fixed(max(0, both.allocations - 2 * both.packets / Double(run)) / both.packets, 3), 18), "|",
            padded(fixed(1e9 / total, 0), 20))
    }
}
