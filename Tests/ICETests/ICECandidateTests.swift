import Core
import Testing

@testable import ICE

struct ICECandidateTests {
    @Test(
        "Lines come out as they went in",
        arguments: [
            "candidate:1 1 udp 2130706431 10.0.1.1 8998 typ host",
            "candidate:2 1 udp 1694498815 192.0.2.3 45664 typ srflx raddr 10.0.1.1 rport 8998",
            "candidate:3 2 tcp 1518280447 2001:db8::1 9 typ host tcptype active",
            "candidate:842163049 1 udp 1677729535 192.0.2.1 4000 typ srflx raddr 0.0.0.0 rport 0 generation 0 ufrag Ab+/ "
                + "network-id 3 network-cost 10",
            "candidate:7 1 udp 2113937151 1f4712db-ea17-4bcf-a596-105139dfd8bf.local 54596 typ host",
        ])
    func roundTrip(_ line: String) throws { #expect(try ICECandidate(line).description == line) }

    @Test func browsersAreTolerated() throws {
        let line = "a=candidate:0 1 UDP 2122252543 192.0.2.9 62537 typ host generation 0 ufrag x  foo bar\r\n"
        let candidate = try ICECandidate(line)
        #expect(candidate.address == SocketAddress("192.0.2.9:62537") && candidate.transport == .udp)
        #expect(candidate.ufrag == "x" && candidate.generation == 0)
        let name = try ICECandidate("candidate:1 1 udp 1 a.local 5 typ host")
        #expect(name.host == .name("a.local") && name.address == nil)
    }

    @Test(
        "What is no candidate is refused",
        arguments: [
            "", "candidate:", "candidate:1 1 udp 1 1.2.3.4 5 host", "candidate:1 0 udp 1 1.2.3.4 5 typ host",
            "candidate:1 257 udp 1 1.2.3.4 5 typ host", "candidate:1 1 sctp 1 1.2.3.4 5 typ host",
            "candidate:1 1 udp -1 1.2.3.4 5 typ host", "candidate:1 1 udp 1 1.2.3.4 65536 typ host",
            "candidate:1 1 udp 1 1.2.3.4 5 typ guest", "candidate:1 1 tcp 1 1.2.3.4 5 typ host",
            "candidate:1 1 udp 1 in_valid! 5 typ host", String(repeating: "candidate:1 ", count: 100),
        ])
    func refused(_ line: String) {
        #expect(throws: ICECandidateError.self) { try ICECandidate(line) }
    }

    @Test func priorities() {
        #expect(ICECandidate.priority(.host, .udp, nil, localPreference: 65_535) == 2_130_706_431)
        let order = [
            ICECandidate.priority(.host, .udp, nil, localPreference: 0),
            ICECandidate.priority(.prflx, .udp, nil, localPreference: 65_535),
            ICECandidate.priority(.srflx, .udp, nil, localPreference: 65_535),
            ICECandidate.priority(.host, .tcp, .active, localPreference: 65_535),
            ICECandidate.priority(.host, .tcp, .passive, localPreference: 65_535),
            ICECandidate.priority(.relay, .udp, nil, localPreference: 65_535),
            ICECandidate.priority(.relay, .tcp, nil, localPreference: 65_535),
        ]
        #expect(order == order.sorted(by: >) && Set(order).count == order.count)
    }

    /// RFC 8445, section 6.1.2.3.
    @Test func pairPriorities() {
        let (g, d) = (2_130_706_431 as UInt32, 1_694_498_815 as UInt32)
        let value = UInt64(d) << 32 + 2 * UInt64(g) + 1
        #expect(CandidatePair.priority(g, d, .controlling) == value)
        #expect(CandidatePair.priority(d, g, .controlled) == value)
        #expect(CandidatePair.priority(g, d, .controlled) == value - 1)
    }

    @Test func foundations() throws {
        let (one, two) = try (#require(IPAddress("10.0.0.1")), #require(IPAddress("10.0.0.2")))
        let base = ICECandidate.foundation(.host, base: one, server: nil, transport: .udp, nil)
        #expect(base == ICECandidate.foundation(.host, base: one, server: nil, transport: .udp, nil))
        #expect(base != ICECandidate.foundation(.host, base: two, server: nil, transport: .udp, nil))
        #expect(base != ICECandidate.foundation(.srflx, base: one, server: two, transport: .udp, nil))
        #expect(base != ICECandidate.foundation(.host, base: one, server: nil, transport: .tcp, .passive))
    }
}
