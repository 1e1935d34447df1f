import Glibc

/// A lock that owns the state it guards. The only lock in the house: ThreadSanitizer on Linux sees
/// `pthread_mutex_t`, but not `Synchronization.Mutex`. Stands only in mailboxes, pools, executors and metrics.
package final class Lock<State>: @unchecked Sendable {
    // Sendable: `state` is touched only between lock and unlock of the mutex beside it.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private var state: State

    package init(_ state: sending State) {
        self.state = state
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        let result = pthread_mutex_init(mutex, nil)
        precondition(result == 0, "pthread_mutex_init failed: \(result)")
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    package func withLock<R, Failure: Error>(
        _ body: (inout sending State) throws(Failure) -> sending R
    ) throws(Failure) -> sending R {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&state)
    }
}
