import Core
import ICE
import Media
import RTP
import Transport
import WebRTC

extension WebRtcEndpoint {
    private static let transport = "transport"

    /// Streams, transport, candidates and data channels of the peer.
    func readPeer(into reader: inout StatisticsReader, kinds: Set<MediaKind>) {
        guard let machine else { return }
        reader.read(machine.session, transport: Self.transport, kinds: kinds, sound: soundStatistics)
        if kinds.contains(.data), options.usesDataChannels { readChannels(machine, into: &reader) }
        guard kinds.count == MediaKind.allCases.count else { return }
        let pairs = machine.ice.pairStatuses
        readTransport(machine, selected: pairs.first(where: \.isSelected), into: &reader)
        for candidate in machine.ice.allLocalCandidates {
            add(.localCandidate, candidate, machine.ice.local.ufrag, into: &reader)
        }
        for candidate in machine.ice.allRemoteCandidates {
            add(.remoteCandidate, candidate, machine.ice.remote?.ufrag, into: &reader)
        }
        for pair in pairs { add(pair, machine, into: &reader) }
    }

    private func readTransport(_ machine: Peer, selected: ICEPairStatus?, into reader: inout StatisticsReader) {
        reader.add(.transport, id: Self.transport) { statistics in
            statistics.set(.packetsSent, machine.counters.packetsSent)
            statistics.set(.packetsReceived, machine.counters.packetsReceived)
            statistics.set(.bytesSent, machine.counters.bytesSent)
            statistics.set(.bytesReceived, machine.counters.bytesReceived)
            statistics.set(.iceRole, machine.ice.role == .controlling ? "controlling" : "controlled")
            statistics.set(.iceLocalUsernameFragment, machine.ice.local.ufrag)
            statistics.set(.iceState, iceTransportState)
            statistics.set(.dtlsState, dtlsState.rawValue.lowercased())
            statistics.set(.dtlsRole, agreement == nil ? "unknown" : machine.dtlsRole == .client ? "client" : "server")
            statistics.set(.selectedCandidatePairId, selected.map(Self.id))
            statistics.set(.selectedCandidatePairChanges, pairChanges)
        }
    }

    /// As RTCIceTransportState names it.
    private var iceTransportState: String {
        switch iceState {
        case .disconnected: connectionState == .connected || pairChanges > 0 ? "disconnected" : "new"
        case .gathering: "new"
        case .connecting: "checking"
        case .connected: "connected"
        case .ready: "completed"
        case .failed: "failed"
        }
    }

    private static func id(_ pair: ICEPairStatus) -> String { "candidate-pair-\(pair.id)" }

    private static func id(_ type: StatisticsType, _ candidate: ICECandidate) -> String {
        "\(type.rawValue)-\(candidate.foundation)-\(candidate.transport.rawValue)-\(candidate.host):\(candidate.port)"
    }

    private func add(
        _ type: StatisticsType, _ candidate: ICECandidate, _ ufrag: String?, into reader: inout StatisticsReader
    ) {
        reader.add(type, id: Self.id(type, candidate)) { statistics in
            statistics.set(.transportId, Self.transport)
            statistics.set(.address, candidate.host.description)
            statistics.set(.port, Int(candidate.port))
            statistics.set(.protocol, candidate.transport.rawValue)
            statistics.set(.candidateType, candidate.kind.rawValue)
            statistics.set(.priority, Int(candidate.priority))
            statistics.set(.foundation, candidate.foundation)
            statistics.set(.relatedAddress, candidate.related?.ip.description)
            statistics.set(.relatedPort, candidate.related.map { Int($0.port) })
            statistics.set(.usernameFragment, candidate.ufrag ?? ufrag)
            statistics.set(.tcpType, candidate.tcpType?.rawValue)
        }
    }

    private func add(_ pair: ICEPairStatus, _ machine: Peer, into reader: inout StatisticsReader) {
        reader.add(.candidatePair, id: Self.id(pair)) { statistics in
            statistics.set(.transportId, Self.transport)
            statistics.set(.localCandidateId, Self.id(.localCandidate, pair.local))
            statistics.set(.remoteCandidateId, Self.id(.remoteCandidate, pair.remote))
            statistics.set(.state, pair.state.rawValue)
            statistics.set(.nominated, pair.isNominated)
            statistics.set(.currentRoundTripTime, pair.roundTrip)
            if pair.isSelected, machine.session.sender.estimator.hasFeedback {
                statistics.set(.availableOutgoingBitrate, Double(machine.session.sender.target))
            }
        }
    }

    private func readChannels(_ machine: Peer, into reader: inout StatisticsReader) {
        reader.add(.peerConnection, id: "peer-connection") { statistics in
            statistics.set(.dataChannelsOpened, lastChannel)
            statistics.set(.dataChannelsClosed, channelsClosed)
        }
        for (number, id) in channels.sorted(by: { $0.key < $1.key }) {
            guard let status = machine.data.status(id) else { continue }
            reader.add(.dataChannel, id: "data-channel-\(number)") { statistics in
                statistics.set(.label, status.parameters.label)
                statistics.set(.protocol, status.parameters.subprotocol)
                statistics.set(.dataChannelIdentifier, status.stream.map { Int($0) })
                statistics.set(.state, status.state.rawValue)
                statistics.set(.messagesSent, status.traffic.messagesSent)
                statistics.set(.bytesSent, status.traffic.bytesSent)
                statistics.set(.messagesReceived, status.traffic.messagesReceived)
                statistics.set(.bytesReceived, status.traffic.bytesReceived)
            }
        }
    }
}
