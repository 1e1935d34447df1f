import Core

/// Brings the frames of several tracks into decoding order for a muxer. A plain value.
///
/// A frame leaves once no other track can bring an earlier one (watermarks), or, with `holdMax`, once it is that much
/// older than the newest frame: a silent track then holds the others back no longer than that.
struct Interleaver {
    private struct Track {
        var frames = Deque<EncodedFrame>()
        var watermark = MediaTime.distantPast
        /// No frame with an earlier decoding time will leave this track.
        var bound: MediaTime { frames.first?.dts ?? watermark }
    }

    private var tracks: [Track]
    private var newest = MediaTime.distantPast
    private let holdMax: MediaTime?
    /// Payload bytes that wait.
    private(set) var waitingBytes = 0

    init(tracks count: Int, holdMax: MediaTime?) {
        tracks = Array(repeating: Track(), count: count)
        self.holdMax = holdMax
    }

    mutating func put(_ track: Int, _ frame: EncodedFrame) {
        tracks[track].frames.append(frame)
        tracks[track].watermark = max(tracks[track].watermark, frame.dts)
        newest = max(newest, frame.dts)
        waitingBytes += frame.payload.count
    }

    /// No frame of the track with an earlier decoding time will be put.
    mutating func advance(_ track: Int, to watermark: MediaTime) {
        tracks[track].watermark = max(tracks[track].watermark, watermark)
    }

    /// The next frame in order, or nil while it is not certain which that is.
    mutating func next() -> (track: Int, frame: EncodedFrame)? {
        var candidate: (track: Int, dts: MediaTime)?
        for index in tracks.indices {
            guard let frame = tracks[index].frames.first else { continue }
            if let best = candidate, best.dts <= frame.dts { continue }
            candidate = (index, frame.dts)
        }
        guard let candidate else { return nil }
        let isOld = holdMax.map { newest - candidate.dts > $0 } ?? false
        guard isOld || tracks.allSatisfy({ !$0.frames.isEmpty || $0.bound > candidate.dts }) else { return nil }
        guard let frame = tracks[candidate.track].frames.popFirst() else { return nil }
        waitingBytes -= frame.payload.count
        return (candidate.track, frame)
    }

    /// How far the track is ahead of the track that is furthest behind.
    func lead(of track: Int) -> MediaTime {
        let behind = tracks.map(\.bound).min() ?? .zero
        guard tracks[track].watermark.isFinite, behind.isFinite else {
            // A track that has ended leads nobody; one of which nothing is known lets the others lead by their queue.
            return tracks[track].watermark == .infinity
                ? .zero : tracks[track].watermark - (tracks[track].frames.first?.dts ?? .zero)
        }
        return tracks[track].watermark - behind
    }
}
