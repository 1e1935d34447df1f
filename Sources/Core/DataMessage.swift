/// One message of the data kind: what a data channel carries, and what travels over a data link of the graph.
package struct DataMessage: Hashable, Sendable {
    package var isText: Bool
    /// May be empty. Text is UTF-8, but nobody has checked the peer's.
    package var bytes: [UInt8]

    package init(isText: Bool, bytes: [UInt8]) {
        self.isText = isText
        self.bytes = bytes
    }

    package static func text(_ text: String) -> DataMessage { DataMessage(isText: true, bytes: [UInt8](text.utf8)) }
    package static func binary(_ bytes: [UInt8]) -> DataMessage { DataMessage(isText: false, bytes: bytes) }
}
