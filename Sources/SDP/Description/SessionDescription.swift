package import Core

/// A session description (RFC 8866): the values of its lines, in their order. Parsing and printing are in
/// `SessionDescription+Parse.swift` and `SessionDescription+Print.swift`.
///
/// What we use has a type; attributes that we do not know are kept as text at their place, so a description that was
/// parsed prints as it was, up to the order of line types and the spelling of numbers.
package struct SessionDescription: Hashable, Sendable {
    package var origin: Origin
    /// The `s=` line.
    package var name: String
    /// The `i=` line.
    package var information: String?
    package var connection: ConnectionData?
    package var bandwidths: [Bandwidth]
    /// `t=`, `r=` and `z=` lines as they stood, type letter included.
    package var times: [String]
    /// `u=`, `e=`, `p=` and `k=` lines as they stood, type letter included.
    package var otherLines: [String]
    package var attributes: [Attribute]
    package var media: [MediaDescription]

    /// The `t=` line of a session without bounds.
    package static let unboundedTime = "t=0 0"

    package init(
        origin: Origin = Origin(), name: String = "-", connection: ConnectionData? = nil,
        attributes: [Attribute] = [], media: [MediaDescription] = []
    ) {
        self.origin = origin
        self.name = name
        self.connection = connection
        self.attributes = attributes
        self.media = media
        information = nil
        bandwidths = []
        times = [SessionDescription.unboundedTime]
        otherLines = []
    }
}

/// One m-section (RFC 8866, section 5.14).
package struct MediaDescription: Hashable, Sendable {
    /// `audio`, `video`, `application`, or whatever stood there.
    package var media: String
    /// 0 means refused or, with `a=bundle-only`, no address of its own (RFC 9143, section 6).
    package var port: UInt16
    /// The number after the slash, where one stood.
    package var portCount: Int?
    /// As in `UDP/TLS/RTP/SAVPF`.
    package var transportProtocol: String
    /// Payload types as text, or names as `webrtc-datachannel`; never empty after parsing.
    package var formats: [String]
    package var information: String?
    package var connections: [ConnectionData]
    package var bandwidths: [Bandwidth]
    /// The `k=` line as it stood.
    package var otherLines: [String]
    package var attributes: [Attribute]

    package init(
        media: String, port: UInt16, transportProtocol: String, formats: [String], attributes: [Attribute] = []
    ) {
        self.media = media
        self.port = port
        self.transportProtocol = transportProtocol
        self.formats = formats
        self.attributes = attributes
        connections = []
        bandwidths = []
        otherLines = []
    }
}

/// The `o=` line.
package struct Origin: Hashable, Sendable {
    package var username: String
    /// Digits by the RFC; kept as text, since some senders write more than fits a number.
    package var sessionID: String
    package var sessionVersion: String
    package var connection: ConnectionData

    package init(
        username: String = "-", sessionID: String = "0", sessionVersion: String = "0",
        connection: ConnectionData = .anyV4
    ) {
        self.username = username
        self.sessionID = sessionID
        self.sessionVersion = sessionVersion
        self.connection = connection
    }

    /// The origin of our own descriptions: 63 bits of `sessionID` (RFC 8829, section 5.2.1).
    package init(sessionID: UInt64, version: UInt64) {
        self.init(sessionID: String(sessionID >> 1), sessionVersion: String(version))
    }
}

/// Network type, address type and address, as in the `c=` line.
package struct ConnectionData: Hashable, Sendable {
    /// `IN`.
    package var networkType: String
    /// `IP4` or `IP6`.
    package var addressType: String
    /// An address, a host name, or a multicast address with TTL and count after slashes.
    package var address: String

    package init(networkType: String = "IN", addressType: String, address: String) {
        self.networkType = networkType
        self.addressType = addressType
        self.address = address
    }
    package init(_ ip: IPAddress) { self.init(addressType: ip.isV4 ? "IP4" : "IP6", address: "\(ip)") }

    package static let anyV4 = ConnectionData(IPAddress.anyV4)

    /// The address without TTL; nil for host names.
    package var ip: IPAddress? { IPAddress(address.prefix { $0 != "/" }) }
}

/// A `b=` line: `AS` in kbit/s, `TIAS`, `RS` and `RR` in bit/s (RFC 8866, 3890, 3556).
package struct Bandwidth: Hashable, Sendable {
    package var type: String
    package var value: UInt64
    package init(type: String, value: UInt64) {
        self.type = type
        self.value = value
    }
}
