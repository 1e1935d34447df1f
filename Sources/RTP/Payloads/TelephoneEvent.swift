import Core

/// A key of a telephone, pressed or held (RFC 4733, section 2.3): the payload of one packet.
package struct TelephoneEvent: Hashable, Sendable {
    /// 0–9 digits, 10 star, 11 pound, 12–15 A–D; others are other signals.
    package var event: UInt8
    /// The key is up: `duration` is final.
    package var isEnd: Bool
    /// Below full scale in dB, 0–63.
    package var volume: UInt8
    /// Since the packet's timestamp, in ticks of its clock.
    package var duration: UInt16

    package init(event: UInt8, isEnd: Bool, volume: UInt8 = 10, duration: UInt16) {
        self.event = event
        self.isEnd = isEnd
        self.volume = volume
        self.duration = duration
    }

    package init(_ payload: RawSpan) throws(RTPError) {
        do {
            var reader = ByteReader(payload)
            event = try reader.u8()
            let byte = try reader.u8()
            isEnd = byte & 0x80 != 0
            volume = byte & 0x3F
            duration = try reader.u16()
        } catch {
            throw .malformedPayload
        }
    }

    package func write(into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        var writer = FixedWriter(buffer)
        writer.u8(event)
        writer.u8((isEnd ? 0x80 : 0) | min(volume, 0x3F))
        writer.u16(duration)
        return writer.finished
    }

    /// The character on the key, if there is one.
    package var key: Character? {
        let keys: [Character] = [
            "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "#", "A", "B", "C", "D",
        ]
        return Int(event) < keys.count ? keys[Int(event)] : nil
    }
}
