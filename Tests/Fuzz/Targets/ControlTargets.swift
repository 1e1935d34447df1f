import Control

extension FuzzTarget {
    static let control = [
        FuzzTarget("json", sizeMax: 4096) { bytes in
            let text = bytes.withUnsafeBytes { [UInt8]($0) }
            _ = try? JSONNode(parsing: text, limits: .document)
        },
        FuzzTarget("sdp-fragment", sizeMax: 4096) { bytes in
            let text = bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
            guard let fragment = try? SDPFragment(text) else { return }
            let again = try? SDPFragment(fragment.text(mid: "0", media: "audio"))
            precondition(again == fragment, "a fragment that was printed is read as another")
        },
    ]
}
