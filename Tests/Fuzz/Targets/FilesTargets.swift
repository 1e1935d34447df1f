import Core
import Files

extension FuzzTarget {
    static let files = [
        // A whole request: head, framing, form. However it is cut, the same comes out.
        FuzzTarget("upload", sizeMax: 4096) { bytes in
            let text = bytes.withUnsafeBytes { [UInt8]($0) }
            precondition(uploaded(text, piece: 7) == uploaded(text, piece: text.count + 1), "pieces change an upload")
        }
    ]

    /// The head is read up to the first empty line.
    private static func uploaded(_ bytes: [UInt8], piece: Int) -> [UInt8]? {
        let end = bytes.indices.first { bytes[$0...].starts(with: [13, 10, 13, 10]) } ?? bytes.count
        guard let head = try? UploadHead(bytes[..<end]), var body = try? UploadBody(head),
            var form = try? Optional(MultipartFile(contentType: head.headers["content-type"] ?? "")) ?? nil
        else { return nil }
        let rest = bytes.dropFirst(end + 4)
        var out: [UInt8] = []
        for start in stride(from: rest.startIndex, to: rest.endIndex, by: piece) {
            var inner: [UInt8] = []
            let slice = rest[start..<min(rest.endIndex, start + piece)]
            guard (try? body.take(slice, into: &inner)) != nil, (try? form.take(inner, into: &out)) != nil else {
                return nil
            }
        }
        return out
    }
}
