import Core
import Glibc
import TestKit
import Testing

@testable import Reactor

@Suite(.ownThread, .serialized, .timeLimit(.minutes(2))) struct WebSocketSessionTests {
    /// What a server's sessions saw.
    private struct Seen: Sendable {
        var opened: [String] = []
        var closed: [String] = []
    }

    private func rig(_ options: HTTPServerOptions, _ seen: Lock<Seen>) -> HTTPRig {
        HTTPRig(
            options,
            sessions: [
                "/ws": { session in
                    seen.withLock {
                        $0.opened.append(
                            "\(session.request.path)?\(session.request.query) \(session.subprotocol ?? "-")")
                    }
                    session.onMessage { [weak session] text in
                        switch text {
                        case "close": session?.close(code: 4001, reason: "as you wish")
                        case "flood":
                            for _ in 0..<3000 { session?.send(String(repeating: "f", count: 10_000)) }
                        default: session?.send("echo " + text)
                        }
                    }
                    session.onClose { code, reason in seen.withLock { $0.closed.append("\(code) \(reason)") } }
                }
            ])
    }

    private func python(_ port: UInt16, _ body: String) throws -> String {
        let indented = body.split(separator: "\n").map { "    " + $0 }.joined(separator: "\n")
        let script = """
            import asyncio, websockets
            url = 'ws://127.0.0.1:\(port)/ws'
            async def main():
            \(indented)
            asyncio.run(main())
            """
        return try Shell.check("/usr/bin/python3", ["-c", script])
    }

    @Test func messagesOfAllSizes() async throws {
        let seen = Lock(Seen())
        let rig = rig(HTTPServerOptions(), seen)
        let address = try await rig.listen()
        let output = try python(
            address.port,
            """
            async with websockets.connect(url + '?a=b', max_size=None) as ws:
                for text in ['', 'ä€😀', 'x' * 125, 'x' * 126, 'x' * 65535, 'x' * 65536, 'x' * 1000000]:
                    await ws.send(text)
                    assert await ws.recv() == 'echo ' + text, len(text)
                await ws.send(iter(['in ', 'three ', 'parts']) if False else ['in ', 'three ', 'parts'])
                print(await ws.recv())
                for index in range(1000): await ws.send(str(index))
                for index in range(1000): assert await ws.recv() == f'echo {index}'
                pong = await ws.ping()
                await pong
                await ws.close(4000, 'done')
            """)
        #expect(output == "echo in three parts\n")
        for _ in 0..<100 where seen.withLock({ $0.closed.isEmpty }) { usleep(10_000) }
        #expect(seen.withLock { $0.opened } == ["/ws?a=b -"])
        #expect(seen.withLock { $0.closed } == ["4000 done"])
        await rig.server.stop()
    }

    @Test func closingSubprotocolsAndLimits() async throws {
        let seen = Lock(Seen())
        var options = HTTPServerOptions()
        options.subprotocols = ["one", "two"]
        options.messageBytesMax = 100_000
        options.sessionQueueBytesMax = 1_000_000
        let rig = rig(options, seen)
        let address = try await rig.listen()
        let output = try python(
            address.port,
            """
            async def end(ws):
                try:
                    while True: await ws.recv()
                except websockets.ConnectionClosed as e:
                    print(ws.close_code, ws.close_reason)
            async with websockets.connect(url, subprotocols=['two', 'three']) as ws:
                print(ws.subprotocol)
                await ws.send('close')
                await end(ws)
            async with websockets.connect(url) as ws:
                await ws.send('x' * 100001)
                await end(ws)
            async with websockets.connect(url) as ws:
                await ws.send(b'bytes')
                await end(ws)
            async with websockets.connect(url, max_size=None, max_queue=1) as ws:
                await ws.send('flood')
                await asyncio.sleep(0.5)
                await end(ws)
            try:
                await websockets.connect(url + '/nothing')
            except websockets.InvalidStatusCode as e:
                print(e.status_code)
            """)
        #expect(
            output == """
                two
                4001 as you wish
                1009 a message may have 100000 bytes
                1003 only text messages are understood
                1008 messages are not read
                404

                """)
        #expect(seen.withLock { $0.opened.first } == "/ws? two")
        await rig.server.stop()
    }

    /// The handshake of RFC 6455, section 1.3, with its key.
    private func upgrade(_ client: RawClient) {
        client.write(
            """
            GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n
            """)
        #expect(client.read(until: "\r\n\r\n").contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
    }

    @Test func silentClientsArePingedAndDropped() async throws {
        let seen = Lock(Seen())
        var options = HTTPServerOptions()
        options.pingInterval = .seconds(1)
        let rig = rig(options, seen)
        let address = try await rig.listen()
        let silent = RawClient(address)
        upgrade(silent)
        // A polite one stays for as long as it answers.
        let output = try python(
            address.port,
            """
            async with websockets.connect(url, ping_interval=None) as ws:
                await asyncio.sleep(4)
                await ws.send('still here')
                print(await ws.recv())
            """)
        #expect(output == "echo still here\n")
        #expect(!silent.read().isEmpty, "a ping, then the end")
        #expect(seen.withLock { $0.closed.contains("1006 ") })
        await rig.server.stop()
    }

    /// RFC 6455, section 5.5.3, wants the ping's payload back; some clients send an empty pong, or one without a ping, or
    /// pings of their own. All say that they are there.
    @Test(arguments: ["empty pong", "unasked pong", "ping", "nothing"])
    func clientsThatSayLittleStay(_ habit: String) async throws {
        let seen = Lock(Seen())
        var options = HTTPServerOptions()
        options.pingInterval = .seconds(1)
        let rig = rig(options, seen)
        let address = try await rig.listen()
        let client = RawClient(address)
        upgrade(client)
        let mask: [UInt8] = [1, 2, 3, 4]
        for _ in 0..<4 {
            switch habit {
            case "empty pong":
                #expect(client.read(until: "there?").contains("there?"))
                client.write([0x8A, 0x80] + mask)
            case "unasked pong":
                usleep(800_000)
                client.write([0x8A, 0x80] + mask)
            case "ping":
                usleep(800_000)
                client.write([0x89, 0x80] + mask)
            default: usleep(800_000)
            }
        }
        client.write([0x81, 0x82] + mask + [UInt8(ascii: "m") ^ 1, UInt8(ascii: "e") ^ 2])
        if habit == "nothing" {
            #expect(!client.read().contains("echo me") && seen.withLock { $0.closed == ["1006 "] })
        } else {
            #expect(client.read(until: "echo me").contains("echo me") && seen.withLock { $0.closed.isEmpty })
        }
        await rig.server.stop()
    }

    /// RFC 6455, section 5.1: a server closes when it gets a frame without a mask.
    @Test("Frames without a mask", arguments: [0, 2, 125, 126, 65_535, 65_536])
    func framesWithoutMask(_ count: Int) async throws {
        let seen = Lock(Seen())
        let rig = rig(HTTPServerOptions(), seen)
        let address = try await rig.listen()
        let (client, polite) = (RawClient(address), RawClient(address))
        for one in [client, polite] {
            one.write(
                """
                GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n
                """)
            _ = one.read(until: "\r\n\r\n")
        }
        let text = [UInt8](repeating: UInt8(ascii: "m"), count: count)
        let wide = UInt32(count)
        func frame(_ mask: UInt8) -> [UInt8] {
            let length: [UInt8] =
                count < 126
                ? [mask | UInt8(count)]
                : count < 65_536
                    ? [mask | 126, UInt8(count >> 8), UInt8(count & 255)]
                    : [mask | 127, 0, 0, 0, 0] + (0..<4).map { UInt8(truncatingIfNeeded: wide >> (24 - 8 * $0)) }
            // A mask of zeros is one.
            return [0x81] + length + (mask == 0 ? [] : [0, 0, 0, 0]) + text
        }
        polite.write(frame(0x80) + frame(0x80))
        let answer = "echo " + String(decoding: text, as: UTF8.self)
        #expect(polite.read(until: answer).contains(answer))
        client.write(frame(0))
        let end = client.read()
        #expect(end.contains("frames must be masked") && !end.contains("echo"))
        for _ in 0..<100 where seen.withLock({ $0.closed.isEmpty }) { usleep(10_000) }
        #expect(seen.withLock { $0.closed } == ["1002 frames must be masked"])
        await rig.server.stop()
    }

    @Test func stoppingSaysGoodBye() async throws {
        let seen = Lock(Seen())
        let rig = rig(HTTPServerOptions(), seen)
        let address = try await rig.listen()
        let client = RawClient(address)
        upgrade(client)
        await rig.server.stop(grace: .milliseconds(300))
        #expect(client.read().contains("the server is stopping"))
        #expect(seen.withLock { $0.closed } == ["1001 the server is stopping"])
    }

    @Test func nodeUnderstandsUsOverTLS() async throws {
        let seen = Lock(Seen())
        let rig = rig(HTTPServerOptions(), seen)
        let address = try await rig.listen(.selfSigned(names: ["127.0.0.1"]))
        let script = """
            process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
            const ws = new WebSocket('wss://127.0.0.1:\(address.port)/ws');
            ws.onopen = () => ws.send('from node');
            ws.onmessage = e => { console.log(e.data); e.data.includes('node') ? ws.send('close') : 0 };
            ws.onclose = e => { console.log(e.code, e.reason); process.exit(0) };
            ws.onerror = e => { console.log('error', e.message); process.exit(1) };
            """
        let output = try Shell.run("node", ["--experimental-websocket", "--no-warnings", "-e", script])
        #expect(output.stdout == "echo from node\n4001 as you wish\n", "\(output)")
        await rig.server.stop()
    }
}
