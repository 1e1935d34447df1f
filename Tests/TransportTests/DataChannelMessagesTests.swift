import Core
import Testing

@testable import Transport

struct DataChannelMessagesTests {
    @Test("RFC 8832, section 5.1, byte for byte") func open() throws {
        let message = DCEPMessage.open(
            .init(label: "ab", subprotocol: "c", isOrdered: false, reliability: .maxLifetime(milliseconds: 300)))
        let bytes: [UInt8] = [3, 0x82, 1, 0, 0, 0, 1, 0x2C, 0, 2, 0, 1, 97, 98, 99]
        #expect(message.bytes == bytes)
        #expect(try DCEPMessage(bytes) == message)
        #expect(DCEPMessage.acknowledge.bytes == [2])
        #expect(try DCEPMessage([2]) == .acknowledge)
        // What does not fit 16 bits is as good as for ever.
        var long = bytes
        long[4] = 1
        guard case .open(let parameters) = try DCEPMessage(long) else { return }
        #expect(parameters.reliability == .maxLifetime(milliseconds: 65_535))
    }

    @Test("What is none", arguments: [[], [1], [3], [3, 0, 0, 0], [3, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]] as [[UInt8]])
    func malformed(_ bytes: [UInt8]) { #expect(throws: TruncatedError.self) { _ = try DCEPMessage(bytes) } }

    @Test func lengthsThatLie() {
        #expect(throws: TruncatedError.self) { _ = try DCEPMessage([3, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 97, 98]) }
    }
}

struct DatagramQueueTests {
    @Test func keepsBoundariesAndBounds() {
        var queue = DatagramQueue(maxBytes: 100)
        func put(_ bytes: [UInt8]) -> Bool { bytes.withUnsafeBytes { queue.append($0) } }
        func take() -> [UInt8]? { queue.pop { [UInt8]($0) } }
        var expected: [[UInt8]] = []
        for round in 0..<200 {
            let bytes = [UInt8](repeating: UInt8(round), count: round % 23)
            #expect(put(bytes))
            expected.append(bytes)
            if round % 3 != 0 || expected.count > 3 { #expect(take() == expected.removeFirst()) }
        }
        while let bytes = take() { #expect(bytes == expected.removeFirst()) }
        #expect(expected.isEmpty && queue.isEmpty && queue.dropped == 0)
        #expect(put([UInt8](repeating: 0, count: 90)) && !put([UInt8](repeating: 0, count: 3)) && put([1, 2]))
        #expect(queue.dropped == 1 && queue.count == 2)
        let isAdded = queue.append(capacity: 0) { _ in 0 }
        #expect(!isAdded && queue.count == 2)
    }
}
