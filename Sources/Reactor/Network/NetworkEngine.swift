import CLinux
import Core
import Glibc

/// What all sockets of one loop share: the slots datagrams are received into, the queue of what is to be sent at the
/// end of the turn, the buffer that streams are read into. Owned by its loop and touched only there.
final class NetworkEngine: @unchecked Sendable {
    // Sendable: touched only on the loop's thread; closures carry it from one turn of that thread to another.

    /// A datagram longer than this is cut off and dropped: media and signalling keep to 1500 bytes.
    static let slotBytes = 2048
    /// Datagrams taken from one socket per turn: timers and hand-overs wait for no more of them.
    static let batchMax = 64
    /// Bytes taken from one stream per turn.
    static let streamReadMax = 64 << 10

    unowned let loop: LoopThread
    let options: NetworkOptions
    let slots: OpaquePointer
    let streamBuffer = UnsafeMutableRawBufferPointer.allocate(byteCount: streamReadMax, alignment: 16)
    let outbox = Outbox()
    /// Sets that were handed something this turn and have not been told of the batch's end.
    private var touched: [SystemNetwork] = []
    /// Streams that have something new to write.
    private var dirty: [TCPConnection] = []
    private var scopes: [IPAddress: UInt32] = [:]
    private(set) lazy var resolver = NameResolver(self)

    init(_ loop: LoopThread, options: NetworkOptions) {
        self.loop = loop
        self.options = options
        slots = clinux_slots_new(UInt32(Self.batchMax), UInt32(Self.slotBytes))
        touched.reserveCapacity(64)
        dirty.reserveCapacity(64)
    }

    deinit {
        clinux_slots_free(slots)
        streamBuffer.deallocate()
    }

    // MARK: The loop's turn

    func touch(_ network: SystemNetwork) {
        if network.isTouched { return }
        network.isTouched = true
        touched.append(network)
    }

    func markDirty(_ connection: TCPConnection) {
        if connection.isDirty { return }
        connection.isDirty = true
        dirty.append(connection)
    }

    /// Every socket that was ready has handed over its batch.
    func batchesEnded(at now: Instant) {
        var index = 0
        while index < touched.count {
            let network = touched[index]
            network.isTouched = false
            network.receiver?.batchEnded(at: now)
            index += 1
        }
        touched.removeAll(keepingCapacity: true)
    }

    /// Sends what this turn has queued.
    func flush() {
        outbox.flush()
        var index = 0
        while index < dirty.count {
            dirty[index].isDirty = false
            dirty[index].writeQueue()
            index += 1
        }
        dirty.removeAll(keepingCapacity: true)
    }

    // MARK: Interfaces

    /// The interface a link-local address belongs to, which the kernel must be told; 0 for other addresses.
    func scope(of ip: IPAddress) -> UInt32 {
        guard ip.isLinkLocal, !ip.isV4 else { return 0 }
        if let known = scopes[ip] { return known }
        for interface in allInterfaces() where interface.ip.isLinkLocal { scopes[interface.ip] = interface.scope }
        // Kept even if unknown, so that a stray address costs one look and not one per packet.
        return scopes[ip, default: 0]
    }

    struct Interface {
        let name: String
        let ip: IPAddress
        let scope: UInt32
        let isLoopback: Bool
    }

    /// Every address of every interface that is up.
    func allInterfaces() -> [Interface] {
        // More than any machine that is not itself a router's test bed has.
        var found = [clinux_interface](repeating: clinux_interface(), count: 256)
        let count = clinux_interface_addresses(&found, Int32(found.count))
        return found.prefix(Int(max(0, count))).map { interface in
            var interface = interface
            let name = withUnsafeBytes(of: &interface.name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            return Interface(
                name: name, ip: IPAddress(interface.address.high, interface.address.low),
                scope: interface.address.scope, isLoopback: interface.is_loopback != 0)
        }
    }
}
