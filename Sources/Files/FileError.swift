import CFFmpeg
import Glibc

/// Why a file or URL cannot be read or written, in the user's words. Each case names the file (or the URL, without
/// user name and password) and prints as one sentence.
package enum FileError: Error, Hashable, Sendable, CustomStringConvertible {
    case notFound(path: String)
    case notPermitted(path: String)
    /// A folder, device or pipe stands where a file is needed.
    case notAFile(path: String)
    case empty(path: String)
    case notMedia(path: String)
    /// Media, but no track that can be played; one reason per track.
    case noTracks(path: String, reasons: [String])
    case unsupported(path: String, what: String)
    case truncated(path: String, what: String)
    /// The disk is full; what was written before stays playable.
    case full(path: String)
    /// Somebody is writing the file.
    case inUse(path: String)
    /// A recording ended before it held a single frame; no file is left.
    case nothingRecorded(path: String)
    /// The configuration does not allow this kind of URL.
    case refused(url: String, reason: String)
    case unreachable(url: String, reason: String)
    /// The server wants other credentials, or gives nothing to these.
    case denied(url: String, reason: String)
    /// An HTTP server did not take an upload.
    case uploadRefused(url: String, status: Int, reason: String)
    /// A live stream that was there is gone.
    case lost(url: String)
    case timedOut(path: String)
    case cancelled(path: String)
    case notSeekable(path: String)
    /// Frames came with times that go back further than a muxer may mend.
    case badTimes(path: String, what: String)
    /// Any other refusal, with the library's or the system's own words.
    case failed(path: String, call: String, reason: String)

    package var description: String {
        switch self {
        case .notFound(let path): "“\(path)” does not exist."
        case .notPermitted(let path): "“\(path)” may not be accessed: permission denied."
        case .notAFile(let path): "“\(path)” is not a regular file."
        case .empty(let path): "“\(path)” is empty."
        case .notMedia(let path): "“\(path)” is not a media file of a known kind."
        case .noTracks(let path, let reasons):
            "“\(path)” has no track that can be played\(reasons.isEmpty ? "" : ": " + reasons.joined(separator: ", "))."
        case .unsupported(let path, let what): "“\(path)”: \(what) is not supported."
        case .truncated(let path, let what): "“\(path)” is cut off: \(what)."
        case .full(let path): "“\(path)” could not be written any further: the disk is full."
        case .inUse(let path): "“\(path)” is being written by somebody else."
        case .nothingRecorded(let path): "“\(path)” was not made: nothing was recorded."
        case .refused(let url, let reason): "“\(url)” is refused: \(reason)."
        case .unreachable(let url, let reason): "“\(url)” cannot be reached: \(reason)."
        case .denied(let url, let reason): "“\(url)” cannot be opened with these credentials: \(reason)."
        case .uploadRefused(let url, let status, let reason):
            "“\(url)” did not take the upload: HTTP status \(status)\(reason.isEmpty ? "" : " " + reason)."
        case .lost(let url): "“\(url)” ended or lost its connection."
        case .timedOut(let path): "“\(path)” gave no answer in time."
        case .cancelled(let path): "Access to “\(path)” was cancelled."
        case .notSeekable(let path): "“\(path)” cannot be played from another position."
        case .badTimes(let path, let what): "“\(path)” was given frames out of order: \(what)."
        case .failed(let path, let call, let reason): "“\(path)” failed: \(reason) (\(call))."
        }
    }

    /// What a system call's error number means.
    init(errno number: Int32, path: String, call: String) {
        switch number {
        case ENOENT: self = .notFound(path: path)
        case EACCES, EPERM, EROFS: self = .notPermitted(path: path)
        case EISDIR: self = .notAFile(path: path)
        case ENOSPC, EDQUOT, EFBIG: self = .full(path: path)
        case EWOULDBLOCK: self = .inUse(path: path)
        case ETIMEDOUT: self = .timedOut(path: path)
        default: self = .failed(path: path, call: call, reason: String(cString: strerror(number)))
        }
    }

    /// What a libav return code means for a file or URL that is read or written.
    init(code: Int32, location: Location, call: String, interrupt: Interrupt) {
        let path = location.name
        if code == Int32(cffmpeg_error_exit) {
            self = interrupt.isCancelled ? .cancelled(path: path) : .timedOut(path: path)
        } else if code == Int32(cffmpeg_error_invalid_data)
            || code == cffmpeg_error(EINVAL) && call == "avformat_open_input"
        {
            self = .notMedia(path: path)
        } else if code == cffmpeg_error(ETIMEDOUT) {
            self = .timedOut(path: path)
        } else if code == Int32(cffmpeg_error_unauthorized) || code == Int32(cffmpeg_error_forbidden) {
            self = .denied(url: path, reason: libraryText(code))
        } else if !location.isFile {
            self = .unreachable(url: path, reason: libraryText(code))
        } else if code < 0, code > -4096 {
            self.init(errno: -code, path: path, call: call)
        } else {
            self = .failed(path: path, call: call, reason: libraryText(code))
        }
    }
}

/// libav's own words for a return code.
func libraryText(_ code: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: 128)
    cffmpeg_describe_error(code, &buffer, buffer.count)
    return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}
