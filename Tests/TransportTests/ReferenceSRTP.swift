import COpenSSL
import Transport

/// SRTP written from the RFCs over bare AES and HMAC: slow, plain, and first checked against the RFCs' own vectors.
struct ReferenceSRTP {
    let encryptionKey: [UInt8]
    let salt: [UInt8]
    let authenticationKey: [UInt8]

    /// Key derivation with a rate of zero (RFC 3711, section 4.3); labels 0–2 for RTP, 3–5 for RTCP.
    init(_ key: SRTPKey, isRTCP: Bool) {
        let master = Array(key.bytes[..<key.profile.keyCount])
        // The 96-bit salt of GCM is padded on the right (RFC 7714, section 11).
        let masterSalt =
            Array(key.bytes[key.profile.keyCount...]) + [UInt8](repeating: 0, count: 14 - key.profile.saltCount)
        func derive(_ label: UInt8, _ count: Int) -> [UInt8] {
            var iv = masterSalt + [0, 0]
            iv[7] ^= label
            return ReferenceSRTP.keystream(key: master, iv: iv, count: count)
        }
        let first: UInt8 = isRTCP ? 3 : 0
        encryptionKey = derive(first, key.profile.keyCount)
        authenticationKey = derive(first + 1, 20)
        salt = derive(first + 2, key.profile.saltCount)
    }

    init(encryptionKey: [UInt8], salt: [UInt8]) {
        self.encryptionKey = encryptionKey
        self.salt = salt
        authenticationKey = []
    }

    static func keystream(key: [UInt8], iv: [UInt8], count: Int) -> [UInt8] {
        let context = EVP_CIPHER_CTX_new()
        defer { EVP_CIPHER_CTX_free(context) }
        var out = [UInt8](repeating: 0, count: count)
        var length: Int32 = 0
        EVP_EncryptInit_ex(context, key.count == 16 ? EVP_aes_128_ctr() : EVP_aes_256_ctr(), nil, key, iv)
        EVP_EncryptUpdate(context, &out, &length, [UInt8](repeating: 0, count: count), Int32(count))
        return out
    }

    static func hmac(_ key: [UInt8], _ bytes: [UInt8]) -> [UInt8] {
        var out = [UInt8](repeating: 0, count: 20)
        var length: UInt32 = 0
        HMAC(EVP_sha1(), key, Int32(key.count), bytes, bytes.count, &out, &length)
        return out
    }

    private func gcm(_ text: [UInt8], aad: [UInt8], iv: [UInt8]) -> [UInt8] {
        let context = EVP_CIPHER_CTX_new()
        defer { EVP_CIPHER_CTX_free(context) }
        var out = [UInt8](repeating: 0, count: text.count)
        var tag = [UInt8](repeating: 0, count: 16)
        var length: Int32 = 0
        let cipher = encryptionKey.count == 16 ? EVP_aes_128_gcm() : EVP_aes_256_gcm()
        EVP_EncryptInit_ex(context, cipher, nil, encryptionKey, iv)
        EVP_EncryptUpdate(context, nil, &length, aad, Int32(aad.count))
        EVP_EncryptUpdate(context, &out, &length, text, Int32(text.count))
        EVP_EncryptFinal_ex(context, &tag, &length)
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, &tag)
        return out + tag
    }

    private func counterMode(_ text: [UInt8], ssrc: [UInt8], index: UInt64) -> [UInt8] {
        var iv = salt + [0, 0]
        for place in 0..<4 { iv[4 + place] ^= ssrc[place] }
        for place in 0..<6 { iv[8 + place] ^= UInt8(truncatingIfNeeded: index >> (40 - 8 * UInt64(place))) }
        return zip(text, ReferenceSRTP.keystream(key: encryptionKey, iv: iv, count: text.count)).map { $0 ^ $1 }
    }

    private func big(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) } }

    /// One RTP packet with a header of 12 bytes.
    func rtp(_ packet: [UInt8], rollover: UInt32, profile: SRTPProfile) -> [UInt8] {
        let (header, text, ssrc) = (Array(packet[..<12]), Array(packet[12...]), Array(packet[8..<12]))
        if profile.saltCount == 12 {
            let iv = zip([0, 0] + ssrc + big(rollover) + packet[2..<4], salt).map { $0 ^ $1 }
            return header + gcm(text, aad: header, iv: iv)
        }
        let index = UInt64(rollover) << 16 | UInt64(packet[2]) << 8 | UInt64(packet[3])
        let protected = header + counterMode(text, ssrc: ssrc, index: index)
        return protected
            + ReferenceSRTP.hmac(authenticationKey, protected + big(rollover)).prefix(profile.rtpTagCount)
    }

    /// One compound RTCP packet, encrypted.
    func rtcp(_ packet: [UInt8], index: UInt32, profile: SRTPProfile) -> [UInt8] {
        let (header, text, ssrc) = (Array(packet[..<8]), Array(packet[8...]), Array(packet[4..<8]))
        let trailer = big(index | 1 << 31)
        if profile.saltCount == 12 {
            let iv = zip([0, 0] + ssrc + [0, 0] + big(index), salt).map { $0 ^ $1 }
            return header + gcm(text, aad: header + trailer, iv: iv) + trailer
        }
        let protected = header + counterMode(text, ssrc: ssrc, index: UInt64(index)) + trailer
        return protected + ReferenceSRTP.hmac(authenticationKey, protected).prefix(10)
    }
}

/// Bytes from hexadecimal digits; blanks between are ignored.
func hex(_ text: String) -> [UInt8] {
    let digits = text.filter(\.isHexDigit).compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}
