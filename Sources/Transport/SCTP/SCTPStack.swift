import COpenSSL
import CSCTP
import Core

/// usrsctp as a whole: it is one per process, whatever the number of loops.
///
/// Every call into it is made under one lock, in `run`; its callbacks come inside such calls and only append to the
/// mailbox of the association they are for, which may belong to another loop. That loop collects on its next turn: an
/// association with anything outstanding has a deadline within `tick`. Time is brought forward by whichever
/// association is called first; usrsctp has no threads here.
enum SCTPStack {
    /// usrsctp counts time in steps of 10 ms.
    static let tick = MediaTime.milliseconds(10)

    /// What usrsctp has for one association.
    struct Mailbox: ~Copyable {
        var packets = DatagramQueue(maxBytes: SCTPStack.maxQueuedBytes)
        var arrivals = Deque<Arrival>()
        var arrivedBytes = 0
        var droppedArrivals = 0
    }

    /// A piece of a message, or a notification.
    struct Arrival {
        var bytes: [UInt8]
        var stream: UInt16
        var ppid: UInt32
        /// The transmission number of the message's first chunk: what its pieces have in common.
        var first: UInt32
        var isUnordered: Bool
        var isEnd: Bool
        var isNotification: Bool
    }

    /// More than usrsctp's own windows, so only a loop that stands still loses anything.
    static let maxQueuedBytes = 4 << 20

    private final class Box {
        var mailbox = Mailbox()
    }

    private static let lock = Lock(false)
    // Sendable: all three are touched only while `lock` is held: by `run`, and by callbacks inside of it.
    nonisolated(unsafe) private static var boxes: [UInt: Box] = [:]
    nonisolated(unsafe) private static var lastConnection: UInt = 0
    nonisolated(unsafe) private static var time: Instant?

    /// Proof of being inside `run`: what may be done there.
    struct Access: ~Copyable {
        fileprivate init() {}

        /// A number that stands for an association's address; packets and messages for it are kept from now on.
        func register() -> UInt {
            // Not reused while the process lives: what usrsctp still says of an old one leads nowhere.
            SCTPStack.lastConnection += 1
            let connection = SCTPStack.lastConnection
            SCTPStack.boxes[connection] = Box()
            usrsctp_register_address(UnsafeMutableRawPointer(bitPattern: connection))
            return connection
        }

        func deregister(_ connection: UInt) {
            usrsctp_deregister_address(UnsafeMutableRawPointer(bitPattern: connection))
            SCTPStack.boxes[connection] = nil
        }

        /// Empties what is kept for the association: `take` gets each packet, then each arrival.
        func collect(
            _ connection: UInt, packet: (UnsafeRawBufferPointer) -> Void, arrival: (Arrival) -> Void
        ) {
            guard let box = SCTPStack.boxes[connection] else { return }
            while box.mailbox.packets.pop(packet) != nil {}
            while let next = box.mailbox.arrivals.popFirst() { arrival(next) }
            box.mailbox.arrivedBytes = 0
        }
    }

    /// Runs `body` with usrsctp at the time `now`; its due timers run before.
    static func run(at now: Instant, _ body: (borrowing Access) -> Void) {
        lock.withLock { _ in
            LibraryClock.at(now) {
                _ = isInitialized
                advance(to: now)
                body(Access())
            }
        }
    }

    private static func advance(to now: Instant) {
        // A clock that went back belongs to another simulation.
        guard let last = time, now >= last else {
            time = now
            return
        }
        let steps = (now - last).nanoseconds / tick.nanoseconds
        guard steps > 0 else { return }
        time = last + MediaTime(nanoseconds: steps * tick.nanoseconds)
        usrsctp_handle_timers(UInt32(clamping: steps * 10))
    }

    private static let isInitialized: Bool = {
        usrsctp_init_nothreads(0, SCTPStack.output, nil)
        // One path that the layers below secure and watch: no ECN, no address changes, no authentication of chunks.
        _ = usrsctp_sysctl_set_sctp_ecn_enable(0)
        _ = usrsctp_sysctl_set_sctp_asconf_enable(0)
        _ = usrsctp_sysctl_set_sctp_auth_enable(0)
        _ = usrsctp_sysctl_set_sctp_auto_asconf(0)
        _ = usrsctp_sysctl_set_sctp_nrsack_enable(0)
        _ = usrsctp_sysctl_set_sctp_pktdrop_enable(0)
        _ = usrsctp_sysctl_set_sctp_heartbeat_interval_default(0)
        // Packets for associations that are gone are not answered.
        _ = usrsctp_sysctl_set_sctp_blackhole(2)
        // Times for interactive data over paths of at most some hundred ms; RFC 9260's second is for the whole net.
        _ = usrsctp_sysctl_set_sctp_rto_initial_default(500)
        _ = usrsctp_sysctl_set_sctp_rto_min_default(200)
        _ = usrsctp_sysctl_set_sctp_rto_max_default(5000)
        _ = usrsctp_sysctl_set_sctp_init_rto_max_default(2000)
        _ = usrsctp_sysctl_set_sctp_delayed_sack_time_default(20)
        return true
    }()

    private static let output:
        @convention(c) (UnsafeMutableRawPointer?, UnsafeMutableRawPointer?, Int, UInt8, UInt8) -> Int32 = {
            address, bytes, count, _, _ in
            guard let box = SCTPStack.boxes[UInt(bitPattern: address)] else { return 0 }
            // Full: lost, as on a network; usrsctp sends it again.
            box.mailbox.packets.append(UnsafeRawBufferPointer(start: bytes, count: count))
            return 0
        }

    /// What usrsctp calls with messages and notifications; the last argument is the association's number.
    static let arrived:
        @convention(c) (
            OpaquePointer?, sctp_sockstore, UnsafeMutableRawPointer?, Int, sctp_rcvinfo, Int32, UnsafeMutableRawPointer?
        ) -> Int32 = { _, _, bytes, count, info, flags, connection in
            // usrsctp allocated it for us; without bytes it says that the socket was closed.
            guard let bytes else { return 1 }
            defer { free(bytes) }
            guard let box = SCTPStack.boxes[UInt(bitPattern: connection)] else { return 1 }
            guard box.mailbox.arrivedBytes + count <= maxQueuedBytes else {
                box.mailbox.droppedArrivals += 1
                return 1
            }
            box.mailbox.arrivedBytes += count
            box.mailbox.arrivals.append(
                Arrival(
                    bytes: [UInt8](UnsafeRawBufferPointer(start: bytes, count: count)), stream: info.rcv_sid,
                    ppid: csctp_ppid(info.rcv_ppid), first: info.rcv_tsn,
                    isUnordered: info.rcv_flags & UInt16(SCTP_UNORDERED) != 0,
                    isEnd: flags & Int32(csctp_MSG_EOR) != 0, isNotification: flags & MSG_NOTIFICATION != 0))
            return 1
        }
}
