/// The kinds of statistics (RTCStatsType) that are made here, each with its members.
package enum StatisticsType: String, Hashable, Sendable, CaseIterable {
    case codec
    case inboundRTP = "inbound-rtp"
    case outboundRTP = "outbound-rtp"
    case remoteInboundRTP = "remote-inbound-rtp"
    case remoteOutboundRTP = "remote-outbound-rtp"
    case peerConnection = "peer-connection"
    case dataChannel = "data-channel"
    case transport
    case candidatePair = "candidate-pair"
    case localCandidate = "local-candidate"
    case remoteCandidate = "remote-candidate"

    /// In the order in which they are shown; `id`, `type` and `timestamp` go before them.
    package var members: [StatisticsMember] {
        switch self {
        case .codec: [.payloadType, .transportId, .mimeType, .clockRate, .channels, .sdpFmtpLine]
        case .inboundRTP: Self.stream + Self.received + Self.inbound + Self.inboundVideo + Self.inboundAudio
        case .outboundRTP: Self.stream + Self.sent + Self.outbound
        case .remoteInboundRTP: Self.stream + Self.received + [.localId, .fractionLost] + Self.roundTrips
        case .remoteOutboundRTP:
            Self.stream + Self.sent + [.localId, .remoteTimestamp, .reportsSent] + Self.roundTrips
        case .peerConnection: [.dataChannelsOpened, .dataChannelsClosed]
        case .dataChannel:
            [
                .label, .protocol, .dataChannelIdentifier, .state, .messagesSent, .bytesSent, .messagesReceived,
                .bytesReceived,
            ]
        case .transport:
            [
                .packetsSent, .packetsReceived, .bytesSent, .bytesReceived, .iceRole, .iceLocalUsernameFragment,
                .iceState, .dtlsState, .dtlsRole, .selectedCandidatePairId, .selectedCandidatePairChanges,
            ]
        case .candidatePair:
            [
                .transportId, .localCandidateId, .remoteCandidateId, .state, .nominated, .currentRoundTripTime,
                .availableOutgoingBitrate,
            ]
        case .localCandidate, .remoteCandidate:
            [
                .transportId, .address, .port, .protocol, .candidateType, .priority, .foundation, .relatedAddress,
                .relatedPort, .usernameFragment, .tcpType,
            ]
        }
    }

    private static let stream: [StatisticsMember] = [.ssrc, .kind, .transportId, .codecId]
    private static let received: [StatisticsMember] = [.packetsReceived, .packetsLost, .jitter]
    private static let sent: [StatisticsMember] = [.packetsSent, .bytesSent]
    private static let roundTrips: [StatisticsMember] = [
        .roundTripTime, .totalRoundTripTime, .roundTripTimeMeasurements,
    ]
    private static let inbound: [StatisticsMember] = [
        .mid, .remoteId, .bytesReceived, .headerBytesReceived, .packetsDiscarded, .lastPacketReceivedTimestamp,
        .nackCount, .retransmittedPacketsReceived, .retransmittedBytesReceived, .rtxSsrc,
    ]
    private static let inboundVideo: [StatisticsMember] = [
        .firCount, .pliCount, .framesReceived, .framesDropped, .frameWidth, .frameHeight, .freezeCount,
        .totalFreezesDuration, .totalInterFrameDelay, .totalSquaredInterFrameDelay,
    ]
    private static let inboundAudio: [StatisticsMember] = [
        .jitterBufferDelay, .jitterBufferTargetDelay, .jitterBufferMinimumDelay, .jitterBufferEmittedCount,
        .totalSamplesReceived, .concealedSamples, .silentConcealedSamples, .concealmentEvents,
        .insertedSamplesForDeceleration, .removedSamplesForAcceleration, .fecPacketsReceived, .fecPacketsDiscarded,
        .audioLevel, .totalAudioEnergy, .totalSamplesDuration,
    ]
    private static let outbound: [StatisticsMember] = [
        .mid, .remoteId, .active, .headerBytesSent, .retransmittedPacketsSent, .retransmittedBytesSent, .rtxSsrc,
        .targetBitrate, .totalPacketSendDelay, .nackCount, .firCount, .pliCount, .framesSent,
    ]
}

/// Every member that a kind of statistics may have; the word is the W3C's and means the same in all of them.
package enum StatisticsMember: String, Hashable, Sendable, CaseIterable {
    case ssrc, kind, transportId, codecId, mid, remoteId, localId, rtxSsrc, active
    case payloadType, mimeType, clockRate, channels, sdpFmtpLine
    case packetsReceived, packetsLost, packetsDiscarded, packetsSent, fractionLost, jitter
    case bytesReceived, headerBytesReceived, bytesSent, headerBytesSent
    case retransmittedPacketsReceived, retransmittedBytesReceived, retransmittedPacketsSent, retransmittedBytesSent
    case lastPacketReceivedTimestamp, remoteTimestamp, reportsSent, targetBitrate, totalPacketSendDelay
    case nackCount, firCount, pliCount
    case framesReceived, framesDropped, framesSent, frameWidth, frameHeight
    case freezeCount, totalFreezesDuration, totalInterFrameDelay, totalSquaredInterFrameDelay
    case jitterBufferDelay, jitterBufferTargetDelay, jitterBufferMinimumDelay, jitterBufferEmittedCount
    case totalSamplesReceived, concealedSamples, silentConcealedSamples, concealmentEvents
    case insertedSamplesForDeceleration, removedSamplesForAcceleration, fecPacketsReceived, fecPacketsDiscarded
    case audioLevel, totalAudioEnergy, totalSamplesDuration
    case roundTripTime, totalRoundTripTime, roundTripTimeMeasurements, currentRoundTripTime, availableOutgoingBitrate
    case dataChannelsOpened, dataChannelsClosed
    case label, `protocol`, dataChannelIdentifier, state, messagesSent, messagesReceived
    case iceRole, iceLocalUsernameFragment, iceState, dtlsState, dtlsRole
    case selectedCandidatePairId, selectedCandidatePairChanges
    case localCandidateId, remoteCandidateId, nominated
    case address, port, candidateType, priority, foundation, relatedAddress, relatedPort, usernameFragment, tcpType

    package enum Unit: String, Hashable, Sendable {
        case none = ""
        case packets, bytes, frames, samples, pixels, messages, seconds
        case secondsSquared = "seconds²"
        case milliseconds
        case bitsPerSecond = "bit/s"
        case hertz = "Hz"
    }

    package var unit: Unit {
        switch self {
        case .packetsReceived, .packetsLost, .packetsDiscarded, .packetsSent, .retransmittedPacketsReceived,
            .retransmittedPacketsSent, .fecPacketsReceived, .fecPacketsDiscarded:
            .packets
        case .bytesReceived, .headerBytesReceived, .bytesSent, .headerBytesSent, .retransmittedBytesReceived,
            .retransmittedBytesSent:
            .bytes
        case .framesReceived, .framesDropped, .framesSent: .frames
        case .frameWidth, .frameHeight: .pixels
        case .jitterBufferEmittedCount, .totalSamplesReceived, .concealedSamples, .silentConcealedSamples,
            .insertedSamplesForDeceleration, .removedSamplesForAcceleration:
            .samples
        case .messagesSent, .messagesReceived, .nackCount, .firCount, .pliCount, .reportsSent: .messages
        case .jitter, .totalPacketSendDelay, .totalFreezesDuration, .totalInterFrameDelay, .jitterBufferDelay,
            .jitterBufferTargetDelay, .jitterBufferMinimumDelay, .totalSamplesDuration, .roundTripTime,
            .totalRoundTripTime, .currentRoundTripTime:
            .seconds
        case .totalSquaredInterFrameDelay: .secondsSquared
        case .lastPacketReceivedTimestamp, .remoteTimestamp: .milliseconds
        case .targetBitrate, .availableOutgoingBitrate: .bitsPerSecond
        case .clockRate: .hertz
        default: .none
        }
    }
}
