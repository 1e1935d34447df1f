import Glibc

/// Datagrams that came to a UDP port of IPv4 and found the kernel's buffer of the socket full.
package func datagramsDropped(at port: UInt16) -> Int {
    guard let file = fopen("/proc/net/udp", "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 512)
    var drops = 0
    while fgets(&line, 512, file) != nil {
        let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let words = text.split { $0 == " " || $0 == "\n" }
        // The second is the local address, in hexadecimal digits; the last the count.
        guard words.count > 10, let colon = words[1].lastIndex(of: ":"),
            UInt16(words[1][words[1].index(after: colon)...], radix: 16) == port
        else { continue }
        drops += words.last.flatMap { Int($0) } ?? 0
    }
    return drops
}
