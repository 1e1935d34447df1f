import Core
import ICE
import Testing

struct StreamFramerTests {
    private func cut(_ framing: StreamFramer.Framing, _ stream: [UInt8], pieces: Int) -> [[UInt8]] {
        var framer = StreamFramer(framing)
        var out: [[UInt8]] = []
        for start in stride(from: 0, to: stream.count, by: pieces) {
            framer.receive(stream[start..<min(start + pieces, stream.count)].span.bytes)
            while let message = framer.next() { out.append(message) }
        }
        return out
    }

    @Test("Messages do not depend on how the stream was cut", arguments: [1, 2, 3, 7, 1000])
    func lengths(_ pieces: Int) {
        let messages: [[UInt8]] = [[1], [2, 3], [UInt8](repeating: 4, count: 300)]
        let stream: [UInt8] = [0, 0] + messages.map { StreamFramer.frame(.length, $0) }.joined()
        #expect(cut(.length, stream, pieces: pieces) == messages)
    }

    @Test("STUN and padded ChannelData", arguments: [1, 2, 3, 7, 1000])
    func turn(_ pieces: Int) {
        let request = STUNWriter(.request, .binding, STUNTransactionID(tag: 1, 2)).finish()
        let channel: [UInt8] = [0x40, 1, 0, 3, 9, 9, 9]
        #expect(cut(.turn, request + channel + [0] + request, pieces: pieces) == [request, channel, request])
    }

    @Test func nonsenseBreaksTheStream() {
        var framer = StreamFramer(.turn)
        framer.receive(Array("GET / HTTP/1.1\r\n".utf8).span.bytes)

        #expect(framer.next() == nil && framer.isBroken)
        var other = StreamFramer(.turn)
        other.receive(([0x90, 0, 0, 0] as [UInt8]).span.bytes)
        #expect(other.next() == nil && other.isBroken && other.pendingCount == 0)
    }

    @Test func whatIsKeptIsBounded() {
        var framer = StreamFramer(.length, messageBytesMax: 1000)
        framer.receive(([0x03, 0xE9, 1, 2, 3] as [UInt8]).span.bytes)
        #expect(framer.next() == nil && framer.isBroken && framer.pendingCount == 0)
        framer.receive(([1, 2, 3] as [UInt8]).span.bytes)
        #expect(framer.pendingCount == 0)
    }
}
