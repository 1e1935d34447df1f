import Core
package import Elements

/// Statistics as JSON: in the words of the W3C, or as Kurento's clients expect them.
package enum StatisticsReport {
    /// An object of objects, by id (RTCStatsReport).
    package static func w3c(_ statistics: [Statistics]) -> JSON {
        .object(
            statistics.map { entry in
                let head: [JSON.Member] = [
                    .init("id", .string(entry.id)), .init("type", .string(entry.type.rawValue)),
                    .init("timestamp", .int(Int(entry.timestamp))),
                ]
                return JSON.Member(
                    entry.id,
                    .object(head + entry.values.map { JSON.Member($0.member.rawValue, $0.value.json) }))
            })
    }

    /// What Kurento's `getStats` answers: a map from id to a structure. It has a few types only; what the peer reports
    /// of our streams stands with them.
    package static func kurento(_ statistics: [Statistics]) -> JSON {
        .object(
            statistics.compactMap { entry in
                kurentoMembers(entry, among: statistics).map { type, members in
                    let head: [JSON.Member] = [
                        .init("__module__", "kurento"), .init("__type__", .string(type.structure)),
                        .init("id", .string(entry.id)), .init("type", .string(type.word)),
                        .init("timestampMillis", .int(Int(entry.timestamp))),
                    ]
                    return JSON.Member(entry.id, .object(head + members))
                }
            })
    }

    private static func kurentoMembers(
        _ entry: Statistics, among all: [Statistics]
    ) -> (type: (structure: String, word: String), members: [JSON.Member])? {
        switch entry.type {
        case .inboundRTP:
            let own = streamMembers(entry, loss: entry)
            let more: [JSON.Member] = [
                .init("packetsReceived", entry.whole(.packetsReceived)),
                .init("bytesReceived", entry.whole(.bytesReceived)),
                .init("jitter", entry.fraction(.jitter)),
            ]
            return (("RTCInboundRTPStreamStats", "inboundrtp"), own + more)
        case .outboundRTP:
            let remote = all.first { $0.type == .remoteInboundRTP && $0[.localId]?.text == entry.id }
            let own = streamMembers(entry, loss: remote)
            let more: [JSON.Member] = [
                .init("packetsSent", entry.whole(.packetsSent)), .init("bytesSent", entry.whole(.bytesSent)),
                .init("targetBitrate", entry.fraction(.targetBitrate)),
                .init("roundTripTime", remote?.fraction(.roundTripTime) ?? .double(0)),
            ]
            return (("RTCOutboundRTPStreamStats", "outboundrtp"), own + more)
        case .peerConnection:
            return (
                ("RTCPeerConnectionStats", "session"),
                [
                    .init("dataChannelsOpened", entry.whole(.dataChannelsOpened)),
                    .init("dataChannelsClosed", entry.whole(.dataChannelsClosed)),
                ]
            )
        case .dataChannel:
            return (
                ("RTCDataChannelStats", "datachannel"),
                [
                    .init("label", .string(entry[.label]?.text ?? "")),
                    .init("protocol", .string(entry[.protocol]?.text ?? "")),
                    .init("datachannelid", entry.whole(.dataChannelIdentifier)),
                    .init("state", .string(entry[.state]?.text ?? "")),
                    .init("messagesSent", entry.whole(.messagesSent)),
                    .init("bytesSent", entry.whole(.bytesSent)),
                    .init("messagesReceived", entry.whole(.messagesReceived)),
                    .init("bytesReceived", entry.whole(.bytesReceived)),
                ]
            )
        default: return nil
        }
    }

    /// What Kurento says of streams in both directions; every member is there, as its clients expect. `loss` tells of
    /// lost packets: our own count, or the peer's.
    private static func streamMembers(_ entry: Statistics, loss: Statistics?) -> [JSON.Member] {
        [
            .init("ssrc", .string(entry[.ssrc]?.int.map(String.init) ?? "")), .init("associateStatsId", ""),
            .init("isRemote", false), .init("mediaTrackId", ""), .init("transportId", ""), .init("codecId", ""),
            .init("firCount", entry.whole(.firCount)), .init("pliCount", entry.whole(.pliCount)),
            .init("nackCount", entry.whole(.nackCount)), .init("sliCount", 0), .init("remb", 0),
            .init("packetsLost", loss?.whole(.packetsLost) ?? 0),
            // A share here, 256ths there.
            .init("fractionLost", .double(((loss?[.fractionLost]?.number ?? 0) * 256).rounded(.down))),
        ]
    }
}

extension StatisticsValue {
    package var json: JSON {
        switch self {
        case .int(let value): .int(value)
        case .number(let value): .double(value)
        case .text(let value): .string(value)
        case .boolean(let value): .bool(value)
        }
    }
}

extension Statistics {
    fileprivate func whole(_ member: StatisticsMember) -> JSON { .int(self[member]?.int ?? 0) }
    fileprivate func fraction(_ member: StatisticsMember) -> JSON { .double(self[member]?.number ?? 0) }
}
