import Core

/// Figures of one thing at one time, in the words of the W3C's webrtc-stats: `inbound-rtp` of one source, one
/// `candidate-pair`, one `codec`. What is not known is not in it.
package struct Statistics: Hashable, Sendable {
    package let type: StatisticsType
    /// The same in every report for as long as the thing lives; unique in its endpoint.
    package let id: String
    /// Milliseconds since 1970.
    package let timestamp: Int64
    /// In the order of `type.members`.
    package var values: [(member: StatisticsMember, value: StatisticsValue)] {
        type.members.compactMap { member in known[member].map { (member, $0) } }
    }
    private var known: [StatisticsMember: StatisticsValue] = [:]

    package init(_ type: StatisticsType, id: String, timestamp: Int64) {
        self.type = type
        self.id = id
        self.timestamp = timestamp
    }

    /// nil: not known. Traps on a member that the type does not have: that is our mistake.
    package subscript(member: StatisticsMember) -> StatisticsValue? {
        get { known[member] }
        set {
            precondition(type.members.contains(member), "\(type.rawValue) has no member \(member.rawValue)")
            known[member] = newValue
        }
    }

    mutating func set(_ member: StatisticsMember, _ value: Int?) { if let value { self[member] = .int(value) } }
    mutating func set(_ member: StatisticsMember, _ value: Double?) { if let value { self[member] = .number(value) } }
    mutating func set(_ member: StatisticsMember, _ value: String?) { if let value { self[member] = .text(value) } }
    mutating func set(_ member: StatisticsMember, _ value: Bool?) { if let value { self[member] = .boolean(value) } }
    mutating func set(_ member: StatisticsMember, _ value: MediaTime?) { set(member, value?.seconds) }
}

/// One figure.
package enum StatisticsValue: Hashable, Sendable {
    case int(Int)
    case number(Double)
    case text(String)
    case boolean(Bool)

    package var int: Int? {
        switch self {
        case .int(let value): value
        case .number(let value): Int(exactly: value.rounded())
        default: nil
        }
    }
    package var number: Double? {
        switch self {
        case .int(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }
    package var text: String? { if case .text(let value) = self { value } else { nil } }
}
