import Core

/// Frees a request's body of its framing: of a stated length, or chunked (RFC 9112, sections 6 and 7). A plain value.
package struct UploadBody: Hashable, Sendable {
    private enum State: Hashable, Sendable {
        case counted(left: UInt64)
        case chunkSize(UInt64, digits: Int)
        /// The rest of a size line, or of a trailer's.
        case chunkExtension(UInt64, length: Int)
        case chunk(left: UInt64)
        case chunkEnd
        case trailer(length: Int, total: Int)
        case complete
    }
    private var state: State
    /// Bytes of a size line or of all trailers.
    private static let lineMax = 4096

    package init(_ head: UploadHead) throws(UploadError) {
        if let coding = head.headers["transfer-encoding"] {
            guard coding.lowercased() == "chunked", head.headers["content-length"] == nil else { throw .badLength }
            state = .chunkSize(0, digits: 0)
            return
        }
        guard let text = head.headers["content-length"], let length = UInt64(text), length <= UInt64(Int64.max) else {
            throw .badLength
        }
        state = length == 0 ? .complete : .counted(left: length)
    }

    package var isComplete: Bool { state == .complete }

    /// Appends what is body in `bytes` to `output`. What follows the body is left out.
    package mutating func take(_ bytes: ArraySlice<UInt8>, into output: inout [UInt8]) throws(UploadError) {
        var rest = bytes
        while !rest.isEmpty {
            switch state {
            case .complete: return
            case .counted(let left):
                let count = Int(min(left, UInt64(rest.count)))
                output += rest.prefix(count)
                rest = rest.dropFirst(count)
                state = left == UInt64(count) ? .complete : .counted(left: left - UInt64(count))
            case .chunk(let left):
                let count = Int(min(left, UInt64(rest.count)))
                output += rest.prefix(count)
                rest = rest.dropFirst(count)
                state = left == UInt64(count) ? .chunkEnd : .chunk(left: left - UInt64(count))
            default:
                guard let byte = rest.popFirst() else { return }
                try step(byte)
            }
        }
    }

    /// One byte of framing. A line may end without its carriage return.
    private mutating func step(_ byte: UInt8) throws(UploadError) {
        switch state {
        case .chunkSize(let size, let digits):
            if let digit = UploadBody.hex(byte), digits < 15 {
                state = .chunkSize(size << 4 | UInt64(digit), digits: digits + 1)
            } else {
                guard digits > 0, UploadBody.hex(byte) == nil else { throw .badChunk }
                if byte == 10 { begin(size) } else { state = .chunkExtension(size, length: 0) }
            }
        case .chunkExtension(let size, let length):
            guard length < UploadBody.lineMax else { throw .badChunk }
            if byte == 10 { begin(size) } else { state = .chunkExtension(size, length: length + 1) }
        case .chunkEnd:
            guard byte == 13 || byte == 10 else { throw .badChunk }
            if byte == 10 { state = .chunkSize(0, digits: 0) }
        case .trailer(let length, let total):
            guard total < UploadBody.lineMax else { throw .badChunk }
            if byte == 10 {
                state = length == 0 ? .complete : .trailer(length: 0, total: total + 1)
            } else {
                state = .trailer(length: byte == 13 ? length : length + 1, total: total + 1)
            }
        case .counted, .chunk, .complete: break
        }
    }

    private mutating func begin(_ size: UInt64) {
        state = size == 0 ? .trailer(length: 0, total: 0) : .chunk(left: size)
    }

    private static func hex(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
