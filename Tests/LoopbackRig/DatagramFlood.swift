import CLinux
package import Core
import Glibc
import Reactor

/// Sends datagrams nobody asked for to one address, from many ports, so many a second as asked for. On a thread of its
/// own, which the system calls of `sendmmsg` hardly fill.
package final class DatagramFlood: Sendable {
    /// What the datagrams look like.
    package enum Shape: Hashable, Sendable {
        /// Bytes by chance.
        case random
        /// RTP from sources by chance.
        case rtp
        /// Binding requests for the peer of this name, with an integrity that is not right.
        case stun(ufrag: String)
        /// Random bytes, STUN for nobody, DTLS, RTP and RTCP in turn.
        case mixed
    }
    package struct Outcome: Sendable {
        package var sent = 0
        package var seconds = 0.0
        package init() {}
        package var perSecond: Double { seconds > 0 ? Double(sent) / seconds : 0 }
    }
    private let isStopped = Lock(false)
    private let outcome = Lock(Outcome())

    package init() {}

    /// Ports the datagrams come from.
    private static let sources = 64
    /// Datagrams per system call.
    private static let batch = 50
    /// Different datagrams; each is sent again and again.
    private static let kinds = 1000

    /// Sends until `seconds` have passed or `stop` was called, and returns what it reached.
    package func run(
        to address: SocketAddress, shape: Shape = .mixed, perSecond: Int, seconds: Double, seed: UInt64 = 1
    ) async -> Outcome {
        await withCheckedContinuation { continuation in
            let executor = SystemHost.thread(named: "flood")
            Task(executorPreference: executor) { [self] in
                send(to: address, shape, perSecond: perSecond, seconds: seconds, seed: seed)
                continuation.resume(returning: outcome.withLock { $0 })
            }
        }
    }

    package func stop() { isStopped.withLock { $0 = true } }

    private func send(to address: SocketAddress, _ shape: Shape, perSecond: Int, seconds: Double, seed: UInt64) {
        // As from another machine: before everything else, where we may.
        _ = clinux_nice_thread(-19)
        var local = clinux_address(high: 0, low: 0xFFFF_7F00_0001, scope: 0, port: 0)
        var options = clinux_socket_options()
        let sockets = (0..<DatagramFlood.sources).map { _ in clinux_open_datagram(&local, &options) }.filter { $0 >= 0 }
        defer { for socket in sockets { close(socket) } }
        guard !sockets.isEmpty else { return }
        var random = SeededRandom(seed: seed)
        let datagrams = (0..<DatagramFlood.kinds).map { DatagramFlood.datagram($0, shape, &random) }
        let memory = datagrams.map { bytes in
            let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: bytes.count)
            copy.initialize(from: bytes, count: bytes.count)
            return UnsafeBufferPointer(start: copy, count: bytes.count)
        }
        defer { for bytes in memory { bytes.deallocate() } }
        let remote = clinux_address(high: address.ip.high, low: address.ip.low, scope: 0, port: address.port)
        let items = memory.map {
            clinux_outgoing(
                bytes: $0.baseAddress, count: UInt32($0.count), remote: remote, local_high: 0, local_low: 0, dscp: -1)
        }
        let start = nanoseconds()
        var (sent, turn) = (0, 0)
        while !isStopped.withLock({ $0 }) {
            let elapsed = nanoseconds() - start
            if Double(elapsed) >= seconds * 1e9 { break }
            let due = Int(Double(elapsed) / 1e9 * Double(perSecond))
            guard sent < due else {
                usleep(200)
                continue
            }
            items.withUnsafeBufferPointer { items in
                guard let base = items.baseAddress else { return }
                let first = turn * DatagramFlood.batch % (DatagramFlood.kinds - DatagramFlood.batch)
                var head: UInt32 = 0
                let count = clinux_send_batch(
                    sockets[turn % sockets.count], base + first, UInt32(DatagramFlood.batch), 0, &head)
                if count > 0 { sent += Int(count) }
            }
            turn += 1
        }
        let seconds = Double(nanoseconds() - start) / 1e9
        outcome.withLock { outcome in
            outcome.sent = sent
            outcome.seconds = seconds
        }
    }

    private func nanoseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    private static func datagram(_ number: Int, _ shape: Shape, _ random: inout SeededRandom) -> [UInt8] {
        var bytes = (0..<Int(20 + random.next() % 1100)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        switch (shape, number % 5) {
        case (.random, _), (.mixed, 0): break
        case (.stun(let ufrag), _): return request(for: ufrag, &random)
        case (.mixed, 1): return request(for: stranger(&random), &random)
        case (.mixed, 2): bytes.replaceSubrange(0..<3, with: [UInt8(20 + random.next() % 4), 0xFE, 0xFD])
        case (.rtp, _), (.mixed, 3): bytes.replaceSubrange(0..<2, with: [0x80, UInt8(96 + random.next() % 32)])
        case (.mixed, _): bytes.replaceSubrange(0..<2, with: [0x80, UInt8(200 + random.next() % 7)])
        }
        return bytes
    }

    /// A binding request as ICE's (RFC 8445, section 7.2.2), with an integrity of the right form.
    private static func request(for ufrag: String, _ random: inout SeededRandom) -> [UInt8] {
        let username = Array("\(ufrag):abcd".utf8)
        let padded = username + [UInt8](repeating: 0, count: -username.count & 3)
        let attributes = [0, 6, 0, UInt8(username.count)] + padded + [0, 0x24, 0, 4, 110, 0, 1, 255] + [0, 8, 0, 20]
        let count = attributes.count + 20
        let header = [0, 1, 0, UInt8(count), 0x21, 0x12, 0xA4, 0x42]
        return header + noise(12, &random) + attributes + noise(20, &random)
    }

    private static func stranger(_ random: inout SeededRandom) -> String {
        String(decoding: (0..<4).map { _ in UInt8(97 + random.next() % 26) }, as: UTF8.self)
    }

    private static func noise(_ count: Int, _ random: inout SeededRandom) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    }
}
