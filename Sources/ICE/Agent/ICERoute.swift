import Core

extension ICERoute {
    /// Room for the longest header: a Send indication to an IPv6 peer.
    package static let headerCountMax = 48

    /// Bytes in front of each datagram.
    package var headerCount: Int {
        switch relay {
        case .none: 0
        case .channel: 4
        case .indication(let peer): peer.ip.isV4 ? 36 : 48
        }
    }

    /// Zero bytes behind a datagram of `count` bytes: attributes and, over TCP, ChannelData end at a multiple of four.
    package func trailerCount(_ count: Int) -> Int {
        switch relay {
        case .none: 0
        case .channel: path.transport == .tcp ? -count & 3 : 0
        case .indication: -count & 3
        }
    }

    /// Writes the header of a datagram of `count` bytes (at most 65 000) and returns its size. `id` makes the
    /// transaction id of a Send indication, which nobody answers.
    @discardableResult
    package func writeHeader(_ count: Int, into buffer: UnsafeMutableRawBufferPointer, id: UInt64 = 0) -> Int {
        precondition(buffer.count >= headerCount && count <= 65_000, "a header needs its room")
        switch relay {
        case .none: return 0
        case .channel(let number):
            buffer.storeBytes(of: number.bigEndian, toByteOffset: 0, as: UInt16.self)
            buffer.storeBytes(of: UInt16(count).bigEndian, toByteOffset: 2, as: UInt16.self)
            return 4
        case .indication(let peer):
            var writer = STUNWriter(.indication, .send, STUNTransactionID(tag: UInt32(truncatingIfNeeded: id), id))
            writer.addAddress(.xorPeerAddress, peer)
            writer.addDataHeader(count)
            buffer.copyBytes(from: writer.bytes)
            return writer.bytes.count
        }
    }

    /// The whole message around `data`, for those who send seldom.
    package func wrap(_ data: [UInt8], id: UInt64 = 0) -> [UInt8] {
        guard relay != .none else { return data }
        var whole = [UInt8](repeating: 0, count: headerCount + data.count + trailerCount(data.count))
        whole.withUnsafeMutableBytes { _ = writeHeader(data.count, into: $0, id: id) }
        whole.replaceSubrange(headerCount..<(headerCount + data.count), with: data)
        return whole
    }
}
