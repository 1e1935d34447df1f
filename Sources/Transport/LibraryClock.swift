import COpenSSL
package import Core

/// Tells OpenSSL and usrsctp, which read the wall clock themselves, what time it is while they are called.
///
/// In production nothing stands behind it: their clock runs as ours does, and only differences are looked at. Programs
/// that run in virtual time link a C target that answers their `gettimeofday` with the time given here.
package enum LibraryClock {
    package static func at<R, Failure: Error>(_ now: Instant, _ body: () throws(Failure) -> R) throws(Failure) -> R {
        copenssl_set_library_clock(max(0, now.nanoseconds))
        defer { copenssl_set_library_clock(-1) }
        return try body()
    }
}
