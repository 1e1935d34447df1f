/// Formats that the peer offered and we take, in the order of our answer.
struct FormatChoice {
    /// What the answer lists: numbers of the offer, parameters of ours.
    private(set) var entries: [FormatTable.Entry] = []
    private(set) var canSend = false
    private(set) var canReceive = false

    private struct Primary {
        var rank: Int
        var entry: FormatTable.Entry
        var codec: CodecCapability
    }

    /// Nil where no codec is in common: helpers alone carry no media.
    init?(_ offered: FormatTable, local: MediaCapabilities, preference: CodecPreference, usesFeedback: Bool) {
        var primaries: [Primary] = []
        for (place, entry) in offered.entries.enumerated() {
            guard let (index, codec) = CodecMatcher.capability(for: entry, in: local.codecs), codec.isPrimary else {
                continue
            }
            let own = FormatTable.Entry(
                map: entry.map, parameters: CodecMatcher.answerParameters(to: entry, codec),
                feedback: usesFeedback ? codec.feedback.filter(entry.feedback.contains) : [])
            primaries.append(Primary(rank: preference == .local ? index : place, entry: own, codec: codec))
        }
        guard !primaries.isEmpty else { return nil }
        // Stable: what is equal to us stays in the order of the offer.
        primaries = primaries.enumerated().sorted { ($0.element.rank, $0.offset) < ($1.element.rank, $1.offset) }
            .map(\.element)
        for primary in primaries {
            entries.append(primary.entry)
            canSend = canSend || primary.codec.canSend
            canReceive = canReceive || primary.codec.canReceive
            let payloadType = primary.entry.map.payloadType
            if primary.codec.rtxPayloadType != nil, let rtx = offered.retransmission(of: payloadType) {
                entries.append(.retransmission(rtx, of: primary.entry.map))
            }
        }
        addHelpers(offered, local: local, usesFeedback: usesFeedback)
    }

    private mutating func addHelpers(_ offered: FormatTable, local: MediaCapabilities, usesFeedback: Bool) {
        let primaries = entries
        for entry in offered.entries {
            guard let role = PayloadFormat.helper(named: entry.map.name),
                let (_, codec) = CodecMatcher.capability(for: entry, in: local.codecs)
            else { continue }
            var parameters = codec.parameters
            switch role {
            case .redundancy where !entry.parameters.isEmpty:
                // RFC 2198: the formats inside, which must all be ones we take.
                let inside = entry.parameters.text.fields(of: "/").map { $0.trimmed.decimal(UInt8.self) }
                let known = primaries.map(\.map.payloadType)
                guard inside.allSatisfy({ $0.map(known.contains) ?? false }) else { continue }
                parameters = entry.parameters
            case .events, .comfortNoise:
                // RFC 4733, section 2.1: they share the clock of the sound they stand in for.
                guard primaries.contains(where: { $0.map.clockRate == entry.map.clockRate }) else { continue }
            default: break
            }
            entries.append(
                FormatTable.Entry(
                    map: entry.map, parameters: parameters,
                    feedback: usesFeedback ? codec.feedback.filter(entry.feedback.contains) : []))
        }
    }
}
