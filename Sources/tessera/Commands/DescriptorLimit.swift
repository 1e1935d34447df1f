import Glibc

/// How many sockets and files the process may have open (`ulimit -n`).
enum DescriptorLimit {
    /// Far above what clients may come to by their limits. The HTTP library keeps 16 bytes for each that is possible,
    /// so a system without bound gets one.
    private static let most: rlim_t = 1 << 17

    /// Sets the soft limit, often 1024, to what the system allows the process. To be called before the HTTP library
    /// looks at it.
    static func raise() {
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0 else { return }
        limit.rlim_cur = min(limit.rlim_max, most)
        _ = setrlimit(resource, &limit)
    }
}
