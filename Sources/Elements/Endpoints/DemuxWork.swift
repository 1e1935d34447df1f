import Core
import Files
import Media

/// What a player asks of its demuxer, which lives on a thread for blocking calls.
enum DemuxCommand: Sendable {
    case open
    /// Up to `DemuxWork.packetsPerRead` packets.
    case read
    case seek(MediaTime)
}

/// What the demuxer answers.
enum DemuxResult: Sendable {
    case opened(OpenedMedia)
    /// Packets in the file's order, and for each track the time before which nothing more will come.
    case packets([Packet], watermarks: [MediaTime])
    /// Nothing more; packets that were broken and left out so far.
    case end(damaged: Int)
    case sought
}

/// What a demuxer found.
struct OpenedMedia: Sendable {
    let tracks: [Track]
    let duration: MediaTime?
    let isSeekable: Bool
    let isLive: Bool
}

/// The worker's side of a playout: opens, reads and seeks one file or URL.
final class DemuxWork: StageWork {
    private let make: @Sendable () throws -> Demuxer
    /// Set for what comes over a network: a batch is then over after a while, full or not.
    private let now: (@Sendable () -> Instant)?
    private var demuxer: Demuxer?
    static let packetsPerRead = 32
    private static let networkBatchMax = MediaTime.milliseconds(10)

    init(now: (@Sendable () -> Instant)?, make: @escaping @Sendable () throws -> Demuxer) {
        self.now = now
        self.make = make
    }

    func process(_ command: DemuxCommand, emit: (DemuxResult) -> Void) throws {
        switch command {
        case .open:
            let demuxer = try make()
            self.demuxer = demuxer
            emit(
                .opened(
                    OpenedMedia(
                        tracks: demuxer.tracks, duration: demuxer.duration, isSeekable: demuxer.isSeekable,
                        isLive: demuxer.isLive)))
        case .read:
            guard let demuxer else { return }
            try read(demuxer, emit)
        case .seek(let time):
            try demuxer?.seek(to: time)
            emit(.sought)
        }
    }

    private func read(_ demuxer: Demuxer, _ emit: (DemuxResult) -> Void) throws {
        var packets: [Packet] = []
        var hasEnded = false
        // What was read before an error still counts.
        defer {
            emit(.packets(packets, watermarks: demuxer.tracks.map { demuxer.watermark(of: $0.index) }))
            if hasEnded { emit(.end(damaged: demuxer.damagedCount)) }
        }
        let began = now?()
        while packets.count < DemuxWork.packetsPerRead {
            guard let packet = try demuxer.read() else {
                hasEnded = true
                break
            }
            packets.append(packet)
            if let now, let began, now() - began > DemuxWork.networkBatchMax { break }
        }
    }
}
