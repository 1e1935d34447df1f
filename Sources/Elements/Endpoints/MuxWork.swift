import Codecs
import Core
import Files
import Media

/// What a recorder tells its muxer, which lives on a thread for blocking calls.
enum MuxCommand: Sendable {
    case open([EncodedFormat])
    case frame(track: Int, EncodedFrame)
    /// For a file of still pictures, which needs no `open`.
    case picture(VideoFrame)
    case format(track: Int, EncodedFormat)
    /// Pushes what was written to the kernel, for a pause.
    case flush
    case finish

    var isFrame: Bool {
        switch self {
        case .frame, .picture: true
        default: false
        }
    }
}

enum MuxResult: Sendable {
    case opened
    /// What came before a pause is with the kernel.
    case flushed
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
    private var pictures: (file: PictureFile, encoder: JPEGEncoder)?

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
        case .picture(let picture): try write(picture, emit)
        case .format(let track, let format): try muxer?.updateFormat(track: track, format: format)
        case .flush:
            defer { emit(.flushed) }
            try muxer?.flush()
        case .finish:
            defer {
                emit(.closed(repaired: muxer?.repairCount ?? 0))
                (muxer, pictures) = (nil, nil)
            }
            try muxer?.finish()
            try pictures?.file.finish()
        }
    }

    private func write(_ picture: VideoFrame, _ emit: (MuxResult) -> Void) throws {
        if pictures == nil {
            let file = try PictureFile(url: url, contentType: "image/jpeg", options: options, interrupt: interrupt)
            pictures = (file, JPEGEncoder())
            emit(.opened)
        }
        guard let pictures else { return }
        try pictures.file.append(try pictures.encoder.encode(picture))
    }
}
