import CLinux
import Core
import Glibc

/// A second socket on a port, for known peers alone: what strangers send fills the first one's buffer in the kernel and
/// not this one's, however much of it there is. Which of both a datagram goes to is a program's decision there
/// (`SteeringProgram`). Owned by a `UDPSocket`, touched only on its loop.
///
/// One socket for all peers, not a connected one for each: a turn then still takes a batch from many peers with one
/// system call, and the kernel need not walk a list as long as there are peers for each stranger's datagram.
final class ReservedPaths: LoopDescriptor {
    /// What a port's program may hold: the kernel takes 20 KiB of it, and a new one costs the loop 0.9 ms. More peers
    /// share the first socket with the strangers until others leave.
    static let pathsMax = 1024
    /// Between two programs: however many peers come and go, they cost no more than a hundredth of the loop.
    static let updateInterval = MediaTime.milliseconds(100)

    private unowned let socket: UDPSocket
    private let engine: NetworkEngine
    /// -1 until the first program is there.
    private var twin: Int32 = -1
    private var token: WatchToken?
    private var listed: Set<NetworkPath> = []
    private var waiting: Set<NetworkPath> = []
    private var isUpdateDue = false
    private let key: SteeringProgram.Key
    /// The system refuses: everything stays with the first socket, as if nobody had asked.
    private var isRefused = false

    init(_ socket: UDPSocket, _ engine: NetworkEngine) {
        self.socket = socket
        self.engine = engine
        var random = SystemRandomNumberGenerator()
        key = SteeringProgram.Key(&random)
    }

    /// Paths that have their place, and those that wait for one.
    var counts: (listed: Int, waiting: Int) { (listed.count, waiting.count) }

    /// Datagrams that the kernel has dropped.
    var drops: Int64 { twin >= 0 ? max(0, clinux_socket_drops(twin)) : 0 }

    func add(_ path: NetworkPath) {
        guard !isRefused, !listed.contains(path) else { return }
        guard listed.count < ReservedPaths.pathsMax else {
            waiting.insert(path)
            return
        }
        listed.insert(path)
        updateSoon()
    }

    func remove(_ path: NetworkPath) {
        guard listed.remove(path) != nil else {
            waiting.remove(path)
            return
        }
        if let next = waiting.popFirst() { listed.insert(next) }
        updateSoon()
    }

    func close() {
        if let token { engine.loop.unwatch(token, twin) }
        if twin >= 0 { Glibc.close(twin) }
        twin = -1
        token = nil
        isRefused = true
    }

    func ready(_ events: UInt32, at now: Instant) { socket.receive(from: twin, at: now) }

    // MARK: The kernel's side

    /// Comes and goes of a tenth of a second make one program. Until then a peer's datagrams come as before.
    private func updateSoon() {
        guard !isUpdateDue else { return }
        isUpdateDue = true
        let reserved = Weak(self)
        _ = engine.loop.schedule(at: engine.loop.now() + ReservedPaths.updateInterval) { reserved.value?.update() }
    }

    private func update() {
        isUpdateDue = false
        guard !isRefused, twin >= 0 || openTwin() else { return }
        let program = SteeringProgram(listed.lazy.map(\.remote), isV4: socket.local.ip.isV4, key: key)
        let result = program.instructions.withUnsafeBufferPointer {
            clinux_steer(socket.descriptor, $0.baseAddress, UInt16(clamping: $0.count))
        }
        // Without a program the kernel spreads by address, which is as good as one socket; an older one stays.
        if result < 0 { socket.refused() }
    }

    private func openTwin() -> Bool {
        var options = engine.options.socketOptions
        let opened = clinux_open_twin(socket.descriptor, &options)
        guard opened >= 0, let token = engine.loop.watch(opened, EPOLLIN.rawValue, self) else {
            if opened >= 0 { Glibc.close(opened) }
            socket.refused()
            isRefused = true
            listed = []
            waiting = []
            return false
        }
        twin = opened
        self.token = token
        // Strangers have little to say that leads to anything: what does not is not worth a wake-up.
        _ = clinux_admit_only_peers(socket.descriptor)
        return true
    }
}
