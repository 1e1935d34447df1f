import Core

/// What a description says about one transport, read from the line that carries it.
enum RemoteTransport {
    /// Hash functions that vouch for a certificate, with the bytes they give.
    private static let hashes = ["sha-256": 32, "sha-384": 48, "sha-512": 64]

    /// ICE and DTLS, without the roles. Throws what is missing.
    static func webRTC(
        _ remote: SessionDescription, lines: [Int]
    ) throws(RejectionReason) -> NegotiatedTransport {
        var transport = NegotiatedTransport(lines: lines, usesRTCPMux: true)
        // Lines of a bundle may leave the transport to the first that is in use.
        let carrier = lines.first { remote.media[$0].port != 0 } ?? lines.first ?? 0
        guard let ufrag = remote.iceUfrag(of: carrier), let password = remote.icePassword(of: carrier),
            (4...256).contains(ufrag.utf8.count), (22...256).contains(password.utf8.count)
        else { throw .noICECredentials }
        transport.fingerprints = remote.fingerprints(of: carrier).filter { hashes[$0.algorithm] == $0.bytes.count }
        guard !transport.fingerprints.isEmpty else { throw .noFingerprint }
        transport.tlsID = remote.tlsID(of: carrier)
        // Candidates of other lines lead to transports that end with the bundle (RFC 9143, section 7.2.1).
        let media = [carrier] + lines
        let candidates = media.lazy.map { remote.media[$0].candidates }.first { !$0.isEmpty } ?? []
        let hasEnd = remote.has(.endOfCandidates) || remote.media[carrier].has(.endOfCandidates)
        transport.ice = RemoteICE(
            ufrag: ufrag, password: password, isLite: remote.has(.iceLite),
            isTrickling: remote.iceOptions(of: carrier).contains { $0.fields(of: ",").contains("trickle") },
            candidates: candidates,
            hasEndOfCandidates: hasEnd)
        return transport
    }

    /// Addresses and ports.
    static func plain(_ remote: SessionDescription, line: Int, muxes: Bool) -> NegotiatedTransport {
        let media = remote.media[line]
        var transport = NegotiatedTransport(lines: [line], usesRTCPMux: muxes)
        let ip = remote.connection(of: line)?.ip
        // RFC 3264, section 8.4: 0.0.0.0 was the way to say "send nothing".
        if let ip, !ip.isAny, media.port != 0 {
            transport.remoteRTP = SocketAddress(ip, media.port)
            transport.remoteRTCP = SocketAddress(ip, muxes ? media.port : media.port &+ 1)
            if !muxes, case .rtcp(let port, let connection)? = media.first({ $0.isRTCP ? $0 : nil }), port != 0 {
                transport.remoteRTCP = SocketAddress(connection?.ip ?? ip, port)
            }
        }
        return transport
    }

    /// The first of the peer's keys that fits one of ours, with its tag for the answer.
    static func sdes(_ remote: MediaDescription, local: [SDESKey]) -> (tag: Int, keys: NegotiatedSDES)? {
        for crypto in remote.crypto {
            guard let own = local.first(where: { $0.suite.rawValue == crypto.suite }),
                own.key.count == own.suite.keyBytes,
                // RFC 4568, section 6.3: unknown parameters without `-` must not be passed over.
                crypto.sessionParameters.allSatisfy({ $0.hasPrefix("-") || $0.hasPrefix("WSH=") }),
                let master = masterKey(crypto.keyParameters), master.key.count == own.suite.keyBytes
            else { continue }
            let key = SDESKey(suite: own.suite, key: master.key, lifetime: master.lifetime)
            return (crypto.tag, NegotiatedSDES(local: own, remote: key))
        }
        return nil
    }

    /// Key and lifetime of `inline:key|lifetime`, the latter in packets; nil with several keys or a key identifier, which
    /// need an MKI in each packet, and with a lifetime that no key can have (RFC 4568, section 6.1).
    private static func masterKey(_ parameters: String) -> (key: [UInt8], lifetime: UInt64?)? {
        let (method, text) = parameters.halves(at: ":")
        guard method == "inline", let text, !text.utf8.contains(0x3B) else { return nil }
        let parts = text.fields(of: "|")
        guard let first = parts.first, parts.count <= 2, let key = Base64.decode(first) else { return nil }
        guard parts.count == 2 else { return (key, nil) }
        guard let lifetime = lifetime(parts[1]) else { return nil }
        return (key, lifetime)
    }

    /// `2^20`, or a plain number; at most what SRTP's packet index can count (RFC 3711, section 9.2).
    private static func lifetime(_ text: Substring) -> UInt64? {
        let (base, exponent) = text.halves(at: "^")
        guard let exponent else { return UInt64(base).flatMap { (1...1 << 48).contains($0) ? $0 : nil } }
        guard base == "2", let bits = UInt64(exponent), bits <= 48 else { return nil }
        return 1 << bits
    }
}

extension Attribute {
    fileprivate var isRTCP: Bool { if case .rtcp = self { true } else { false } }
}

extension SDESKey {
    /// As in `a=crypto`.
    func attribute(tag: Int) -> Attribute {
        .crypto(CryptoAttribute(tag: tag, suite: suite.rawValue, keyParameters: "inline:\(Base64.encode(key))"))
    }
}

/// The kinds of `proto` in an m-line.
enum TransportProtocol {
    /// JSEP wants all RTP profiles answered where ICE and DTLS are there (RFC 8829, section 5.1.2).
    private static let rtp = ["RTP/AVP", "RTP/AVPF", "RTP/SAVP", "RTP/SAVPF"]
    private static let dtls = [
        "UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "TCP/DTLS/RTP/SAVPF", "TCP/DTLS/RTP/SAVP", "TCP/TLS/RTP/SAVPF",
    ]
    private static let sctp = ["UDP/DTLS/SCTP", "TCP/DTLS/SCTP", "DTLS/SCTP"]

    static let webRTCOffer = "UDP/TLS/RTP/SAVPF"
    static let dataOffer = "UDP/DTLS/SCTP"

    static func isRTPOverDTLS(_ name: String) -> Bool { dtls.contains(name) || rtp.contains(name) }
    static func isPlainRTP(_ name: String) -> Bool { rtp.contains(name) }
    static func isSecure(_ name: String) -> Bool { name.contains("/SAVP") }
    static func isData(_ name: String) -> Bool { sctp.contains(name) }
    static func hasFeedback(_ name: String) -> Bool { name.hasSuffix("F") }
}
