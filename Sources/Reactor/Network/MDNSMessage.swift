import Core

/// The two messages of a one-shot multicast DNS query (RFC 6762, section 5.1; format of RFC 1035, section 4): the
/// question for a name's addresses, and the addresses in an answer. Pure functions.
enum MDNSMessage {
    private static let typeA: UInt16 = 1
    private static let typeAAAA: UInt16 = 28
    private static let classIN: UInt16 = 1
    /// Records read from one message, and jumps followed in one name: more are somebody's attempt to keep us busy.
    private static let recordsMax = 64
    private static let jumpsMax = 16

    /// Whether a name is asked for by multicast.
    static func isLocal(_ name: String) -> Bool {
        let key = key(name)
        return key.hasSuffix(".local") && key != ".local"
    }

    /// The form in which names are compared: lower case ASCII, without the dot at the end.
    static func key(_ name: String) -> String {
        let name = name.hasSuffix(".") ? String(name.dropLast()) : name
        return name.lowercased()
    }

    /// Asks for both kinds of address; nil if a label is empty or longer than 63 bytes.
    static func query(_ name: String, id: UInt16) -> [UInt8]? {
        let labels = key(name).utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard labels.allSatisfy({ (1...63).contains($0.count) }) else { return nil }
        var writer = ByteWriter(capacity: 300)
        writer.u16(id)
        writer.u16(0)
        writer.u16(2)
        for _ in 0..<3 { writer.u16(0) }
        for type in [typeA, typeAAAA] {
            for label in labels {
                writer.u8(UInt8(label.count))
                writer.append(label)
            }
            writer.u8(0)
            writer.u16(type)
            writer.u16(classIN)
        }
        return writer.bytes
    }

    /// The address records of an answer, names as `key` makes them; empty for a question.
    static func addresses(in message: RawSpan) throws(TruncatedError) -> [(name: String, ip: IPAddress)] {
        var reader = ByteReader(message)
        try reader.skip(2)
        let isAnswer = try reader.u16() & 0x8000 != 0
        let questions = try reader.u16()
        let records = Int(try reader.u16()) + Int(try reader.u16()) + Int(try reader.u16())
        guard isAnswer, questions <= recordsMax else { return [] }
        for _ in 0..<questions {
            _ = try name(&reader, in: message)
            try reader.skip(4)
        }
        var found: [(name: String, ip: IPAddress)] = []
        for _ in 0..<min(records, recordsMax) {
            let owner = try name(&reader, in: message)
            let type = try reader.u16()
            // The top bit tells caches to forget older records (section 10.2); the rest is the class.
            let isInternet = try reader.u16() & 0x7FFF == classIN
            try reader.skip(4)
            let data = try reader.bytes(Int(try reader.u16()))
            guard isInternet, (type == typeA && data.count == 4) || (type == typeAAAA && data.count == 16),
                let ip = IPAddress(data)
            else { continue }
            found.append((owner, ip))
        }
        return found
    }

    /// A name, following the jumps of compression (RFC 1035, section 4.1.4).
    private static func name(_ reader: inout ByteReader, in message: RawSpan) throws(TruncatedError) -> String {
        var bytes: [UInt8] = []
        if let jump = try labels(&reader, into: &bytes) {
            var target = jump
            for step in 0...jumpsMax {
                guard step < jumpsMax, target < message.byteCount else { throw TruncatedError() }
                var elsewhere = ByteReader(message.extracting(target..<message.byteCount))
                guard let next = try labels(&elsewhere, into: &bytes) else { break }
                target = next
            }
        }
        return String(decoding: bytes, as: UTF8.self).lowercased()
    }

    /// Labels up to the name's end (nil), or to a jump: where it goes.
    private static func labels(_ reader: inout ByteReader, into bytes: inout [UInt8]) throws(TruncatedError) -> Int? {
        while true {
            let length = try reader.u8()
            if length == 0 { return nil }
            if length & 0xC0 == 0xC0 { return Int(length & 0x3F) << 8 | Int(try reader.u8()) }
            guard length < 64, bytes.count + Int(length) < 256 else { throw TruncatedError() }
            if !bytes.isEmpty { bytes.append(UInt8(ascii: ".")) }
            bytes += try reader.bytes(Int(length))
        }
    }
}
