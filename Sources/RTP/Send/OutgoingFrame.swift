package import Core

/// A coded frame cut into packets, with its time: made once per rendition and shared by all viewers who get it.
/// Whoever still may have to send a part of it again holds a reference; only a frame of sound to which nobody else refers
/// is filled anew. Lives on the loop.
package final class OutgoingFrame {
    package private(set) var packets: PacketizedFrame
    /// When it is due, in pipeline time.
    package private(set) var pts: MediaTime
    package let audioLevel: AudioLevelValue?
    /// Bytes of all payloads.
    package private(set) var size: Int
    /// Sound after silence sets the marker on its first packet (RFC 3551, section 4.1).
    package let beginsTalk: Bool

    /// A picture.
    package init(_ packets: PacketizedFrame, pts: MediaTime) {
        self.packets = packets
        self.pts = pts
        audioLevel = nil
        beginsTalk = false
        size = packets.slices.reduce(0) { $0 + $1.count }
    }

    /// A block of sound, which is one packet.
    package init(sound payload: Payload, pts: MediaTime, level: AudioLevelValue? = nil, beginsTalk: Bool = false) {
        var packets = PacketizedFrame(payload: payload, isKey: true)
        packets.pieces.append(PacketPiece(0..<payload.count))
        packets.endSlice()
        packets.endFrame()
        self.packets = packets
        self.pts = pts
        audioLevel = level
        self.beginsTalk = beginsTalk
        size = payload.count
    }

    /// Another block of sound, in the same memory.
    package func refill(sound payload: Payload, pts: MediaTime) {
        packets.refill(payload)
        self.pts = pts
        size = payload.count
    }
}
