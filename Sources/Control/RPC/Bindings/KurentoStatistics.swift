import Core
import Elements
import Media

/// What `getStats` answers of an element, made of the figures in the words of the W3C's present statistics. Made on the
/// pipeline's loop.
struct KurentoStatistics {
    /// By id, in the order in which they were made.
    private(set) var entries: [Argument] = []
    private let owner: String

    init(_ element: Element, _ kinds: Set<MediaKind>, unixMilliseconds now: Int64) {
        owner = element.name
        if let endpoint = element as? BaseRtpEndpoint {
            let all = endpoint.statistics(kinds)
            let remote = all.filter { $0.type == .remoteInboundRTP }
            // Before that it is an offer only.
            let isNegotiated = (endpoint as? any SDPNegotiator)?.remoteSessionDescriptor != nil
            for one in all {
                switch one.type {
                case .inboundRTP: addInbound(one)
                case .outboundRTP where isNegotiated:
                    addOutbound(one, remote: remote.first { $0[.localId]?.text == one.id })
                case .peerConnection:
                    add(
                        one, "RTCPeerConnectionStats", "session",
                        [whole(one, .dataChannelsOpened), whole(one, .dataChannelsClosed)])
                case .dataChannel: addChannel(one)
                default: break
                }
            }
        }
        if element.context.measuresLatency { addLatency(element, kinds, now) }
    }

    /// In the form that Kurento's have: as long as an entry is the same, so is its id.
    private func uuid(_ id: String) -> String {
        // FNV-1a, twice: different things are only to have different numbers.
        func hash(_ offset: UInt64) -> UInt64 {
            "\(owner) \(id)".utf8.reduce(offset) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        }
        // A version of one's own, and the variant (RFC 9562, section 5.8).
        let upper = hash(0xCBF2_9CE4_8422_2325) & ~0xF000 | 0x8000
        let lower = hash(0x8422_2325_CBF2_9CE4) & ~(3 << 62) | 2 << 62
        let digits = [upper, lower].map { number in
            let text = String(number, radix: 16)
            return String(repeating: "0", count: 16 - text.count) + text
        }.joined()
        var rest = digits[...]
        return [8, 4, 4, 4, 12].map { count in
            defer { rest = rest.dropFirst(count) }
            return rest.prefix(count)
        }.joined(separator: "-")
    }

    private mutating func add(_ one: Statistics, _ type: String, _ kind: String, _ members: [Argument]) {
        let id = uuid(one.id)
        entries.append(
            Argument(
                id,
                .structure(
                    of: type,
                    [
                        Argument("id", .string(id)), Argument("type", .string(kind)),
                        Argument("timestampMillis", .int(Int(one.timestamp))),
                    ] + members)))
    }

    private func whole(_ one: Statistics?, _ member: StatisticsMember, as name: String? = nil) -> Argument {
        Argument(name ?? member.rawValue, .int(one?[member]?.int ?? 0))
    }

    private func real(_ one: Statistics?, _ member: StatisticsMember) -> Argument {
        Argument(member.rawValue, .float(one?[member]?.number ?? 0))
    }

    /// What both ways have; `lossTold` is who knows of losses.
    private func stream(_ one: Statistics, lossTold: Statistics?, estimate: Int) -> [Argument] {
        let ssrc = one[.ssrc].map { $0.int.map { String(UInt32(truncatingIfNeeded: $0)) } ?? $0.text ?? "" } ?? ""
        let lost = max(0, min(1, lossTold?[.fractionLost]?.number ?? 0)) * 256
        return [
            Argument("ssrc", .string(ssrc)), Argument("associateStatsId", .string("")),
            Argument("isRemote", .boolean(false)), Argument("mediaTrackId", .string("")),
            Argument("transportId", .string("")), Argument("codecId", .string("")), whole(one, .firCount),
            whole(one, .pliCount), whole(one, .nackCount), Argument("sliCount", .int(0)),
            Argument("remb", .int(estimate)), whole(lossTold, .packetsLost),
            Argument("fractionLost", .float(lost.rounded(.down))),
        ]
    }

    private mutating func addInbound(_ one: Statistics) {
        add(
            one, "RTCInboundRTPStreamStats", "inboundrtp",
            stream(one, lossTold: one, estimate: 0)
                + [whole(one, .packetsReceived), whole(one, .bytesReceived), real(one, .jitter)])
    }

    private mutating func addOutbound(_ one: Statistics, remote: Statistics?) {
        add(
            one, "RTCOutboundRTPStreamStats", "outboundrtp",
            stream(one, lossTold: remote, estimate: one[.targetBitrate]?.int ?? 0)
                + [
                    whole(one, .packetsSent), whole(one, .bytesSent), real(one, .targetBitrate),
                    real(remote, .roundTripTime),
                ])
    }

    private mutating func addChannel(_ one: Statistics) {
        add(
            one, "RTCDataChannelStats", "datachannel",
            [
                Argument("label", .string(one[.label]?.text ?? "")),
                Argument("protocol", .string(one[.protocol]?.text ?? "")),
                whole(one, .dataChannelIdentifier, as: "datachannelid"),
                Argument("state", .string(one[.state]?.text ?? "closed")), whole(one, .messagesSent),
                whole(one, .bytesSent), whole(one, .messagesReceived), whole(one, .bytesReceived),
            ])
    }

    /// Under the element's own id: how old frames are when they come in, 0 before the first. What an endpoint takes
    /// leaves it at once, so that is also how old they are when they go to the peer or the file. An endpoint has pads for what
    /// is linked to it, others have theirs always.
    private mutating func addLatency(_ element: Element, _ kinds: Set<MediaKind>, _ now: Int64) {
        let isEndpoint = ObjectModel.tessera.isClass(element.className, a: "Endpoint")
        let input = [MediaKind.audio, .video].compactMap { kind -> ArgumentValue? in
            guard kinds.contains(kind), let pad = element.inputs[kind], !isEndpoint || pad.upstream != nil else {
                return nil
            }
            let age = pad.latency ?? .zero
            return .structure([
                Argument("name", .string("sink_\(kind.rawValue)_default")), Argument("type", kind.wire),
                Argument("avg", .float(Double(max(0, age.nanoseconds)))),
            ])
        }
        var members = [
            Argument("id", .string(element.name)), Argument("type", .string(isEndpoint ? "endpoint" : "element")),
            Argument("timestampMillis", .int(Int(now))), Argument("inputLatency", .list(input)),
        ]
        if isEndpoint { members.append(Argument("E2ELatency", .list(input))) }
        entries.append(Argument(element.name, .structure(of: isEndpoint ? "EndpointStats" : "ElementStats", members)))
    }
}
