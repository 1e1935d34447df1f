import CFFmpeg
package import Core
import Synchronization

/// Ends a blocking call of a `Demuxer` or `Muxer` from outside: at once by `cancel()` from any thread, or when a
/// deadline passes on the clock that was injected. Without a clock there are no deadlines.
///
/// libavformat asks it between its own waits (about every 100 ms on sockets, before every block of a file).
package final class Interrupt: Sendable {
    private let cancelled = Atomic<Bool>(false)
    private let deadline = Atomic<Int64>(.max)
    private let now: (@Sendable () -> Instant)?

    package init(now: (@Sendable () -> Instant)? = nil) { self.now = now }

    /// The running call and all later ones end with `FileError.cancelled`.
    package func cancel() { cancelled.store(true, ordering: .releasing) }

    package var isCancelled: Bool { cancelled.load(ordering: .acquiring) }

    /// Whether a blocking call must end now.
    package var shouldStop: Bool {
        if isCancelled { return true }
        guard let now else { return false }
        return now().nanoseconds >= deadline.load(ordering: .relaxed)
    }

    /// Gives the next blocking call this long; nil: no deadline.
    func allow(_ timeout: MediaTime?) {
        guard let now, let timeout else { return deadline.store(.max, ordering: .relaxed) }
        deadline.store((now() + timeout).nanoseconds, ordering: .relaxed)
    }

    /// For a libav context. The context must not outlive this object.
    var callback: AVIOInterruptCB {
        AVIOInterruptCB(
            callback: { opaque in
                guard let opaque else { return 0 }
                return Unmanaged<Interrupt>.fromOpaque(opaque).takeUnretainedValue().shouldStop ? 1 : 0
            }, opaque: Unmanaged.passUnretained(self).toOpaque())
    }
}
