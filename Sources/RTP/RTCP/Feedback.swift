import Core

/// Generic NACK: sequence numbers to be sent again (RFC 4585, section 6.2.1).
package struct GenericNACK: Hashable, Sendable {
    /// A lost packet, and which of the sixteen after it are lost too (lowest bit: the next one).
    package struct Entry: Hashable, Sendable {
        package var packetID: UInt16
        package var bitmask: UInt16
        package init(packetID: UInt16, bitmask: UInt16) {
            self.packetID = packetID
            self.bitmask = bitmask
        }
    }
    package var senderSSRC: UInt32
    package var mediaSSRC: UInt32
    package private(set) var entries: [Entry]

    /// More than a datagram of 1500 bytes holds.
    package static let entryCountMax = 512

    package init(senderSSRC: UInt32, mediaSSRC: UInt32, entries: [Entry]) {
        self.senderSSRC = senderSSRC
        self.mediaSSRC = mediaSSRC
        self.entries = Array(entries.prefix(GenericNACK.entryCountMax))
    }

    /// Packs numbers given in the stream's order; what is beyond 512 entries is left for the next one.
    package init(senderSSRC: UInt32, mediaSSRC: UInt32, lost: some Sequence<UInt16>) {
        self.senderSSRC = senderSSRC
        self.mediaSSRC = mediaSSRC
        entries = []
        for number in lost {
            if let last = entries.indices.last {
                let distance = number &- entries[last].packetID
                if distance == 0 { continue }
                if distance <= 16 {
                    entries[last].bitmask |= 1 << (distance - 1)
                    continue
                }
            }
            guard entries.count < GenericNACK.entryCountMax else { return }
            entries.append(Entry(packetID: number, bitmask: 0))
        }
    }

    init(_ reader: inout ByteReader) throws(TruncatedError) {
        senderSSRC = try reader.u32()
        mediaSSRC = try reader.u32()
        guard !reader.isAtEnd, reader.remaining / 4 <= GenericNACK.entryCountMax else { throw TruncatedError() }
        entries = []
        entries.reserveCapacity(reader.remaining / 4)
        while !reader.isAtEnd {
            entries.append(Entry(packetID: try reader.u16(), bitmask: try reader.u16()))
        }
    }

    /// Calls `body` for each lost number, in the order of the entries. Allocates nothing.
    package func forEachLost(_ body: (UInt16) -> Void) {
        for entry in entries {
            body(entry.packetID)
            for bit in UInt16(0)..<16 where entry.bitmask & (1 << bit) != 0 { body(entry.packetID &+ bit &+ 1) }
        }
    }

    func write(to writer: inout ByteWriter) {
        writer.rtcp(type: RTCPType.transportFeedback, count: 1) { writer in
            writer.u32(senderSSRC)
            writer.u32(mediaSSRC)
            for entry in entries {
                writer.u16(entry.packetID)
                writer.u16(entry.bitmask)
            }
        }
    }
}

/// PLI: pictures were lost, a key frame is needed (RFC 4585, section 6.3.1).
package struct PictureLossIndication: Hashable, Sendable {
    package var senderSSRC: UInt32
    package var mediaSSRC: UInt32

    package init(senderSSRC: UInt32, mediaSSRC: UInt32) {
        self.senderSSRC = senderSSRC
        self.mediaSSRC = mediaSSRC
    }

    func write(to writer: inout ByteWriter) {
        writer.rtcp(type: RTCPType.payloadFeedback, count: 1) { writer in
            writer.u32(senderSSRC)
            writer.u32(mediaSSRC)
        }
    }
}

/// FIR: a key frame is asked for, once per number (RFC 5104, section 4.3.1).
package struct FullIntraRequest: Hashable, Sendable {
    package struct Entry: Hashable, Sendable {
        package var ssrc: UInt32
        package var sequenceNumber: UInt8
        package init(ssrc: UInt32, sequenceNumber: UInt8) {
            self.ssrc = ssrc
            self.sequenceNumber = sequenceNumber
        }
    }
    package var senderSSRC: UInt32
    /// The most that are read is what a peer's streams need.
    package var entries: [Entry]
    package static let entryCountMax = 256

    package init(senderSSRC: UInt32, entries: [Entry]) {
        self.senderSSRC = senderSSRC
        self.entries = entries
    }

    init(_ reader: inout ByteReader) throws(TruncatedError) {
        senderSSRC = try reader.u32()
        try reader.skip(4)
        guard reader.remaining / 8 <= FullIntraRequest.entryCountMax else { throw TruncatedError() }
        entries = []
        while !reader.isAtEnd {
            entries.append(Entry(ssrc: try reader.u32(), sequenceNumber: try reader.u8()))
            try reader.skip(3)
        }
    }

    func write(to writer: inout ByteWriter) {
        writer.rtcp(type: RTCPType.payloadFeedback, count: 4) { writer in
            writer.u32(senderSSRC)
            writer.u32(0)
            for entry in entries.prefix(FullIntraRequest.entryCountMax) {
                writer.u32(entry.ssrc)
                writer.u8(entry.sequenceNumber)
                writer.u24(0)
            }
        }
    }
}

/// REMB: what a receiver believes the way to it carries (draft-alvestrand-rmcat-remb-03).
package struct ReceiverEstimatedMaximumBitrate: Hashable, Sendable {
    package var senderSSRC: UInt32
    /// Bits per second; written with 18 significant bits, rounded down.
    package var bitrate: UInt64
    /// The streams it is about, at most 255; more are not written.
    package var ssrcs: [UInt32]

    /// "REMB".
    private static let identifier: UInt32 = 0x5245_4D42

    package init(senderSSRC: UInt32, bitrate: UInt64, ssrcs: [UInt32]) {
        self.senderSSRC = senderSSRC
        self.bitrate = bitrate
        self.ssrcs = ssrcs
    }

    /// Nil: other application layer feedback, which shares the format's number.
    init?(_ reader: inout ByteReader) throws(TruncatedError) {
        senderSSRC = try reader.u32()
        try reader.skip(4)
        guard try reader.u32() == ReceiverEstimatedMaximumBitrate.identifier else { return nil }
        let count = Int(try reader.u8())
        let bits = try reader.u24()
        let exponent = UInt64(bits >> 18)
        let mantissa = UInt64(bits & 0x3FFFF)
        // An exponent of up to 63 does not fit 64 bits with every mantissa: then it is as much as can be written.
        bitrate = mantissa.leadingZeroBitCount >= Int(exponent) ? mantissa << exponent : 0x3FFFF << 46
        ssrcs = []
        ssrcs.reserveCapacity(count)
        for _ in 0..<count { ssrcs.append(try reader.u32()) }
    }

    func write(to writer: inout ByteWriter) {
        let ssrcs = ssrcs.prefix(255)
        writer.rtcp(type: RTCPType.payloadFeedback, count: 15) { writer in
            writer.u32(senderSSRC)
            writer.u32(0)
            writer.u32(ReceiverEstimatedMaximumBitrate.identifier)
            let exponent = max(0, 64 - bitrate.leadingZeroBitCount - 18)
            writer.u8(UInt8(ssrcs.count))
            writer.u24(UInt32(exponent) << 18 | UInt32(bitrate >> UInt64(exponent)))
            for ssrc in ssrcs { writer.u32(ssrc) }
        }
    }
}
