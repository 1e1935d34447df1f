import CSRTP
import Core

/// Protects and unprotects the packets of one peer in place (RFC 3711, RFC 7714): any number of streams per key.
///
/// Owned by the loop. Before `install` every packet is a counted drop. No allocation of ours per packet; libsrtp2 has
/// its own, see `docs/performance.md`.
package final class SRTPContext {
    /// Why a packet was not passed on. Counted here, so that callers only drop it.
    package enum Failure: Error, Hashable, Sendable, CaseIterable {
        /// No keys yet.
        case noKeys
        case malformed
        /// The tag does not fit: forged, damaged, or protected by another key.
        case authentication
        /// Seen before.
        case replayed
        /// Older than the replay window.
        case tooOld
        /// The key has protected all it may.
        case keyExpired
        /// One SSRC more than `maxStreams`.
        case tooManyStreams
        /// The buffer has no room for the tag.
        case noRoom
        case other
    }
    package enum Event: Hashable, Sendable {
        /// Our sending key has protected `softLimit` packets, or the peer's half of its lifetime: a new one should be
        /// agreed on. Once for each of both.
        case keyLifetimeNearEnd
    }
    package struct Counters: Hashable, Sendable {
        package var protected = 0
        package var unprotected = 0
        private var failures = [Int](repeating: 0, count: Failure.allCases.count)

        /// Packets dropped for this reason.
        package func dropped(_ failure: Failure) -> Int { failures[Counters.place(failure)] }
        fileprivate mutating func count(_ failure: Failure) { failures[Counters.place(failure)] += 1 }
        private static func place(_ failure: Failure) -> Int {
            switch failure {
            case .noKeys: 0
            case .malformed: 1
            case .authentication: 2
            case .replayed: 3
            case .tooOld: 4
            case .keyExpired: 5
            case .tooManyStreams: 6
            case .noRoom: 7
            case .other: 8
            }
        }
    }

    /// Bytes a packet may grow by: the largest tag, and RTCP's index.
    package static let maxOverhead = 16 + 4
    /// Packets behind the newest that are still accepted once. A key frame over a path with a second of jitter; RTX has
    /// its own sequence numbers.
    package static let replayWindow = 2048
    /// SSRCs per direction: a peer that has our key may still not fill our memory.
    package static let maxStreams = 256
    /// Of the 2^48 packets a key may protect (RFC 3711, section 9.2).
    package static let defaultSoftLimit: UInt64 = 1 << 47

    package private(set) var counters = Counters()
    package var isReady: Bool { inbound != nil }
    /// SSRCs of which authentic packets came, RTCP's included.
    package var sources: Set<UInt32> { inboundStreams.all }
    /// Another number whenever `sources` has changed.
    package var sourcesRevision: Int { inboundStreams.revision }
    private var inbound: srtp_t?
    private var outbound: srtp_t?
    private var inboundStreams = StreamSet()
    private var outboundStreams = StreamSet()
    private var sent: UInt64 = 0
    private var received: UInt64 = 0
    private var receiveSoftLimit: UInt64 = 0
    private let softLimit: UInt64
    private let allowsRepeats: Bool
    private var events = Deque<Event>()

    /// `allowsRepeats`: a packet may be protected again under the same sequence number, for retransmissions without RTX.
    /// It must then be equal in every byte: with GCM a second text under one number gives the key away.
    package init(allowsRepeats: Bool = false, softLimit: UInt64 = defaultSoftLimit) {
        self.allowsRepeats = allowsRepeats
        self.softLimit = softLimit
    }

    deinit { uninstall() }

    /// Keys for what we send and what we receive; they replace those before. `receivingLifetime`: RTP packets for which
    /// the peer says that its key is good; 0: as many as SRTP allows.
    package func install(
        sending: SRTPKey, receiving: SRTPKey, receivingLifetime: UInt64 = 0
    ) throws(TransportError) {
        try SRTPContext.initialize()
        let outbound = try create(sending, ssrc_any_outbound)
        do throws(TransportError) {
            let inbound = try create(receiving, ssrc_any_inbound)
            uninstall()
            self.inbound = inbound
        } catch {
            srtp_dealloc(outbound)
            throw error
        }
        self.outbound = outbound
        receiveSoftLimit = receivingLifetime == 0 ? SRTPContext.defaultSoftLimit : max(1, receivingLifetime / 2)
    }

    /// The keys of a DTLS handshake in which we had this role.
    package func install(_ keys: SRTPKeys, role: DTLSConnection.Role) throws(TransportError) {
        try install(sending: keys.local(role), receiving: keys.remote(role))
    }

    /// Encrypts the first `count` bytes, one RTP packet, in place; returns its new length. The buffer needs room for
    /// `maxOverhead` more.
    package func protectRTP(_ buffer: UnsafeMutableRawBufferPointer, count: Int) throws(Failure) -> Int {
        let count = try run(buffer, count, room: SRTPContext.maxOverhead, sends: true, ssrcAt: 8) {
            srtp_protect($0, $1, $2)
        }
        counters.protected += 1
        sent += 1
        if sent == softLimit { events.append(.keyLifetimeNearEnd) }
        return count
    }

    /// The same for one compound RTCP packet.
    package func protectRTCP(_ buffer: UnsafeMutableRawBufferPointer, count: Int) throws(Failure) -> Int {
        let count = try run(buffer, count, room: SRTPContext.maxOverhead, sends: true, ssrcAt: 4) {
            srtp_protect_rtcp($0, $1, $2)
        }
        counters.protected += 1
        return count
    }

    /// Checks and decrypts one SRTP packet in place; returns the length of the RTP packet.
    package func unprotectRTP(_ packet: UnsafeMutableRawBufferPointer) throws(Failure) -> Int {
        let count = try run(packet, packet.count, room: 0, sends: false, ssrcAt: 8) { srtp_unprotect($0, $1, $2) }
        counters.unprotected += 1
        received += 1
        if received == receiveSoftLimit { events.append(.keyLifetimeNearEnd) }
        return count
    }

    /// The same for SRTCP.
    package func unprotectRTCP(_ packet: UnsafeMutableRawBufferPointer) throws(Failure) -> Int {
        let count = try run(packet, packet.count, room: 0, sends: false, ssrcAt: 4) { srtp_unprotect_rtcp($0, $1, $2) }
        counters.unprotected += 1
        return count
    }

    /// Forgets a stream that has ended (BYE, or out of the description), so that it no longer counts.
    package func removeStream(_ ssrc: UInt32) {
        if inboundStreams.remove(ssrc), let inbound { srtp_remove_stream(inbound, ssrc.bigEndian) }
        if outboundStreams.remove(ssrc), let outbound { srtp_remove_stream(outbound, ssrc.bigEndian) }
    }

    package func pollEvent() -> Event? { events.popFirst() }

    // MARK: - Inside

    @inline(__always)
    private func run(
        _ buffer: UnsafeMutableRawBufferPointer, _ count: Int, room: Int, sends: Bool, ssrcAt: Int,
        _ call: (srtp_t, UnsafeMutableRawPointer, UnsafeMutablePointer<Int32>) -> srtp_err_status_t
    ) throws(Failure) -> Int {
        guard let session = sends ? outbound : inbound else { throw counted(.noKeys) }
        guard let start = buffer.baseAddress, count >= ssrcAt + 4, count <= 65_535, buffer[0] >> 6 == 2 else {
            throw counted(.malformed)
        }
        guard count <= buffer.count - room else { throw counted(.noRoom) }
        let ssrc = UInt32(bigEndian: buffer.loadUnaligned(fromByteOffset: ssrcAt, as: UInt32.self))
        let isKnown = sends ? outboundStreams.contains(ssrc) : inboundStreams.contains(ssrc)
        if !isKnown, (sends ? outboundStreams.count : inboundStreams.count) >= SRTPContext.maxStreams {
            throw counted(.tooManyStreams)
        }
        var length = Int32(count)
        let status = call(session, start, &length)
        guard status == srtp_err_status_ok else { throw counted(SRTPContext.failure(status)) }
        // libsrtp2 makes a stream only for a packet that was authentic, and so do we.
        if !isKnown { if sends { outboundStreams.insert(ssrc) } else { inboundStreams.insert(ssrc) } }
        return Int(length)
    }

    private func counted(_ failure: Failure) -> Failure {
        counters.count(failure)
        return failure
    }

    private static func failure(_ status: srtp_err_status_t) -> Failure {
        switch status {
        case srtp_err_status_auth_fail: .authentication
        case srtp_err_status_replay_fail: .replayed
        case srtp_err_status_replay_old, srtp_err_status_pkt_idx_old: .tooOld
        case srtp_err_status_key_expired: .keyExpired
        case srtp_err_status_bad_param, srtp_err_status_parse_err: .malformed
        // What NSS says of a GCM tag that does not fit.
        case srtp_err_status_cipher_fail: .authentication
        default: .other
        }
    }

    private func uninstall() {
        if let inbound { srtp_dealloc(inbound) }
        if let outbound { srtp_dealloc(outbound) }
        inbound = nil
        outbound = nil
        inboundStreams.removeAll()
        outboundStreams.removeAll()
        sent = 0
        received = 0
    }

    /// Once per process.
    private static let initialized = srtp_init()

    private static func initialize() throws(TransportError) {
        guard initialized == srtp_err_status_ok else {
            throw TransportError(call: "srtp_init", text: "status \(initialized.rawValue)")
        }
    }

    private func create(_ key: SRTPKey, _ direction: srtp_ssrc_type_t) throws(TransportError) -> srtp_t {
        var policy = srtp_policy_t()
        key.profile.fill(&policy)
        policy.ssrc.type = direction
        policy.window_size = UInt(SRTPContext.replayWindow)
        policy.allow_repeat_tx = allowsRepeats ? 1 : 0
        var session: srtp_t?
        var bytes = key.bytes
        let status = bytes.withUnsafeMutableBufferPointer { memory in
            policy.key = memory.baseAddress
            return srtp_create(&session, &policy)
        }
        guard status == srtp_err_status_ok, let session else {
            throw TransportError(call: "srtp_create", text: "\(key.profile.rawValue): status \(status.rawValue)")
        }
        return session
    }
}

extension SRTPProfile {
    fileprivate func fill(_ policy: inout srtp_policy_t) {
        switch self {
        case .aeadAES128GCM:
            srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtp)
            srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtcp)
        case .aeadAES256GCM:
            srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy.rtp)
            srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy.rtcp)
        case .aes128CMSHA1_80, .aes128CMSHA1_32:
            srtp_crypto_policy_set_rtp_default(&policy.rtp)
            if self == .aes128CMSHA1_32 { srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32(&policy.rtp) }
            // RTCP's tag has 80 bits in both (RFC 3711, section 5.2).
            srtp_crypto_policy_set_rtcp_default(&policy.rtcp)
        case .aes256CMSHA1_80, .aes256CMSHA1_32:
            srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(&policy.rtp)
            if self == .aes256CMSHA1_32 { srtp_crypto_policy_set_aes_cm_256_hmac_sha1_32(&policy.rtp) }
            srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(&policy.rtcp)
        }
    }
}

/// The SSRCs of one direction. Most packets are of the stream of the one before.
private struct StreamSet {
    private(set) var all: Set<UInt32> = []
    private(set) var revision = 0
    private var latest: UInt32?

    var count: Int { all.count }

    mutating func contains(_ ssrc: UInt32) -> Bool {
        if latest == ssrc { return true }
        guard all.contains(ssrc) else { return false }
        latest = ssrc
        return true
    }

    mutating func insert(_ ssrc: UInt32) {
        all.insert(ssrc)
        revision += 1
        latest = ssrc
    }

    mutating func remove(_ ssrc: UInt32) -> Bool {
        if latest == ssrc { latest = nil }
        guard all.remove(ssrc) != nil else { return false }
        revision += 1
        return true
    }

    mutating func removeAll() {
        all = []
        latest = nil
        revision += 1
    }
}
