import Core
import Files
import Foundation
import Glibc
import TestKit
import Testing

/// A TCP port on this machine that accepts connections while the object lives.
private final class Listener {
    let descriptor: Int32
    let port: Int

    init() throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let (bound, socket) = (descriptor, length)
        let code = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(bound, pointer, socket) == 0 ? getsockname(bound, pointer, &length) : -1
            }
        }
        try #require(code == 0 && listen(descriptor, 1) == 0)
        port = Int(UInt16(bigEndian: address.sin_port))
    }

    deinit { close(descriptor) }

    /// Accepts one request, reads to its end, and returns its body, freed of the chunks (RFC 9112, 7.1).
    static func receive(_ descriptor: Int32) -> [UInt8] {
        let connection = accept(descriptor, nil, nil)
        defer { close(connection) }
        var data = Data()
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while case let count = read(connection, &buffer, buffer.count), count > 0 {
            data.append(contentsOf: buffer[..<count])
            // The last chunk.
            if data.suffix(5) == Data("0\r\n\r\n".utf8) { break }
        }
        let answer = [UInt8]("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".utf8)
        _ = write(connection, answer, answer.count)
        let newline = Data("\r\n".utf8)
        var rest = data.range(of: Data("\r\n\r\n".utf8)).map { data[$0.upperBound...] } ?? Data()
        var body: [UInt8] = []
        while let line = rest.range(of: newline),
            let count = Int(String(decoding: rest[..<line.lowerBound], as: UTF8.self), radix: 16), count > 0
        {
            body += rest[line.upperBound...].prefix(count)
            rest = rest[line.upperBound...].dropFirst(count + 2)
        }
        return body
    }
}

/// http in and out, against ffmpeg as the other side.
@Suite(.serialized) struct NetworkTests {
    private func peer(_ arguments: [String]) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["ffmpeg", "-hide_banner", "-nostdin", "-v", "error", "-y"] + arguments
        process.standardInput = FileHandle.nullDevice
        try process.run()
        return process
    }

    /// Tries until the other side listens (5 s at most).
    private func connect<T>(_ body: () throws -> T) throws -> T {
        for _ in 0..<100 {
            do { return try body() } catch FileError.unreachable { usleep(50_000) }
        }
        return try body()
    }

    @Test func aFileComesOverHTTP() throws {
        let path = try TestMedia.path("vp8.webm")
        let url = "http://127.0.0.1:\(try Listener().port)/a.webm"
        let server = try peer(["-i", path, "-c", "copy", "-f", "matroska", "-listen", "1", url])
        defer { server.terminate() }
        let demuxer = try connect { try Demuxer(url: url) }
        #expect(!demuxer.isSeekable)
        let frames = try TestMedia.frames(demuxer)
        let expected = try TestMedia.frames(try Demuxer(url: path))
        #expect(frames.map { $0.map(\.payload.bytes) } == expected.map { $0.map(\.payload.bytes) })
    }

    @Test(arguments: [Container.webm, .mp4]) func aRecordingIsUploadedWhileItIsMade(container: Container) throws {
        let source = try MuxerTests.Source(container == .webm ? "vp8.webm" : "b.mp4")
        let listener = try Listener()
        let body = Lock<[UInt8]?>(nil)
        let thread = Thread { [descriptor = listener.descriptor] in
            let bytes = Listener.receive(descriptor)
            body.withLock { $0 = bytes }
        }
        thread.start()
        var options = Muxer.Options()
        options.schemes = ["http"]
        let muxer = try Muxer(
            url: "http://127.0.0.1:\(listener.port)/up", container: container, tracks: source.formats, options: options)
        for packet in source.packets { try muxer.write(track: packet.track, frame: packet.frame) }
        try muxer.finish()
        while !thread.isFinished { usleep(10_000) }
        let path = try Shell.scratch("upload") + "/got.\(container.rawValue)"
        try TestMedia.write(try #require(body.withLock { $0 }), to: path)
        #expect(try MuxerTests.checksums(path).map(\.count) == [100, source.packets.count - 100])
    }

    @Test func aServerThatSaysNothingTimesOut() throws {
        let listener = try Listener()
        let url = "http://127.0.0.1:\(listener.port)/silent.webm"
        // The clock jumps on at the third look: no real time passes.
        let looks = Lock(Int64(0))
        let interrupt = Interrupt(now: {
            looks.withLock {
                $0 += 1
                return Instant(nanoseconds: $0 > 3 ? 60_000_000_000 : 0)
            }
        })
        #expect(throws: FileError.timedOut(path: url)) { try Demuxer(url: url, interrupt: interrupt) }
    }
}
