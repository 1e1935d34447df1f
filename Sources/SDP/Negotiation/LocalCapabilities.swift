package import Core

/// What one endpoint of ours can and wants to do in a session: everything that offers and answers are made from.
package struct LocalCapabilities: Hashable, Sendable {
    package var transport: LocalTransport
    /// Nil: audio is neither offered nor accepted.
    package var audio: MediaCapabilities?
    package var video: MediaCapabilities?
    /// Data channels; only with a `.webRTC` transport.
    package var data: DataCapabilities?
    package var codecPreference = CodecPreference.local
    /// Header extension numbers above 14, and both header forms in one stream (RFC 8285, section 4.1.2).
    package var allowsMixedExtensions = true
    /// Where session id, source numbers and CNAME come from; random, one per endpoint, the same for all its
    /// descriptions.
    package var seed: UInt64

    package init(
        transport: LocalTransport, audio: MediaCapabilities? = nil, video: MediaCapabilities? = nil,
        data: DataCapabilities? = nil, seed: UInt64
    ) {
        self.transport = transport
        self.audio = audio
        self.video = video
        self.data = data
        self.seed = seed
    }

    /// The `s=` line of our descriptions.
    package static let sessionName = "Tessera"
    /// The CNAME of all our sources in this session (RFC 7022); also the name of the one media stream they belong to.
    package var cname: String {
        var random = SeededRandom(seed: seed ^ 0xC4A3)
        return "tessera-" + String(random.next(), radix: 36)
    }

    func media(_ kind: MediaKind) -> MediaCapabilities? {
        switch kind {
        case .audio: audio
        case .video: video
        case .data: nil
        }
    }
}

/// Whose order of codecs decides what both sides send first.
package enum CodecPreference: Hashable, Sendable {
    /// Ours: everybody in a room then agrees on the same codec where they can, and shares its encoder.
    case local
    /// The order of the remote description, which RFC 3264 recommends to an answerer.
    case remote
}

/// Audio or video of one endpoint.
package struct MediaCapabilities: Hashable, Sendable {
    /// In the order of preference. Payload types are distinct over audio and video together.
    package var codecs: [CodecCapability]
    /// With the numbers and directions that our offers have.
    package var extensions: [ExtensionMap]
    package var direction: MediaDirection
    /// Lines of this kind in our offers, and the most that an offer may have accepted.
    package var lineCount: Int
    /// `b=AS` of our descriptions in kbit/s: what we want to be sent.
    package var receiveBandwidthMax: Int?
    package var simulcast: SimulcastCapability?
    /// Milliseconds.
    package var ptime: Int?
    /// For `.plain` transports: where the n-th line of this kind is received.
    package var ports: [PortPair]

    package init(
        codecs: [CodecCapability], extensions: [ExtensionMap] = [], direction: MediaDirection = .sendrecv,
        lineCount: Int = 1, receiveBandwidthMax: Int? = nil, simulcast: SimulcastCapability? = nil,
        ptime: Int? = nil, ports: [PortPair] = []
    ) {
        self.codecs = codecs
        self.extensions = extensions
        self.direction = direction
        self.lineCount = lineCount
        self.receiveBandwidthMax = receiveBandwidthMax
        self.simulcast = simulcast
        self.ptime = ptime
        self.ports = ports
    }
}

/// Receiving simulcast.
package struct SimulcastCapability: Hashable, Sendable {
    /// More layers than these are not accepted.
    package var layersMax: Int
    /// The layers that our own offers ask for, best first; empty asks for none.
    package var offeredRIDs: [String]
    package init(layersMax: Int = 4, offeredRIDs: [String] = []) {
        self.layersMax = layersMax
        self.offeredRIDs = offeredRIDs
    }
}

package struct DataCapabilities: Hashable, Sendable {
    package var sctpPort: UInt16
    /// The largest message we take, in bytes; 0 stands for any.
    package var maxMessageSize: UInt64
    package init(sctpPort: UInt16 = 5000, maxMessageSize: UInt64 = 262_144) {
        self.sctpPort = sctpPort
        self.maxMessageSize = maxMessageSize
    }
}

/// Where RTP and RTCP of one m-line are received.
package struct PortPair: Hashable, Sendable {
    package var rtp: UInt16
    package var rtcp: UInt16
    package init(rtp: UInt16, rtcp: UInt16) {
        self.rtp = rtp
        self.rtcp = rtcp
    }
}

/// How media travels.
package enum LocalTransport: Hashable, Sendable {
    /// ICE, DTLS, BUNDLE and rtcp-mux.
    case webRTC(WebRTCTransport)
    /// Fixed addresses and ports; SRTP with keys in the description where `crypto` is not empty.
    case plain(PlainTransport)
}

package struct WebRTCTransport: Hashable, Sendable {
    /// Change both to restart ICE.
    package var ufrag: String
    package var password: String
    package var isLite: Bool
    package var iceOptions: [String]
    package var fingerprints: [Fingerprint]
    /// Our role in answers to `actpass`: `.active` or `.passive`.
    package var answerRole: SetupRole
    /// As in `candidate:1 1 udp …`; put into the first line of each bundle.
    package var candidates: [String]
    package var isGatheringComplete: Bool
    /// How many transports besides each other the endpoint can run. With 1, lines outside the first bundle are refused.
    package var transportsMax: Int

    package init(
        ufrag: String, password: String, isLite: Bool = false, iceOptions: [String] = ["trickle"],
        fingerprints: [Fingerprint], answerRole: SetupRole = .active, candidates: [String] = [],
        isGatheringComplete: Bool = false, transportsMax: Int = 1
    ) {
        self.ufrag = ufrag
        self.password = password
        self.isLite = isLite
        self.iceOptions = iceOptions
        self.fingerprints = fingerprints
        self.answerRole = answerRole
        self.candidates = candidates
        self.isGatheringComplete = isGatheringComplete
        self.transportsMax = transportsMax
    }
}

package struct PlainTransport: Hashable, Sendable {
    package var address: IPAddress
    /// Our keys, one per suite, in the order of preference. Not empty: only SRTP is offered and accepted.
    package var crypto: [SDESKey]
    /// Whether an offered `a=rtcp-mux` is accepted. Our offers have RTCP on its own port.
    package var acceptsRTCPMux: Bool
    package init(address: IPAddress, crypto: [SDESKey] = [], acceptsRTCPMux: Bool = true) {
        self.address = address
        self.crypto = crypto
        self.acceptsRTCPMux = acceptsRTCPMux
    }
}

/// A master key and salt for SRTP (RFC 4568).
package struct SDESKey: Hashable, Sendable {
    package var suite: SRTPSuite
    /// Key, then salt: `suite.keyBytes` bytes.
    package var key: [UInt8]
    /// Packets that it may protect, at least 1, as a description says; nil: as many as SRTP allows.
    package var lifetime: UInt64?
    package init(suite: SRTPSuite, key: [UInt8], lifetime: UInt64? = nil) {
        self.suite = suite
        self.key = key
        self.lifetime = lifetime
    }
}

/// Protection of SRTP by its name in `a=crypto` (RFC 4568, 6188, 7714).
package enum SRTPSuite: String, Hashable, Sendable, CaseIterable {
    case aes128SHA1x80 = "AES_CM_128_HMAC_SHA1_80"
    case aes128SHA1x32 = "AES_CM_128_HMAC_SHA1_32"
    case aes256SHA1x80 = "AES_256_CM_HMAC_SHA1_80"
    case aes256SHA1x32 = "AES_256_CM_HMAC_SHA1_32"
    case aes128GCM = "AEAD_AES_128_GCM"
    case aes256GCM = "AEAD_AES_256_GCM"

    /// Master key and salt together.
    package var keyBytes: Int {
        switch self {
        case .aes128SHA1x80, .aes128SHA1x32: 30
        case .aes256SHA1x80, .aes256SHA1x32: 46
        case .aes128GCM: 28
        case .aes256GCM: 44
        }
    }
}
