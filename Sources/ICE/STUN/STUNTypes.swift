/// The class of a STUN message (RFC 8489, section 5).
package enum STUNClass: UInt16, Hashable, Sendable { case request, indication, success, failure }

/// Methods of STUN and TURN; others are parsed and refused by whoever gets them.
package struct STUNMethod: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt16
    package init(rawValue: UInt16) { self.rawValue = rawValue }
    package static let binding = STUNMethod(rawValue: 1)
    package static let allocate = STUNMethod(rawValue: 3)
    package static let refresh = STUNMethod(rawValue: 4)
    package static let send = STUNMethod(rawValue: 6)
    package static let data = STUNMethod(rawValue: 7)
    package static let createPermission = STUNMethod(rawValue: 8)
    package static let channelBind = STUNMethod(rawValue: 9)
}

/// Attribute types (RFC 8489, 8445, 8656).
package enum STUNAttribute: UInt16, Sendable {
    case mappedAddress = 0x0001
    case username = 0x0006
    case messageIntegrity = 0x0008
    case errorCode = 0x0009
    case unknownAttributes = 0x000A
    case channelNumber = 0x000C
    case lifetime = 0x000D
    case xorPeerAddress = 0x0012
    case data = 0x0013
    case realm = 0x0014
    case nonce = 0x0015
    case xorRelayedAddress = 0x0016
    case requestedAddressFamily = 0x0017
    case evenPort = 0x0018
    case requestedTransport = 0x0019
    case dontFragment = 0x001A
    case messageIntegritySHA256 = 0x001C
    case passwordAlgorithm = 0x001D
    case userhash = 0x001E
    case xorMappedAddress = 0x0020
    case reservationToken = 0x0022
    case priority = 0x0024
    case useCandidate = 0x0025
    case passwordAlgorithms = 0x8002
    case alternateDomain = 0x8003
    case software = 0x8022
    case alternateServer = 0x8023
    case fingerprint = 0x8028
    case iceControlled = 0x8029
    case iceControlling = 0x802A
}

/// The 96 bits that tie an answer to its question.
package struct STUNTransactionID: Hashable, Sendable {
    package let high: UInt32
    package let low: UInt64
    /// `tag` is the same in all transactions of one agent, so that whoever shares a socket among agents knows whose
    /// answer came (`STUNRouting.tag`); `low` must be unpredictable.
    package init(tag: UInt32, _ low: UInt64) {
        high = tag
        self.low = low
    }
}

/// Why bytes are no STUN message.
package enum STUNError: Error, Hashable, Sendable {
    /// Not STUN at all, or lengths that do not fit.
    case malformed
    case wrongFingerprint
}

/// What a password becomes before it protects messages: for short-term credentials the password, for long-term ones a
/// hash of user name, realm and password (RFC 8489, section 9). Passwords beyond ASCII must come in the form that the
/// OpaqueString profile (RFC 8265) gives them.
package struct STUNKey: Sendable {
    let bytes: [UInt8]
    let sha1: HMAC<SHA1>

    init(bytes: [UInt8]) {
        self.bytes = bytes
        sha1 = HMAC(key: bytes)
    }

    package init(password: String) { self.init(bytes: Array(password.utf8)) }

    package init(username: String, realm: String, password: String) {
        self.init(bytes: HashStream<MD5>.hash(Array("\(username):\(realm):\(password)".utf8)).bytes)
    }
}
