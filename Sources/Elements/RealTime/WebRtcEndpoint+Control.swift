import Core
package import ICE
package import Media
import RTP
import SDP
import Transport
import WebRTC

/// Offers and answers as both kinds of endpoints with a peer know them.
package protocol SDPNegotiator: BaseRtpEndpoint {
    func makeOffer(audio: Bool, video: Bool) throws(GraphError) -> String
    func processOffer(_ text: String) throws -> String
    func processAnswer(_ text: String) throws -> String
    var localSessionDescriptor: String? { get }
    var remoteSessionDescriptor: String? { get }
}

extension SDPNegotiator {
    /// Whether a text can be read as a description at all.
    package func isDescription(_ text: String) -> Bool { (try? SessionDescription(text)) != nil }
}

extension RtpEndpoint: SDPNegotiator {
    package func makeOffer(audio: Bool, video: Bool) throws(GraphError) -> String {
        try generateOffer(audio: audio, video: video)
    }
}

// What clients of the control API set and ask, beside offers and answers.
extension WebRtcEndpoint: SDPNegotiator {
    package func makeOffer(audio: Bool, video: Bool) throws(GraphError) -> String {
        try generateOffer(audio: audio, video: video)
    }

    /// How many lines candidates may name, once there are any; nil: what comes is kept for later.
    package var linesForCandidates: Int? { iceState == .disconnected ? nil : agreement?.local.media.count }

    /// Opens a data channel; a limit below 0 is none.
    package func createDataChannel(
        label: String, isOrdered: Bool, lifetimeMax: Int, retransmitsMax: Int, subprotocol: String
    ) throws(GraphError) {
        let reliability: SCTPMessage.Reliability =
            lifetimeMax >= 0
            ? .maxLifetime(milliseconds: UInt16(clamping: lifetimeMax))
            : retransmitsMax >= 0 ? .maxRetransmits(UInt16(clamping: retransmitsMax)) : .reliable
        try createDataChannel(
            DataChannelParameters(
                label: label, subprotocol: subprotocol, isOrdered: isOrdered, reliability: reliability))
    }

    /// A TURN server as `user:password@address:port?transport=udp`; nil for what is none. Names are not looked up.
    package static func turnServer(_ text: String) -> TURNServer? {
        guard let at = text.lastIndex(of: "@") else { return nil }
        let user = text[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let rest = text[text.index(after: at)...].split(separator: "?", maxSplits: 1)
        guard user.count == 2, let place = rest.first, let address = SocketAddress(String(place)) else { return nil }
        let transport: TURNServer.Transport
        switch rest.count == 2 ? String(rest[1]) : "transport=udp" {
        case "transport=udp": transport = .udp
        case "transport=tcp": transport = .tcp
        case "transport=tls": transport = .tls(address.ip.description)
        default: return nil
        }
        return TURNServer(address, transport, username: String(user[0]), password: String(user[1]))
    }

    /// The pair in use as whole candidate lines.
    package var selectedLines: (local: String, remote: String)? {
        selectedPair.map { ($0.local.description, $0.remote.description) }
    }

    /// One form in which the peer sends its picture.
    package struct SimulcastLayer: Hashable, Sendable {
        package let rid: String
        package let isCurrent: Bool
        package let packets: Int
        package let bytes: Int
    }

    /// The layers of the peer's picture; empty without simulcast.
    package var simulcastLayers: [SimulcastLayer] {
        guard let track = incoming(.video) else { return [] }
        return track.layers.compactMap { layer in
            guard let rid = layer.rid else { return nil }
            let counts = layer.stream.statistics
            return SimulcastLayer(
                rid: rid.description, isCurrent: layer === track.current, packets: counts.packetsReceived,
                bytes: counts.bytesReceived)
        }
    }

    /// Hands on the layer of that name from its next key frame on, as long as it comes; nil: always the largest that
    /// comes. Throws where there is no such layer.
    package func selectSimulcastLayer(_ rid: String?) throws(GraphError) {
        guard let track = incoming(.video) else { throw GraphError("\(name) receives no pictures") }
        guard let rid else {
            track.wantedRID = nil
            return
        }
        guard let layer = track.layers.first(where: { $0.rid?.description == rid }) else {
            let known = simulcastLayers.map(\.rid).joined(separator: ", ")
            throw GraphError("\(name) receives no layer “\(rid)”; there is: \(known)")
        }
        track.wantedRID = layer.rid
        if track.current !== layer { layer.stream.requestKeyFrame() }
        touch()
    }
}

/// Bytes as text (RFC 4648, section 4).
package enum Base64Text {
    package static func encode(_ bytes: [UInt8]) -> String { Base64.encode(bytes) }
}
