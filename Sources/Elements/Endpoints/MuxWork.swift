import Core
import Files
import Media

/// What a recorder tells its muxer, which lives on a thread for blocking calls.
enum MuxCommand: Sendable {
    case open([EncodedFormat])
    case frame(track: Int, EncodedFrame)
    case format(track: Int, EncodedFormat)
    /// Pushes what was written to the kernel, for a pause.
    case flush
    case finish

    var isFrame: Bool {
        if case .frame = self { return true }
        return false
    }
}

enum MuxResult: Sendable {
    case opened
    /// The file is closed, whole or as far as it got; frames whose times had to be moved.
    case closed(repaired: Int)
}

/// The worker's side of a recorder: writes one file or URL.
final class MuxWork: StageWork {
    private let url: String
    private let container: Container
    private let options: Muxer.Options
    private let interrupt: Interrupt
    private var muxer: Muxer?

    init(url: String, container: Container, options: Muxer.Options, interrupt: Interrupt) {
        self.url = url
        self.container = container
        self.options = options
        self.interrupt = interrupt
    }

    func process(_ command: MuxCommand, emit: (MuxResult) -> Void) throws {
        switch command {
        case .open(let formats):
            muxer = try Muxer(url: url, container: container, tracks: formats, options: options, interrupt: interrupt)
            emit(.opened)
        case .frame(let track, let frame): try muxer?.write(track: track, frame: frame)
        case .format(let track, let format): try muxer?.updateFormat(track: track, format: format)
        case .flush: try muxer?.flush()
        case .finish:
            defer {
                emit(.closed(repaired: muxer?.repairCount ?? 0))
                muxer = nil
            }
            try muxer?.finish()
        }
    }
}
