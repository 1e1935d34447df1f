import Core

/// Takes the first file out of a multipart/form-data body (RFC 7578, RFC 2046 section 5.1) as it comes in. A plain
/// value; keeps no more than a part's head or a delimiter.
package struct MultipartFile: Hashable, Sendable {
    private enum State: Hashable, Sendable { case preamble, head, skipped, file, complete }
    private var state = State.preamble
    /// CR LF, two dashes and the boundary.
    private let delimiter: [UInt8]
    /// What cannot be told yet.
    private var held: [UInt8] = []
    private static let headMax = 16 << 10
    /// RFC 2046, section 5.1.1.
    private static let boundaryMax = 70

    /// nil if the content type is not multipart/form-data.
    package init?(contentType: String) throws(UploadError) {
        guard contentType.lowercased().hasPrefix("multipart/") else { return nil }
        var boundary: Substring?
        for part in contentType.split(separator: ";").dropFirst() {
            let part = part.drop { $0 == " " }
            guard part.prefix(9).lowercased() == "boundary=" else { continue }
            var value = part.dropFirst(9)
            if value.hasPrefix("\"") { value = value.dropFirst().prefix { $0 != "\"" } }
            while value.last == " " { value = value.dropLast() }
            boundary = value
        }
        guard let boundary, !boundary.isEmpty, boundary.utf8.count <= MultipartFile.boundaryMax else {
            throw .badMultipart
        }
        delimiter = [13, 10, 45, 45] + boundary.utf8
        // The first delimiter may stand at the very beginning.
        held = [13, 10]
    }

    /// The file is whole.
    package var isComplete: Bool { state == .complete }

    /// Appends what belongs to the file to `output`.
    package mutating func take(_ bytes: some Collection<UInt8>, into output: inout [UInt8]) throws(UploadError) {
        guard state != .complete else { return }
        held += bytes
        while try step(into: &output) {}
    }

    /// Whether something came of what is held.
    private mutating func step(into output: inout [UInt8]) throws(UploadError) -> Bool {
        switch state {
        case .complete:
            held = []
            return false
        case .head:
            // After the last delimiter come two dashes instead of a line.
            guard !held.starts(with: [45, 45]) else { throw .badMultipart }
            guard let end = MultipartFile.find([13, 10, 13, 10], in: held) else {
                guard held.count <= MultipartFile.headMax else { throw .badMultipart }
                return false
            }
            guard end <= MultipartFile.headMax else { throw .badMultipart }
            let isFile = MultipartFile.isFile(String(decoding: held[..<end], as: UTF8.self))
            // Whether the file is empty can be told once a delimiter's length is there.
            guard !isFile || held.count >= end + 4 + delimiter.count - 2 else { return false }
            // An empty part's delimiter begins with the line end that closes its head.
            held.removeFirst(end + 2)
            if isFile {
                held.removeFirst(2)
                // So that an empty file's delimiter is found too.
                if held.starts(with: delimiter.dropFirst(2)) { held = [13, 10] + held }
            }
            state = isFile ? .file : .skipped
            return true
        case .preamble, .skipped, .file:
            let found = MultipartFile.find(delimiter, in: held)
            let known = found ?? max(0, held.count - delimiter.count + 1)
            if state == .file { output += held[..<known] }
            held.removeFirst(found == nil ? known : known + delimiter.count)
            guard found != nil else { return false }
            state = state == .file ? .complete : .head
            return true
        }
    }

    /// Whether a part's head is that of a file, and not of a field of the form.
    private static func isFile(_ head: String) -> Bool {
        let head = head.lowercased()
        return head.contains("filename=") || head.contains("filename*=") || head.contains("content-type: video/")
            || head.contains("content-type: audio/") || head.contains("content-type: application/octet-stream")
    }

    static func find(_ pattern: [UInt8], in bytes: [UInt8]) -> Int? {
        guard let first = pattern.first, bytes.count >= pattern.count else { return nil }
        var index = 0
        while index + pattern.count <= bytes.count {
            guard let next = bytes[index...(bytes.count - pattern.count)].firstIndex(of: first) else { return nil }
            if bytes[next..<(next + pattern.count)].elementsEqual(pattern) { return next }
            index = next + 1
        }
        return nil
    }
}
