import Core
import Glibc

/// What the top level of a Matroska or WebM file tells about whether it was finished (RFC 9559; EBML: RFC 8794).
struct MatroskaSummary: Hashable {
    static let magic: [UInt8] = [0x1A, 0x45, 0xDF, 0xA3]

    private enum ID {
        static let segment: UInt32 = 0x1853_8067
        static let info: UInt32 = 0x1549_A966
        static let cluster: UInt32 = 0x1F43_B675
        static let documentType: UInt32 = 0x4282
        static let duration: UInt32 = 0x4489
        static let timestampScale: UInt32 = 0x2AD7B1
    }

    private(set) var isWebM = false
    private(set) var duration: MediaTime?
    /// The segment's size is known and all of it is there.
    private(set) var isComplete = false
    /// Bytes behind the last cluster that is all there.
    private(set) var bytesIncomplete: Int64 = 0

    var isWhole: Bool { isComplete && duration != nil }

    /// One element: where its body lies. `size` nil: unknown, to the end of what holds it.
    private struct Element {
        let id: UInt32
        let body: Int64
        let size: Int64?
    }

    init(descriptor: Int32, path: String) throws(FileError) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw FileError(errno: errno, path: path, call: "fstat") }
        let fileSize = Int64(status.st_size)
        guard let head = MatroskaSummary.element(descriptor, at: 0), let headSize = head.size,
            headSize < 4096, head.body + headSize <= fileSize
        else { throw .notMedia(path: path) }
        MatroskaSummary.children(descriptor, from: head.body, to: head.body + headSize) { child in
            guard child.id == ID.documentType, let size = child.size, size <= 16 else { return true }
            isWebM = MatroskaSummary.bytes(descriptor, child.body, size).prefix { $0 != 0 }.elementsEqual("webm".utf8)
            return true
        }
        guard let segment = MatroskaSummary.element(descriptor, at: head.body + headSize), segment.id == ID.segment
        else { throw .notMedia(path: path) }
        let end = segment.size.flatMap { $0 <= fileSize - segment.body ? segment.body + $0 : nil }
        isComplete = end != nil
        var whole = segment.body
        MatroskaSummary.children(descriptor, from: segment.body, to: end ?? fileSize) { child in
            if child.id == ID.info, let size = child.size, size < 65_536 {
                duration = MatroskaSummary.duration(descriptor, from: child.body, to: child.body + size)
            }
            // A cluster of unknown size was never ended.
            guard let size = child.size, size <= fileSize - child.body else { return false }
            whole = child.body + size
            return true
        }
        bytesIncomplete = isComplete ? 0 : max(0, fileSize - whole)
    }

    private static func duration(_ descriptor: Int32, from: Int64, to: Int64) -> MediaTime? {
        var scale: UInt64 = 1_000_000
        var value: Double?
        children(descriptor, from: from, to: to) { child in
            guard let size = child.size, size <= 8 else { return true }
            let number = bytes(descriptor, child.body, size).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            if child.id == ID.timestampScale { scale = number }
            if child.id == ID.duration {
                value = size == 4 ? Double(Float(bitPattern: UInt32(number))) : Double(bitPattern: number)
            }
            return true
        }
        guard let value, value.isFinite, value > 0, value * Double(scale) < 4e18 else { return nil }
        return MediaTime(nanoseconds: Int64(value * Double(scale)))
    }

    /// Calls `body` for the elements in a range until it returns false or one cannot be read.
    private static func children(_ descriptor: Int32, from: Int64, to: Int64, _ body: (Element) -> Bool) {
        var offset = from
        while offset < to, let child = element(descriptor, at: offset), body(child), let size = child.size,
            size <= to - child.body
        {
            offset = child.body + size
        }
    }

    private static func element(_ descriptor: Int32, at offset: Int64) -> Element? {
        let head = bytes(descriptor, offset, 12)
        guard let first = head.first, first >= 0x10 else { return nil }
        let idLength = first.leadingZeroBitCount + 1
        guard head.count > idLength else { return nil }
        let id = head[0..<idLength].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        let sizeFirst = head[idLength]
        let sizeLength = sizeFirst.leadingZeroBitCount + 1
        guard sizeLength <= 8, head.count >= idLength + sizeLength else { return nil }
        let mask = UInt64(1) << (7 * UInt64(sizeLength)) - 1
        let size = head[idLength..<(idLength + sizeLength)].reduce(UInt64(0)) { $0 << 8 | UInt64($1) } & mask
        // All ones: unknown. A size that no offset can reach is broken.
        guard size == mask || size < 1 << 62 else { return nil }
        return Element(
            id: id, body: offset + Int64(idLength + sizeLength), size: size == mask ? nil : Int64(size))
    }

    private static func bytes(_ descriptor: Int32, _ offset: Int64, _ count: Int64) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: Int(count))
        let got = pread(descriptor, &buffer, buffer.count, Int(offset))
        return Array(buffer.prefix(max(0, got)))
    }
}
