import Core
import RTP

/// Cuts frames into packets, once for all viewers of a rendition: it remembers the last ones, by their payload.
/// One per loop.
final class FrameCutter {
    private struct Entry {
        let payload: Payload
        let sizeMax: Int
        let frame: OutgoingFrame
    }
    private var entries: [Entry] = []
    private var next = 0
    /// Renditions that are sent at the same time; beyond, a frame is cut again.
    private static let entriesMax = 32

    /// The frame's packets of at most `sizeMax` bytes of payload; nil for a frame that is not what its format says.
    func cut(_ frame: EncodedFrame, _ format: VideoFormat, sizeMax: Int) -> OutgoingFrame? {
        if let entry = entries.last(where: { $0.payload === frame.payload && $0.sizeMax == sizeMax }) {
            return entry.frame
        }
        guard
            let packets = try? Packetizer(codec: format.codec).packetize(frame, format: format, sizeMax: sizeMax)
        else { return nil }
        let cut = OutgoingFrame(packets, pts: frame.pts)
        let entry = Entry(payload: frame.payload, sizeMax: sizeMax, frame: cut)
        if entries.count < FrameCutter.entriesMax {
            entries.append(entry)
        } else {
            entries[next] = entry
            next = (next + 1) % FrameCutter.entriesMax
        }
        return cut
    }
}
