import COpenSSL

/// Ciphers and tags of SRTP, by the names of RFC 4568, RFC 6188 and RFC 7714.
package enum SRTPProfile: String, Hashable, Sendable, CaseIterable {
    case aeadAES128GCM = "AEAD_AES_128_GCM"
    case aeadAES256GCM = "AEAD_AES_256_GCM"
    case aes128CMSHA1_80 = "AES_CM_128_HMAC_SHA1_80"
    case aes128CMSHA1_32 = "AES_CM_128_HMAC_SHA1_32"
    case aes256CMSHA1_80 = "AES_256_CM_HMAC_SHA1_80"
    case aes256CMSHA1_32 = "AES_256_CM_HMAC_SHA1_32"

    /// Bytes of the master key.
    package var keyCount: Int {
        switch self {
        case .aeadAES128GCM, .aes128CMSHA1_80, .aes128CMSHA1_32: 16
        case .aeadAES256GCM, .aes256CMSHA1_80, .aes256CMSHA1_32: 32
        }
    }
    /// Bytes of the master salt.
    package var saltCount: Int {
        switch self {
        case .aeadAES128GCM, .aeadAES256GCM: 12
        default: 14
        }
    }
    /// Bytes `protect` adds to an RTP packet; to RTCP at most `SRTPContext.maxOverhead`.
    package var rtpTagCount: Int {
        switch self {
        case .aeadAES128GCM, .aeadAES256GCM: 16
        case .aes128CMSHA1_80, .aes256CMSHA1_80: 10
        case .aes128CMSHA1_32, .aes256CMSHA1_32: 4
        }
    }

    /// The number of the DTLS extension (RFC 5764, section 4.1.2; RFC 7714, section 14.2); nil: SDES only.
    package init?(dtlsNumber: UInt) {
        switch dtlsNumber {
        case 1: self = .aes128CMSHA1_80
        case 2: self = .aes128CMSHA1_32
        case 7: self = .aeadAES128GCM
        case 8: self = .aeadAES256GCM
        default: return nil
        }
    }
}

/// Master key and salt of one direction.
package struct SRTPKey: Hashable, Sendable {
    package let profile: SRTPProfile
    /// `profile.keyCount` bytes of key, then `profile.saltCount` of salt.
    package let bytes: [UInt8]

    /// nil unless `bytes` has exactly the length the profile needs.
    package init?(_ profile: SRTPProfile, _ bytes: [UInt8]) {
        guard bytes.count == profile.keyCount + profile.saltCount else { return nil }
        self.profile = profile
        self.bytes = bytes
    }
}

/// What a DTLS handshake gives SRTP (RFC 5764, section 4.2): one key for what the client sends, one for the server's.
package struct SRTPKeys: Hashable, Sendable {
    package let profile: SRTPProfile
    package let client: SRTPKey
    package let server: SRTPKey

    /// The key for what we send in the given DTLS role, and the one for what we receive.
    package func local(_ role: DTLSConnection.Role) -> SRTPKey { role == .client ? client : server }
    package func remote(_ role: DTLSConnection.Role) -> SRTPKey { role == .client ? server : client }

    /// nil when no profile was negotiated.
    init?(exportedFrom ssl: OpaquePointer) {
        guard let selected = SSL_get_selected_srtp_profile(ssl),
            let profile = SRTPProfile(dtlsNumber: selected.pointee.id)
        else { return nil }
        let (key, salt) = (profile.keyCount, profile.saltCount)
        var material = [UInt8](repeating: 0, count: 2 * (key + salt))
        let label = "EXTRACTOR-dtls_srtp"
        guard SSL_export_keying_material(ssl, &material, material.count, label, label.utf8.count, nil, 0, 0) == 1,
            let client = SRTPKey(profile, Array(material[..<key] + material[(2 * key)..<(2 * key + salt)])),
            let server = SRTPKey(profile, Array(material[key..<(2 * key)] + material[(2 * key + salt)...]))
        else { return nil }
        self.profile = profile
        self.client = client
        self.server = server
    }
}
