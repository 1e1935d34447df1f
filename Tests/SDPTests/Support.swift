import Core
import Foundation
import SDP

/// Descriptions kept as files: recorded from browsers and tools (credentials replaced), or written in their shapes.
enum Fixture {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")

    static let names: [String] =
        ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).filter { $0.hasSuffix(".sdp") }
        .sorted()

    /// The text of `name.sdp`, lines ended by CRLF.
    static func text(_ name: String) throws -> String {
        let file = name.hasSuffix(".sdp") ? name : "\(name).sdp"
        let text = try String(contentsOf: folder.appending(path: file), encoding: .utf8)
        return text.replacing("\r\n", with: "\n").replacing("\n", with: "\r\n")
    }

    static func description(_ name: String) throws -> SessionDescription { try SessionDescription(text(name)) }
}

let testFingerprint = Fingerprint(algorithm: "sha-256", bytes: (0..<32).map { UInt8($0) })

/// A WebRTC endpoint with everything.
func webRTC(
    lines: Int = 1, data: Bool = true, ufrag: String = "ours", seed: UInt64 = 1
) -> LocalCapabilities {
    var (audio, video) = (MediaCapabilities.audio, MediaCapabilities.video)
    audio.lineCount = lines
    video.lineCount = lines
    return LocalCapabilities(
        transport: .webRTC(
            WebRTCTransport(ufrag: ufrag, password: "oursoursoursoursoursours", fingerprints: [testFingerprint])),
        audio: audio, video: video, data: data ? DataCapabilities() : nil, seed: seed)
}

/// A plain RTP endpoint at 192.0.2.1 with ports 5000 to 5003.
func plainRTP(crypto: [SDESKey] = []) -> LocalCapabilities {
    var (audio, video) = (MediaCapabilities.audio, MediaCapabilities.video)
    audio.ports = [PortPair(rtp: 5000, rtcp: 5001)]
    video.ports = [PortPair(rtp: 5002, rtcp: 5003)]
    return LocalCapabilities(
        transport: .plain(PlainTransport(address: IPAddress(v4: 0xC000_0201), crypto: crypto)), audio: audio,
        video: video, seed: 3)
}

/// A description from lines, with the session part in front.
func sdp(_ lines: String, session: String = "") throws -> SessionDescription {
    try SessionDescription("v=0\no=- 1 1 IN IP4 192.0.2.7\ns=-\nc=IN IP4 192.0.2.7\nt=0 0\n\(session)\n\(lines)")
}

/// Attributes that a WebRTC line needs.
let transportLines = """
    a=ice-ufrag:peer
    a=ice-pwd:peerpeerpeerpeerpeerpeer
    a=fingerprint:sha-256 \(Fingerprint(algorithm: "sha-256", bytes: [UInt8](repeating: 5, count: 32)).text)
    a=setup:actpass
    a=rtcp-mux
    """

extension MediaDescription {
    /// The value of the first attribute that prints with this name, or of the m-line's formats.
    func text(_ name: String) -> String? {
        attributes.lazy.map(\.description).first { $0.hasPrefix("\(name):") }.map {
            String($0.dropFirst(name.count + 1))
        }
    }
    func count(_ name: String) -> Int { attributes.count { $0.description.hasPrefix("\(name):") } }
}
