import Core
import ICE

/// Spans cannot pass through expectations: these wrap what needs one.
extension [UInt8] {
    func stun() throws -> STUNMessage { try STUNMessage(span.bytes) }
    func isProtected(by key: STUNKey) -> Bool { (try? stun())?.isProtected(by: key, in: span.bytes) ?? false }
    func text(_ range: Range<Int>?) -> String? { range.map { String(decoding: self[$0], as: UTF8.self) } }
    var localUfrag: String? { STUNRouting.localUfrag(span.bytes) }
    var tag: UInt32? { STUNRouting.tag(span.bytes) }
    var isSTUN: Bool { STUNMessage.isSTUN(span.bytes) }
}

extension ICEAgent {
    func take(_ bytes: [UInt8], over path: NetworkPath, at now: Instant) -> ICEDisposition {
        receive(bytes.span.bytes, over: path, at: now)
    }
}
