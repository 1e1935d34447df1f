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
    case opened(tracks: [Track], duration: MediaTime?, isSeekable: Bool)
    /// Packets in the file's order, and for each track the time before which nothing more will come.
    case packets([Packet], watermarks: [MediaTime])
    /// Nothing more; packets that were broken and left out so far.
    case end(damaged: Int)
    case sought
}

/// The worker's side of a player: opens, reads and seeks one file or URL.
final class DemuxWork: StageWork {
    private let url: String
    private let options: Demuxer.Options
    private let interrupt: Interrupt
    private var demuxer: Demuxer?
    static let packetsPerRead = 32

    init(url: String, options: Demuxer.Options, interrupt: Interrupt) {
        self.url = url
        self.options = options
        self.interrupt = interrupt
    }

    func process(_ command: DemuxCommand, emit: (DemuxResult) -> Void) throws {
        switch command {
        case .open:
            let demuxer = try Demuxer(url: url, options: options, interrupt: interrupt)
            self.demuxer = demuxer
            emit(.opened(tracks: demuxer.tracks, duration: demuxer.duration, isSeekable: demuxer.isSeekable))
        case .read:
            guard let demuxer else { return }
            var packets: [Packet] = []
            var hasEnded = false
            // What was read before an error still counts.
            defer {
                emit(.packets(packets, watermarks: demuxer.tracks.map { demuxer.watermark(of: $0.index) }))
                if hasEnded { emit(.end(damaged: demuxer.damagedCount)) }
            }
            while packets.count < DemuxWork.packetsPerRead {
                guard let packet = try demuxer.read() else {
                    hasEnded = true
                    break
                }
                packets.append(packet)
            }
        case .seek(let time):
            try demuxer?.seek(to: time)
            emit(.sought)
        }
    }
}
