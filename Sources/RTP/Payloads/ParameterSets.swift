import Core

/// The parameter sets of an H264 or H265 stream as they came last, by kind and number.
struct ParameterSets {
    /// By NAL unit type and the set's own number. Types are few and numbers at most 64, both checked by who adds.
    private var sets: [Key: [UInt8]] = [:]
    /// A set has come that is not in the configuration handed out last.
    private(set) var hasChanged = false

    struct Key: Hashable, Comparable {
        var type: UInt8
        var number: Int
        static func < (a: Key, b: Key) -> Bool { (a.type, a.number) < (b.type, b.number) }
    }

    /// Bytes of one set; more are not taken. Real ones have some dozen, with VUI and scaling lists some hundred.
    static let sizeMax = 4096

    mutating func insert(_ unit: RawSpan, _ key: Key) {
        guard unit.byteCount <= ParameterSets.sizeMax else { return }
        let bytes = unit.withUnsafeBytes { [UInt8]($0) }
        guard sets[key] != bytes else { return }
        sets[key] = bytes
        hasChanged = true
    }

    /// The sets of one type in the order of their numbers.
    func all(_ type: UInt8) -> [[UInt8]] {
        sets.filter { $0.key.type == type }.sorted { $0.key < $1.key }.map(\.value)
    }

    /// The configuration that `make` builds of the sets, if they have changed and it can be built.
    mutating func changed(_ make: (ParameterSets) -> [UInt8]?) -> [UInt8]? {
        guard hasChanged, let configuration = make(self) else { return nil }
        hasChanged = false
        return configuration
    }
}
