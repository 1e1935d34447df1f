package import Core

/// What may be said about the next frame of each track of a file that is read in file order.
///
/// A track's watermark is the later of two bounds: the decoding time of its own last frame (decoding times never
/// decrease), and the largest time seen anywhere in the file minus `limit`. The second bound makes a missing, sparse
/// or badly interleaved track deterministic: the file alone decides how long others wait for it, never the clock.
/// A frame that comes later than its watermark allowed is *late*; it is told so that the reader can drop and count it.
package struct InterleaveTracker: Hashable, Sendable {
    /// The most that two tracks of a file may be apart.
    package let limit: MediaTime
    private var own: [MediaTime]
    private var largest = MediaTime.distantPast
    private var ended = false

    package init(tracks: Int, limit: MediaTime = .milliseconds(10_000)) {
        self.limit = limit
        own = [MediaTime](repeating: .distantPast, count: tracks)
    }

    /// No frame of `track` with a decoding time before this will come (a late one apart); infinite after the end.
    package func watermark(of track: Int) -> MediaTime {
        ended ? .infinity : max(own[track], largest - limit)
    }

    /// Takes note of a frame. Returns false if it is late.
    @discardableResult
    package mutating func advance(track: Int, to dts: MediaTime) -> Bool {
        let isInTime = dts >= watermark(of: track)
        own[track] = max(own[track], dts)
        largest = max(largest, dts)
        return isInTime
    }

    /// Nothing more comes on any track.
    package mutating func end() { ended = true }

    /// Forgets everything: reading goes on at another position.
    package mutating func reset() { self = InterleaveTracker(tracks: own.count, limit: limit) }
}
