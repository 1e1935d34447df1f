import CSCTP
import Core

/// What fuzzing does with bytes in this room: each function takes an input apart, feeds the machines, and traps on what
/// must not be. Inputs are blocks of bytes, each behind its length of two bytes.
package enum TransportFuzz {
    private static let context = Result { () throws(TransportError) in
        try DTLSContext(certificate: .selfSigned(unixSeconds: 1_700_000_000))
    }
    private static let start = Instant(nanoseconds: 1_000_000_000)

    /// Datagrams for a DTLS connection; the first byte says whether it is client or server, and whether the handshake
    /// was done before.
    package static func dtls(_ bytes: [UInt8]) {
        guard let context = try? context.get() else { return }
        var reader = ByteReader(bytes.span.bytes)
        let choice = (try? reader.u8()) ?? 0
        let connection = DTLSConnection(context: context)
        let peer = DTLSConnection(context: context)
        let fingerprints = [context.certificate.fingerprint]
        let role: DTLSConnection.Role = choice & 1 == 0 ? .client : .server
        if choice & 4 == 0 { connection.start(role, fingerprints: fingerprints, at: start) }
        if choice & 2 != 0, choice & 4 == 0 {
            peer.start(role == .client ? .server : .client, fingerprints: fingerprints, at: start)
            for _ in 0..<8 {
                while connection.pollDatagram({ peer.receive($0, at: start) }) != nil {}
                while peer.pollDatagram({ connection.receive($0, at: start) }) != nil {}
            }
            precondition(connection.state == .connected && peer.state == .connected)
        }
        while let block = next(&reader) {
            block.withUnsafeBytes { connection.receive($0, at: start) }
            if connection.state == .new { connection.start(role, fingerprints: fingerprints, at: start) }
            while connection.pollDatagram({ precondition($0.count <= DTLSConnection.mtu) }) != nil {}
            while connection.pollApplicationData({ precondition($0.count > 0) }) != nil {}
        }
        if let deadline = connection.deadline { connection.expire(at: deadline) }
        // Only a handshake says so, and nobody here knows the key.
        precondition(choice & 2 != 0 || connection.state != .connected)
        while connection.pollEvent() != nil {}
    }

    /// Chunks for an SCTP association with the right ports, tag and checksum; the first byte says whether it is set up.
    package static func sctp(_ bytes: [UInt8]) {
        var reader = ByteReader(bytes.span.bytes)
        let choice = (try? reader.u8()) ?? 0
        let now = start
        var configuration = SCTPAssociation.Configuration()
        configuration.streams = 16
        let association = SCTPAssociation(configuration, at: now)
        let peer = SCTPAssociation(configuration, at: now)
        var tag: UInt32 = 0
        if choice & 1 != 0 {
            for _ in 0..<8 {
                while association.pollPacket({ peer.receive($0, at: now) }) != nil {}
                while let packet = peer.pollPacket({ [UInt8]($0) }) {
                    packet.withUnsafeBytes { memory in
                        if memory.count >= 8 { tag = memory.loadUnaligned(fromByteOffset: 4, as: UInt32.self) }
                        association.receive(memory, at: now)
                    }
                }
            }
        }
        while let block = next(&reader) {
            // Ports 5000, the tag in the peer's own order of bytes, no checksum yet.
            var packet: [UInt8] = [0x13, 0x88, 0x13, 0x88]
            withUnsafeBytes(of: tag) { packet.append(contentsOf: $0) }
            packet += [0, 0, 0, 0] + block
            packet.withUnsafeMutableBytes { memory in
                let checksum = usrsctp_crc32c(memory.baseAddress, memory.count)
                memory.storeBytes(of: checksum, toByteOffset: 8, as: UInt32.self)
                association.receive(UnsafeRawBufferPointer(memory), at: now)
            }
            while association.pollPacket({ precondition($0.count <= SCTPAssociation.packetBytes) }) != nil {}
            while case .message(let message) = association.pollEvent() { precondition(!message.bytes.isEmpty) }
        }
        association.abort(at: now)
        peer.abort(at: now)
    }

    /// Messages of the peer for data channels: per block a stream, the protocol identifier's last byte, and the bytes.
    package static func dataChannels(_ bytes: [UInt8]) {
        var reader = ByteReader(bytes.span.bytes)
        let channels = DataChannels()
        while let block = next(&reader) {
            if let message = try? DCEPMessage(block) {
                let again = try? DCEPMessage(message.bytes)
                precondition(again == message || !isValid(message), "a message does not read back")
            }
            guard block.count >= 2 else { continue }
            channels.receive(
                SCTPMessage(
                    stream: UInt16(block[0]), ppid: UInt32(block[1]), bytes: Array(block.dropFirst(2))), at: start)
            while channels.pollEvent() != nil {}
        }
    }

    /// Text of descriptions: `a=crypto` and `a=fingerprint`.
    package static func keysInText(_ bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        if let keys = try? SDESKeys(text) { precondition((try? SDESKeys(keys.description)) == keys) }
        if let fingerprint = Fingerprint(text) { precondition(Fingerprint(fingerprint.description) == fingerprint) }
    }

    /// Labels that are not UTF-8 are repaired, and may then be too long.
    private static func isValid(_ message: DCEPMessage) -> Bool {
        guard case .open(let parameters) = message else { return true }
        return parameters.label.utf8.count <= 0xFFFF && parameters.subprotocol.utf8.count <= 0xFFFF
    }

    private static func next(_ reader: inout ByteReader) -> [UInt8]? {
        guard let count = try? reader.u16() else { return nil }
        return try? reader.bytes(min(Int(count), reader.remaining))
    }
}
