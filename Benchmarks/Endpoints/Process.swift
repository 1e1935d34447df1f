import Core
import Glibc
import LoopbackRig

/// What happens, on standard error.
func say(_ text: String) {
    let line = "bench-endpoints: \(text)\n"
    _ = write(STDERR_FILENO, line, line.utf8.count)
}

/// A row of a table for the documentation.
func row(_ cells: String...) { print("| " + cells.joined(separator: " | ") + " |") }

func fixed(_ value: Double, _ digits: Int) -> String {
    guard value.isFinite else { return "—" }
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let whole = Int((value * scale).rounded())
    if digits == 0 { return "\(whole)" }
    let rest = "\(abs(whole) % Int(scale))"
    return "\(whole < 0 ? "-" : "")\(abs(whole) / Int(scale))."
        + String(repeating: "0", count: digits - rest.utf8.count) + rest
}

/// CPU time of this process, all threads, in seconds.
func processTime() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

func wallTime() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// Resident memory, in KiB, without what is free and only kept by malloc.
func residentKiB() -> Int {
    trimHeap()
    guard let file = fopen("/proc/self/status", "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    while fgets(&line, 256, file) != nil {
        let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        if text.hasPrefix("VmRSS:") { return Int(text.filter(\.isNumber)) ?? 0 }
    }
    return 0
}
