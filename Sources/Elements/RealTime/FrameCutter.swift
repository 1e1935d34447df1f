import Core
import RTP

/// Cuts frames into packets, once for all viewers of a rendition: it remembers the last ones, by their payload.
/// One per loop.
final class FrameCutter {
    private struct Entry {
        let payload: Payload
        let sizeMax: Int
        let vp9Mode: Packetizer.VP9Mode
        let frame: OutgoingFrame
    }
    private var entries: [Entry] = []
    private var next = 0
    /// Renditions that are sent at the same time; beyond, a frame is cut again.
    private static let entriesMax = 32

    /// The frame's packets of at most `sizeMax` bytes of payload; nil for a frame that is not what its format says.
    func cut(
        _ frame: EncodedFrame, _ format: VideoFormat, sizeMax: Int, vp9Mode: Packetizer.VP9Mode
    ) -> OutgoingFrame? {
        let known = entries.last {
            $0.payload === frame.payload && $0.sizeMax == sizeMax && $0.vp9Mode == vp9Mode
        }
        if let known { return known.frame }
        let packetizer = Packetizer(codec: format.codec, vp9Mode: vp9Mode)
        guard let packets = try? packetizer.packetize(frame, format: format, sizeMax: sizeMax) else { return nil }
        let cut = OutgoingFrame(packets, pts: frame.pts)
        let entry = Entry(payload: frame.payload, sizeMax: sizeMax, vp9Mode: vp9Mode, frame: cut)
        if entries.count < FrameCutter.entriesMax {
            entries.append(entry)
        } else {
            entries[next] = entry
            next = (next + 1) % FrameCutter.entriesMax
        }
        return cut
    }

    // MARK: Sound

    private var sounds: [OutgoingFrame] = []
    /// The oldest of them; the newest stands before it.
    private var nextSound = 0
    /// Those of the last second may be asked for again: so many of twenty senders. Beyond, frames are not used again.
    private static let soundsMax = 1024
    private static let passedMax = 8

    /// The packet of a block of sound, made once for all who get it one after the other, in memory that is used again.
    func cut(sound payload: Payload, pts: MediaTime) -> OutgoingFrame {
        if nextSound > 0, sounds[nextSound - 1].packets.payload === payload, sounds[nextSound - 1].pts == pts {
            return sounds[nextSound - 1]
        }
        if nextSound == sounds.count { nextSound = 0 }
        // Somebody may still refer to some of a stream that has ended: when there is no place for more, these are passed
        // over.
        for _ in 0..<FrameCutter.passedMax
        where sounds.count == FrameCutter.soundsMax && !isKnownUniquelyReferenced(&sounds[nextSound]) {
            nextSound = nextSound + 1 == sounds.count ? 0 : nextSound + 1
        }
        if nextSound < sounds.count, isKnownUniquelyReferenced(&sounds[nextSound]) {
            sounds[nextSound].refill(sound: payload, pts: pts)
        } else if sounds.count < FrameCutter.soundsMax {
            sounds.insert(OutgoingFrame(sound: payload, pts: pts), at: nextSound)
        } else {
            return OutgoingFrame(sound: payload, pts: pts)
        }
        nextSound += 1
        return sounds[nextSound - 1]
    }
}
