/// One `a=` line: typed where we use it, else name and value as they stood.
package enum Attribute: Hashable, Sendable {
    /// RFC 5888.
    case mid(String)
    /// `BUNDLE` and other groupings (RFC 5888, 9143).
    case group(MediaGroup)
    case direction(MediaDirection)
    case rtpmap(RTPMap)
    /// Parameters of a format, which is a payload type or a name.
    case fmtp(format: String, FormatParameters)
    case rtcpFeedback(RTCPFeedback)
    case extmap(ExtensionMap)
    case ssrc(SourceAttribute)
    case ssrcGroup(SourceGroup)
    case rid(RestrictionIdentifier)
    case simulcast(SimulcastDescription)
    /// RFC 8830; the track is absent in some descriptions.
    case msid(stream: String, track: String?)
    case fingerprint(Fingerprint)
    case setup(SetupRole)
    case iceUfrag(String)
    case icePassword(String)
    case iceOptions([String])
    /// The text from `candidate:` on, as ICE wants it.
    case candidate(String)
    case crypto(CryptoAttribute)
    /// Where RTCP goes (RFC 3605).
    case rtcp(port: UInt16, ConnectionData?)
    /// Milliseconds of media in a packet.
    case ptime(Double)
    case maxptime(Double)
    case sctpPort(UInt16)
    /// Bytes; 0 means any size (RFC 8841).
    case maxMessageSize(UInt64)
    /// The form before RFC 8841: SCTP port and application.
    case sctpmap(port: UInt16, application: String, streams: Int?)
    case other(name: String, value: String?)

    /// An attribute without value.
    package static func flag(_ name: String) -> Attribute { .other(name: name, value: nil) }
    package static let rtcpMux = flag("rtcp-mux")
    package static let rtcpReducedSize = flag("rtcp-rsize")
    package static let iceLite = flag("ice-lite")
    package static let endOfCandidates = flag("end-of-candidates")
    package static let extmapAllowMixed = flag("extmap-allow-mixed")
    /// RFC 3611, section 5.1, in the form that browsers write.
    package static let receiverReferenceTime = Attribute.other(name: "rtcp-xr", value: "rcvr-rtt=all")
    package static let bundleOnly = flag("bundle-only")
}

/// Who may send, seen from the side that wrote the description.
package enum MediaDirection: String, Hashable, Sendable, CaseIterable {
    case sendrecv, sendonly, recvonly, inactive

    package init(send: Bool, receive: Bool) {
        self = send ? (receive ? .sendrecv : .sendonly) : (receive ? .recvonly : .inactive)
    }
    package var sends: Bool { self == .sendrecv || self == .sendonly }
    package var receives: Bool { self == .sendrecv || self == .recvonly }
    /// The same, seen from the other side.
    package var reversed: MediaDirection { MediaDirection(send: receives, receive: sends) }
    /// What both allow, seen from the same side.
    package func intersection(_ other: MediaDirection) -> MediaDirection {
        MediaDirection(send: sends && other.sends, receive: receives && other.receives)
    }
}

/// `a=group`.
package struct MediaGroup: Hashable, Sendable {
    package var semantics: String
    package var mids: [String]
    package init(semantics: String, mids: [String]) {
        self.semantics = semantics
        self.mids = mids
    }
    package static let bundle = "BUNDLE"
}
