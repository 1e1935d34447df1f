import CLinux
import Core
import Glibc

/// Host names to addresses for one loop: literal addresses at once, `.local` names by multicast on the loop itself, all
/// others by the system's resolver on threads of their own, because it blocks. Touched only on the loop.
final class NameResolver: @unchecked Sendable {
    // Sendable: touched only on the loop's thread; closures carry it to another turn of that thread.
    private unowned let engine: NetworkEngine
    private var pending: [UInt64: @Sendable ([IPAddress]) -> Void] = [:]
    private var lastID: UInt64 = 0
    private var multicast: MulticastResolver?
    /// Names that may be looked up at a time; beyond, the answer is "none": a client must not fill our memory with them.
    private static let pendingMax = 256
    /// A name is at most so long (RFC 1035, section 2.3.4).
    private static let nameBytesMax = 253
    private static let addressesMax: Int32 = 16
    /// System look-ups that block at the same time, for all loops.
    private static let threads: JobQueue = {
        let queue = JobQueue(lanes: 1)
        for index in 0..<4 {
            _ = startThread(named: "dns-\(index)") {
                while case .body(let body) = queue.pop() { body() }
            }
        }
        return queue
    }()

    init(_ engine: NetworkEngine) { self.engine = engine }

    func resolve(_ name: String, answer: @escaping @Sendable ([IPAddress]) -> Void) {
        let loop = engine.loop
        if let ip = IPAddress(name) { return loop.post { answer([ip]) } }
        guard pending.count < Self.pendingMax, !name.isEmpty, name.utf8.count <= Self.nameBytesMax,
            !name.utf8.contains(0)
        else { return loop.post { answer([]) } }
        lastID += 1
        let id = lastID
        pending[id] = answer
        let timer = loop.schedule(at: loop.now() + engine.options.resolveTimeout) { [self] in finish(id, []) }
        let found: @Sendable ([IPAddress]) -> Void = { [self] addresses in
            loop.cancel(timer)
            finish(id, addresses)
        }
        if MDNSMessage.isLocal(name) {
            multicastResolver.resolve(name, answer: found)
        } else {
            Self.threads.push(
                .body {
                    let addresses = NameResolver.lookUp(name)
                    loop.post { found(addresses) }
                }, lane: 0)
        }
    }

    private func finish(_ id: UInt64, _ addresses: [IPAddress]) {
        pending.removeValue(forKey: id)?(addresses)
    }

    private var multicastResolver: MulticastResolver {
        if let multicast { return multicast }
        let engine = engine
        let resolver = MulticastResolver(
            engine.loop, groups: engine.options.multicastGroups, timeout: engine.options.resolveTimeout,
            clock: { engine.loop.now() }, makeNetwork: { SystemNetwork(engine) })
        multicast = resolver
        return resolver
    }

    private static func lookUp(_ name: String) -> [IPAddress] {
        var found = [clinux_address](repeating: clinux_address(), count: Int(addressesMax))
        let count = clinux_look_up(name, &found, addressesMax)
        return found.prefix(Int(max(0, count))).map { IPAddress($0.high, $0.low) }
    }
}
