import Core
import Testing

struct SocketAddressTests {
    @Test(
        "Addresses are printed as RFC 5952 wants them",
        arguments: [
            ("192.0.2.1", "192.0.2.1"), ("0.0.0.0", "0.0.0.0"), ("::", "::"), ("::1", "::1"), ("fe80::", "fe80::"),
            ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
            ("::ffff:192.0.2.1", "192.0.2.1"), ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"),
            ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
        ])
    func addresses(_ text: String, _ printed: String) throws {
        let address = try #require(IPAddress(text))
        #expect(address.description == printed)
        #expect(IPAddress(address.bytes) == address)
    }

    @Test(
        "What is no address is refused",
        arguments: [
            "", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.+4", "localhost", ":", ":::", "1::2::3", "1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:8:9", "12345::", "::g", ":1:2:3:4:5:6:7", "1:2:3:4:5:6:7:", "fe80::1%eth0", "::-1",
        ])
    func refused(_ text: String) { #expect(IPAddress(text) == nil) }

    @Test func ports() throws {
        #expect(SocketAddress("192.0.2.1:80")?.description == "192.0.2.1:80")
        #expect(SocketAddress("[::1]:65535")?.description == "[::1]:65535")
        for wrong in ["192.0.2.1", "::1:80", "[::1]", "192.0.2.1:65536", "host:80", ":80"] {
            #expect(SocketAddress(wrong) == nil, "\(wrong)")
        }
    }

    @Test func kinds() throws {
        #expect(try #require(IPAddress("127.0.0.1")).isLoopback)
        #expect(try #require(IPAddress("::1")).isLoopback)
        #expect(try #require(IPAddress("fe80::1")).isLinkLocal)
        #expect(try #require(IPAddress("169.254.3.4")).isLinkLocal)
        #expect(try #require(IPAddress("::")).isAny)
        #expect(!(try #require(IPAddress("10.0.0.1")).isLoopback))
    }
}
