/// Marks of packets for routers (RFC 2474), by the names that clients of Kurento use.
package enum PacketMark {
    /// The mark of that name, 0…63; nil: what is configured for all sockets of the server. `NO_DSCP` asks for none.
    package static func named(_ name: String) -> UInt8? {
        if let kind = kinds[name] { return kind }
        // Class selectors (RFC 2474): CS0…CS7. Assured forwarding (RFC 2597): AFxy.
        let digits = name.compactMap { $0.wholeNumberValue }
        if name.hasPrefix("CS"), digits.count == 1, digits[0] < 8 { return UInt8(digits[0] * 8) }
        if name.hasPrefix("AF"), digits.count == 2, (1...4).contains(digits[0]), (1...3).contains(digits[1]) {
            return UInt8(digits[0] * 8 + digits[1] * 2)
        }
        return nil
    }

    /// By use as in RFC 8837, section 5, with RFC 8622 for what may be least; `CHROME_…` is what that browser sends.
    private static let kinds: [String: UInt8] = [
        "NO_DSCP": 0, "EF": 46, "VOICEADMIT": 44, "LE": 1,
        "AUDIO_VERYLOW": 1, "AUDIO_LOW": 0, "AUDIO_MEDIUM": 46, "AUDIO_HIGH": 46,
        "VIDEO_VERYLOW": 1, "VIDEO_LOW": 0, "VIDEO_MEDIUM": 36, "VIDEO_MEDIUM_THROUGHPUT": 38, "VIDEO_HIGH": 36,
        "VIDEO_HIGH_THROUGHPUT": 34,
        "DATA_VERYLOW": 1, "DATA_LOW": 0, "DATA_MEDIUM": 10, "DATA_HIGH": 18,
        "CHROME_VERYLOW": 8, "CHROME_LOW": 0, "CHROME_MEDIUM": 56, "CHROME_HIGH": 56,
    ]
}
