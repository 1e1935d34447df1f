import CLinux

/// Memory in use: what was handed out and not given back. Unlike resident memory it does not count what is free and was
/// not returned to the system yet.
package func heapKiB() -> Int { Int(clinux_heap_bytes() >> 10) }

/// Gives back to the system what is free and only kept by malloc.
package func trimHeap() { clinux_trim_memory() }
