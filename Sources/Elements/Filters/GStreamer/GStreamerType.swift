import Core

/// The type of a property, with everything that decides whether a text is a value of it.
package enum GStreamerType: Sendable {
    case int(ClosedRange<Int>)
    case double(ClosedRange<Double>)
    case boolean
    case string
    /// Words with the numbers that stand for them.
    case word([(word: String, number: Int)])
    case fraction
    /// `video/x-raw,width=320,…` or `audio/x-raw,channels=1,…`.
    case caps

    /// Any whole number of 32 bits.
    static let anyInt = GStreamerType.int(Int(Int32.min)...Int(Int32.max))
    /// A 32-bit number without a sign, such as a colour.
    static let unsigned = GStreamerType.int(0...Int(UInt32.max))

    /// Words that stand for 0, 1, 2 and so on.
    static func words(_ words: String...) -> GStreamerType {
        .word(words.enumerated().map { ($0.element, $0.offset) })
    }

    /// What is allowed, to follow “must be”.
    package var expectation: String {
        switch self {
        case .int(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .double(let range):
            range.upperBound > 1e30
                ? "a number" : "a number from \(short(range.lowerBound)) to \(short(range.upperBound))"
        case .boolean: "true or false"
        case .string: "a text"
        case .word(let words): words.map { "\($0.word) (\($0.number))" }.joined(separator: ", ")
        case .fraction: "a fraction such as 16/9"
        case .caps: "caps such as video/x-raw,width=640,height=480,framerate=15/1 or audio/x-raw,channels=1"
        }
    }

    /// The value that a text stands for, as GStreamer reads it; nil if it stands for none.
    func parse(_ text: String) -> GStreamerValue? {
        switch self {
        case .int(let range): GStreamerType.int(text).flatMap { range.contains($0) ? .int($0) : nil }
        case .double(let range):
            Double(text).flatMap { $0.isFinite && range.contains($0) ? .double($0) : nil }
        case .boolean: GStreamerType.flag(text).map { .flag($0) }
        case .string: .text(text)
        case .word(let words):
            words.first { $0.word == text.lowercased() || "\($0.number)" == text }.map { .text($0.word) }
        case .fraction: GStreamerType.fraction(text).map { .fraction($0) }
        case .caps: GStreamerCaps(text).map { .caps($0) }
        }
    }

    /// Decimal or, after `0x`, hexadecimal.
    static func int(_ text: String) -> Int? {
        let lowered = text.lowercased()
        if lowered.hasPrefix("0x") { return Int(lowered.dropFirst(2), radix: 16) }
        return Int(text)
    }

    static func flag(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "true", "t", "yes", "y", "1", "on": true
        case "false", "f", "no", "n", "0", "off": false
        default: nil
        }
    }

    /// `a/b` or `a`, both positive.
    static func fraction(_ text: String) -> Rational? {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let above = parts.first.flatMap({ Int($0) }),
            let below = parts.count == 2 ? Int(parts[1]) : 1
        else { return nil }
        guard (1...Int(Int32.max)).contains(above), (1...Int(Int32.max)).contains(below) else { return nil }
        return Rational(above, below)
    }
}

/// A value of a property.
enum GStreamerValue: Hashable, Sendable {
    case int(Int)
    case double(Double)
    case flag(Bool)
    case text(String)
    case fraction(Rational)
    case caps(GStreamerCaps)
}

/// What raw media is to be like, as far as this server can make it so.
struct GStreamerCaps: Hashable, Sendable {
    var isVideo: Bool
    var width: Int?
    var height: Int?
    var frameRate: Rational?
    var isGrey = false
    var channels: Int?

    /// Nil where the text is no caps, or wants what cannot be made.
    init?(_ text: String) {
        var fields = text.split(separator: ",", omittingEmptySubsequences: false).map { GStreamerCaps.trimmed($0) }
        let name = fields.removeFirst()
        guard name == "video/x-raw" || name == "audio/x-raw" else { return nil }
        isVideo = name == "video/x-raw"
        for field in fields where !field.isEmpty {
            guard let equals = field.firstIndex(of: "=") else { return nil }
            let key = GStreamerCaps.trimmed(field[..<equals])
            var value = GStreamerCaps.trimmed(field[field.index(after: equals)...])
            // A type may stand before the value: (int)320.
            if value.hasPrefix("("), let close = value.firstIndex(of: ")") {
                value = GStreamerCaps.trimmed(value[value.index(after: close)...])
            }
            guard set(key, value) else { return nil }
        }
    }

    private mutating func set(_ key: String, _ value: String) -> Bool {
        func size() -> Int? { Int(value).flatMap { (16...8192).contains($0) ? $0 : nil } }
        switch (isVideo, key) {
        case (true, "width"):
            width = size()
            return width != nil
        case (true, "height"):
            height = size()
            return height != nil
        case (true, "framerate"):
            frameRate = GStreamerType.fraction(value).flatMap { (0.01...240).contains($0.value) ? $0 : nil }
            return frameRate != nil
        case (true, "format"):
            // Everything is I420 here; what others only store otherwise looks the same.
            isGrey = value == "GRAY8"
            return true
        case (true, "pixel-aspect-ratio"): return value == "1/1"
        case (false, "channels"):
            channels = Int(value).flatMap { (1...2).contains($0) ? $0 : nil }
            return channels != nil
        // Everything is 48 kHz float here; a rate or a format of samples cannot be heard.
        case (false, "rate"): return Int(value) != nil
        case (false, "format"), (false, "layout"): return true
        default: return false
        }
    }

    private static func trimmed(_ text: Substring) -> String {
        String(text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
    private static func trimmed(_ text: String) -> String { trimmed(text[...]) }
}

/// A number without zeros that say nothing.
func short(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 1e9 ? String(Int(value)) : String(value)
}
