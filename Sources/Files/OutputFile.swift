import CFFmpeg
import Core
import Glibc

/// A file being written, and the `AVIOContext` in front of it. Pushes bytes to the kernel whenever the muxer flushes,
/// so what was flushed survives `kill -9`. Holds an advisory lock as long as it is open, so that no second recorder
/// and no repair touches the file.
final class OutputFile {
    let context: UnsafeMutablePointer<AVIOContext>
    /// -1 for a URL.
    let descriptor: Int32
    /// Whether bytes already written can be changed. False for URLs, pipes and devices.
    let isRegular: Bool
    /// errno of the first write that failed; 0 if none did.
    private(set) var failure: Int32 = 0
    private let location: Location
    private let interrupt: Interrupt
    private var isClosed = false
    private var position: Int64 = 0
    private let upload: HTTPUpload?
    /// What an upload's first failed call threw.
    private var uploadFailure: FileError?
    private static let bufferBytes = 256 << 10

    /// How an upload is announced.
    struct Upload {
        var method = "POST"
        var contentType = "application/octet-stream"
    }

    /// Opens and empties a file, or connects for an upload.
    init(
        _ location: Location, upload: Upload = Upload(), interrupt: Interrupt, timeout: MediaTime?
    ) throws(FileError) {
        self.location = location
        self.interrupt = interrupt
        var isRegular = false
        if let path = location.path {
            descriptor = try OutputFile.create(path, regular: &isRegular)
            self.upload = nil
        } else {
            descriptor = -1
            self.upload = try HTTPUpload(
                location, method: upload.method, contentType: upload.contentType, interrupt: interrupt,
                timeout: timeout)
        }
        self.isRegular = isRegular
        let buffer = av_malloc(OutputFile.bufferBytes)?.assumingMemoryBound(to: UInt8.self)
        guard
            let context = avio_alloc_context(
                buffer, Int32(OutputFile.bufferBytes), 1, nil, nil,
                { opaque, bytes, count in
                    guard let opaque, let bytes, count >= 0 else { return cffmpeg_error(EINVAL) }
                    return Unmanaged<OutputFile>.fromOpaque(opaque).takeUnretainedValue()
                        .write(UnsafeRawBufferPointer(start: bytes, count: Int(count)))
                },
                { opaque, offset, whence in
                    guard let opaque else { return Int64(cffmpeg_error(EINVAL)) }
                    return Unmanaged<OutputFile>.fromOpaque(opaque).takeUnretainedValue().seek(offset, whence)
                })
        else { fatalError("out of memory: AVIOContext") }
        self.context = context
        context.pointee.opaque = Unmanaged.passUnretained(self).toOpaque()
        context.pointee.seekable = isRegular ? AVIO_SEEKABLE_NORMAL : 0
    }

    deinit { _ = release() }

    /// Ends the file: the lock is given up, an upload waits for its answer. Nothing may follow.
    func close() throws(FileError) {
        let isFirst = !isClosed
        let code = release()
        guard isFirst else { return }
        if let uploadFailure { throw uploadFailure }
        try upload?.finish()
        guard code < 0 else { return }
        throw FileError(code: code, location: location, call: "close", interrupt: interrupt)
    }

    private func release() -> Int32 {
        guard !isClosed else { return 0 }
        isClosed = true
        var pointer: UnsafeMutablePointer<AVIOContext>? = context
        av_free(context.pointee.buffer)
        avio_context_free(&pointer)
        guard descriptor >= 0 else { return 0 }
        return Glibc.close(descriptor) == 0 ? 0 : cffmpeg_error(errno)
    }

    /// Queues bytes for the next flush.
    func write(_ bytes: [UInt8]) { avio_write(context, bytes, Int32(clamping: bytes.count)) }

    /// Pushes everything buffered to the kernel.
    func flush() throws(FileError) {
        avio_flush(context)
        try check(call: "write")
    }

    /// Throws what went wrong with the bytes so far.
    func check(call: String) throws(FileError) {
        if let uploadFailure { throw uploadFailure }
        if failure != 0 { throw FileError(errno: failure, path: location.name, call: "write") }
        let code = context.pointee.error
        guard code >= 0 else {
            throw FileError(code: code, location: location, call: call, interrupt: interrupt)
        }
    }

    /// Cuts a regular file off after a write failed, so that no half of a fragment stays behind.
    func truncate(to size: Int64) {
        guard isRegular else { return }
        _ = ftruncate(descriptor, Int(size))
    }

    /// Takes a regular file away: nothing worth keeping was written.
    func remove() {
        guard isRegular, let path = location.path else { return }
        unlink(path)
    }

    /// Makes the folders above a path.
    static func createFolders(for path: String) throws(FileError) {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        var folder = ""
        for (index, part) in parts.enumerated() {
            folder += (index == 0 ? "" : "/") + part
            guard !part.isEmpty, mkdir(folder, 0o777) != 0, errno != EEXIST else { continue }
            let number = errno
            var status = stat()
            guard stat(folder, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
                throw FileError(errno: number, path: folder, call: "mkdir")
            }
        }
    }

    private static func create(_ path: String, regular: inout Bool) throws(FileError) -> Int32 {
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0o666)
        guard descriptor >= 0 else { throw FileError(errno: errno, path: path, call: "open") }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            defer { Glibc.close(descriptor) }
            throw FileError(errno: errno, path: path, call: "fstat")
        }
        regular = status.st_mode & S_IFMT == S_IFREG
        guard regular else { return descriptor }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0, ftruncate(descriptor, 0) == 0 else {
            defer { Glibc.close(descriptor) }
            throw FileError(errno: errno, path: path, call: "flock")
        }
        return descriptor
    }

    private func write(_ bytes: UnsafeRawBufferPointer) -> Int32 {
        guard failure == 0 else { return cffmpeg_error(failure) }
        if let upload {
            guard uploadFailure == nil else { return cffmpeg_error(EIO) }
            do throws(FileError) {
                try upload.write(bytes)
            } catch {
                uploadFailure = error
                return cffmpeg_error(EIO)
            }
            return Int32(bytes.count)
        }
        var done = 0
        while done < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
            let count =
                isRegular
                ? pwrite(descriptor, rest.baseAddress, rest.count, Int(position) + done)
                : Glibc.write(descriptor, rest.baseAddress, rest.count)
            if count > 0 {
                done += count
            } else if count == 0 || errno != EINTR {
                failure = count == 0 ? ENOSPC : errno
                return cffmpeg_error(failure)
            }
        }
        position += Int64(done)
        return Int32(done)
    }

    private func seek(_ offset: Int64, _ whence: Int32) -> Int64 {
        guard isRegular else { return Int64(cffmpeg_error(ESPIPE)) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return Int64(cffmpeg_error(errno)) }
        if whence & AVSEEK_SIZE != 0 { return Int64(status.st_size) }
        let base = whence & 3 == SEEK_SET ? 0 : whence & 3 == SEEK_CUR ? position : Int64(status.st_size)
        guard base + offset >= 0 else { return Int64(cffmpeg_error(EINVAL)) }
        position = base + offset
        return position
    }
}
