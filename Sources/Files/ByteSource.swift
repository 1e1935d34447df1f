import CFFmpeg
import Glibc

/// Bytes that a `Demuxer` reads instead of a file: memory in tests, a simulated network in simulation. Called only
/// by the thread that calls the demuxer.
package protocol ByteSource: AnyObject {
    /// Length in bytes; nil if unknown.
    var size: Int64? { get }
    var isSeekable: Bool { get }
    /// Fills at most `buffer` from the current position and moves on; 0 at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int
    /// Moves to a byte offset from the start, 0 … `size`.
    func seek(to offset: Int64) throws(FileError)
}

/// A `ByteSource` over an array.
package final class MemorySource: ByteSource {
    private let bytes: [UInt8]
    private var position = 0
    package let isSeekable: Bool

    package init(_ bytes: [UInt8], isSeekable: Bool = true) {
        self.bytes = bytes
        self.isSeekable = isSeekable
    }

    package var size: Int64? { isSeekable ? Int64(bytes.count) : nil }

    package func read(into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
        let count = min(buffer.count, bytes.count - position)
        buffer.copyBytes(from: bytes[position..<(position + count)])
        position += count
        return count
    }

    package func seek(to offset: Int64) throws(FileError) {
        position = Int(min(max(0, offset), Int64(bytes.count)))
    }
}

/// Lets libavformat read a `ByteSource`. Owns the `AVIOContext`; must outlive the format context that uses it.
final class SourceReader {
    let context: UnsafeMutablePointer<AVIOContext>
    /// What the source threw, to be told instead of libavformat's EIO.
    private(set) var failure: FileError?
    private let source: any ByteSource
    private var position: Int64 = 0
    private static let bufferBytes = 32 << 10

    init(_ source: any ByteSource) {
        self.source = source
        let buffer = av_malloc(SourceReader.bufferBytes)
        guard
            let context = avio_alloc_context(
                buffer?.assumingMemoryBound(to: UInt8.self), Int32(SourceReader.bufferBytes), 0, nil,
                { opaque, bytes, count in
                    guard let opaque, let bytes, count > 0 else { return cffmpeg_error(EINVAL) }
                    return Unmanaged<SourceReader>.fromOpaque(opaque).takeUnretainedValue()
                        .read(UnsafeMutableRawBufferPointer(start: bytes, count: Int(count)))
                }, nil,
                { opaque, offset, whence in
                    guard let opaque else { return Int64(cffmpeg_error(EINVAL)) }
                    return Unmanaged<SourceReader>.fromOpaque(opaque).takeUnretainedValue().seek(offset, whence)
                })
        else { fatalError("out of memory: AVIOContext") }
        self.context = context
        context.pointee.opaque = Unmanaged.passUnretained(self).toOpaque()
        context.pointee.seekable = source.isSeekable ? AVIO_SEEKABLE_NORMAL : 0
    }

    deinit {
        av_free(context.pointee.buffer)
        var pointer: UnsafeMutablePointer<AVIOContext>? = context
        avio_context_free(&pointer)
    }

    private func read(_ buffer: UnsafeMutableRawBufferPointer) -> Int32 {
        do {
            let count = try source.read(into: buffer)
            position += Int64(count)
            return count == 0 ? Int32(cffmpeg_error_end) : Int32(count)
        } catch {
            failure = error
            return cffmpeg_error(EIO)
        }
    }

    private func seek(_ offset: Int64, _ whence: Int32) -> Int64 {
        if whence & AVSEEK_SIZE != 0 { return source.size ?? Int64(cffmpeg_error(ENOSYS)) }
        let base: Int64
        switch whence & 3 {
        case SEEK_SET: base = 0
        case SEEK_CUR: base = position
        default:
            guard let size = source.size else { return Int64(cffmpeg_error(ENOSYS)) }
            base = size
        }
        let (target, overflow) = base.addingReportingOverflow(offset)
        guard source.isSeekable, !overflow, target >= 0 else { return Int64(cffmpeg_error(EINVAL)) }
        do {
            try source.seek(to: target)
            position = target
            return target
        } catch {
            failure = error
            return Int64(cffmpeg_error(EIO))
        }
    }
}
