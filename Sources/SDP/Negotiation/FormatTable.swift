/// The RTP formats of one m-line, in its order: `a=rtpmap`, `a=fmtp` and `a=rtcp-fb` put together.
struct FormatTable: Hashable, Sendable {
    struct Entry: Hashable, Sendable {
        var map: RTPMap
        var parameters: FormatParameters
        var feedback: [String]

        /// Of retransmissions: whose they are (RFC 4588, section 8.6).
        var associatedType: UInt8? {
            guard map.name.isSame(as: "rtx"), let apt = parameters.int("apt") else { return nil }
            return UInt8(exactly: apt)
        }

        static func retransmission(_ payloadType: UInt8, of primary: RTPMap) -> Entry {
            Entry(
                map: RTPMap(payloadType: payloadType, name: "rtx", clockRate: primary.clockRate),
                parameters: FormatParameters("apt=\(primary.payloadType)"), feedback: [])
        }
    }

    var entries: [Entry] = []

    /// Formats without `a=rtpmap` that are not well known, and repetitions, are left out.
    init(_ media: MediaDescription) {
        var maps: [UInt8: RTPMap] = [:]
        var parameters: [String: FormatParameters] = [:]
        var feedback: [UInt8?: [String]] = [:]
        for attribute in media.attributes {
            switch attribute {
            case .rtpmap(let map): if maps[map.payloadType] == nil { maps[map.payloadType] = map }
            case .fmtp(let format, let text): if parameters[format] == nil { parameters[format] = text }
            case .rtcpFeedback(let value): feedback[value.payloadType, default: []].append(value.value)
            default: break
            }
        }
        var seen: Set<UInt8> = []
        for format in media.formats {
            guard let payloadType = format[...].decimal(UInt8.self), payloadType < 128,
                seen.insert(payloadType).inserted,
                let map = maps[payloadType] ?? RTPMap.ofStaticType(payloadType)
            else { continue }
            entries.append(
                Entry(
                    map: map, parameters: parameters[format] ?? "",
                    feedback: (feedback[payloadType] ?? []) + (feedback[nil] ?? [])))
        }
    }

    init(entries: [Entry]) { self.entries = entries }

    subscript(_ payloadType: UInt8) -> Entry? { entries.first { $0.map.payloadType == payloadType } }

    /// The payload type of the retransmissions of `payloadType`.
    func retransmission(of payloadType: UInt8) -> UInt8? {
        entries.first { $0.associatedType == payloadType }?.map.payloadType
    }
}
