import Core

extension RTPHeader {
    /// Bytes of the fixed header without contributors and extensions.
    package static let fixedSize = 12

    /// The header of a packet to be written.
    package init(
        marker: Bool = false, payloadType: UInt8, sequenceNumber: UInt16, timestamp: UInt32, ssrc: UInt32
    ) {
        self.marker = marker
        self.payloadType = payloadType
        self.sequenceNumber = sequenceNumber
        self.timestamp = timestamp
        self.ssrc = ssrc
        extensions = 0..<0
        extensionProfile = 0
        payload = RTPHeader.fixedSize..<RTPHeader.fixedSize
    }

    /// Writes the header and what of `values` is in `map` to the start of `buffer`, and returns how many bytes that
    /// are: the payload goes behind them. Nil if they do not fit. No padding, no contributors. Allocates nothing.
    package func write(
        extensions values: RTPHeaderExtensions = RTPHeaderExtensions(), map: ExtensionMap = ExtensionMap(),
        into buffer: UnsafeMutableRawBufferPointer
    ) -> Int? {
        var writer = FixedWriter(buffer)
        writer.u8(0x80)
        writer.u8((marker ? 0x80 : 0) | payloadType & 0x7F)
        writer.u16(sequenceNumber)
        writer.u32(timestamp)
        writer.u32(ssrc)
        if values.write(to: &writer, map: map), writer.finished != nil { buffer[0] = 0x90 }
        return writer.finished
    }
}
