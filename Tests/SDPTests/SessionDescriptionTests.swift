import Core
import SDP
import Testing

struct SessionDescriptionTests {
    /// RFC 8866, section 5 (its example), with CRLF.
    private static let example = [
        "v=0", "o=jdoe 3724394400 3724394405 IN IP4 198.51.100.1", "s=Call to John Smith",
        "i=SDP Offer #1", "u=http://www.jdoe.example.com/home.html", "e=Jane Doe <jane@jdoe.example.com>",
        "p=+1 617 555-6011", "c=IN IP4 198.51.100.1", "t=0 0", "m=audio 49170 RTP/AVP 0", "m=audio 49180 RTP/AVP 0",
        "m=video 51372 RTP/AVP 99", "c=IN IP6 2001:db8::2", "a=rtpmap:99 h263-1998/90000", "",
    ].joined(separator: "\r\n")

    /// RFC 4566, section 5: multicast address, bounded time, attribute at the top.
    private static let older = [
        "v=0", "o=jdoe 2890844526 2890842807 IN IP4 10.47.16.5", "s=SDP Seminar",
        "i=A Seminar on the session description protocol", "u=http://www.example.com/seminars/sdp.pdf",
        "e=j.doe@example.com (Jane Doe)", "c=IN IP4 224.2.17.12/127", "t=2873397496 2873404696", "a=recvonly",
        "m=audio 49170 RTP/AVP 0", "m=video 51372 RTP/AVP 99", "a=rtpmap:99 h263-1998/90000", "",
    ].joined(separator: "\r\n")

    @Test func exampleOfTheRFC() throws {
        let description = try SessionDescription(Self.example)
        #expect(description.name == "Call to John Smith" && description.information == "SDP Offer #1")
        #expect(description.origin.username == "jdoe" && description.origin.sessionVersion == "3724394405")
        #expect(description.media.map(\.port) == [49170, 49180, 51372])
        #expect(description.connection(of: 2)?.address == "2001:db8::2")
        #expect(description.connection(of: 0)?.ip?.description == "198.51.100.1")
        #expect(description.description == Self.example)
    }

    @Test func olderExample() throws {
        let description = try SessionDescription(Self.older)
        #expect(description.direction(of: 0) == .recvonly && description.times == ["t=2873397496 2873404696"])
        #expect(description.connection?.ip?.description == "224.2.17.12")
        #expect(description.description == Self.older)
    }

    @Test("What was parsed prints as it was", arguments: Fixture.names)
    func prints(_ name: String) throws {
        let text = try Fixture.text(name)
        let description = try SessionDescription(text)
        // One channel need not be written; Firefox does.
        #expect(description.description == text.replacing("/8000/1\r\n", with: "/8000\r\n"))
        #expect(try SessionDescription(description.description) == description)
    }

    @Test func thereAreFixtures() { #expect(Fixture.names.count >= 20) }

    @Test("LF and CRLF are the same", arguments: Fixture.names)
    func lineEnds(_ name: String) throws {
        let text = try Fixture.text(name)
        #expect(try SessionDescription(text.replacing("\r\n", with: "\n")) == SessionDescription(text))
    }

    @Test func whatIsMissingSaysNothing() throws {
        let description = try SessionDescription("v=0")
        #expect(description == SessionDescription())
        #expect(description.description == "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n")
    }

    @Test func repeatTimesAndPortCounts() throws {
        let text = """
            v=0
            o=- 1 1 IN IP4 192.0.2.1
            s=x
            b=X-YZ:128
            t=3034423619 3042462419
            r=7d 1h 0 25h
            z=2882844526 -1h
            k=prompt
            m=audio 49170/2 RTP/AVP 0
            i=left and right
            c=IN IP4 224.2.1.1/127/2
            c=IN IP4 224.2.1.4/127
            b=AS:64
            k=clear:x
            """
        let description = try SessionDescription(text)
        #expect(description.times.count == 3 && description.media[0].portCount == 2)
        #expect(description.media[0].connections.count == 2 && description.media[0].bandwidthMax == 64_000)
        #expect(try SessionDescription(description.description) == description)
        #expect(description.description.contains("m=audio 49170/2 RTP/AVP 0\r\ni=left and right\r\n"))
    }

    @Test(
        "Errors name line and reason",
        arguments: [
            ("", 0, "empty"), ("rubbish", 1, "`v=0` is expected"), ("v=1", 1, "`v=0` is expected"),
            ("v=0\nx", 2, "letter and `=`"), ("v=0\n\n\nv=0", 4, "second `v=`"),
            ("v=0\r\no=- 1 IN IP4 x", 2, "o= has 5 fields"), ("v=0\nm=audio 9 RTP/AVP", 2, "at least one format"),
            ("v=0\nm=audio 70000 RTP/AVP 0", 2, "`70000` is no port"), ("v=0\nm=audio -1 RTP/AVP 0", 2, "is no port"),
            ("v=0\nm=audio 9/0 RTP/AVP 0", 2, "number of ports"), ("v=0\nc=IN IP4", 2, "192.0.2.1"),
            ("v=0\nb=12", 2, "AS:500"), ("v=0\na=", 2, "without a name"), ("v=0\nm=a 9 b c\ns=x", 3, "m-section"),
            ("v=0\na=x\u{0}y", 2, "NUL"), ("v=0\na=x\ry", 2, "carriage return"),
        ])
    func errors(_ text: String, _ line: Int, _ reason: String) {
        let error = #expect(throws: SDPError.self) { () throws in _ = try SessionDescription(text) }
        #expect(error?.line == line)
        #expect(error?.text.contains(reason) == true, "\(error?.text ?? "")")
    }

    @Test func limits() throws {
        let long = String(repeating: "x", count: SDPLimits.lineBytesMax + 1)
        let many = String(repeating: "a=x\n", count: SDPLimits.linesMax)
        let media = String(repeating: "m=audio 9 RTP/AVP 0\n", count: SDPLimits.mediaDescriptionsMax + 1)
        let formats = String(repeating: " 0", count: SDPLimits.formatsMax + 1)
        let huge = String(repeating: "a=\(String(repeating: "x", count: 1000))\n", count: 600)
        let simulcast = (0...SDPLimits.ridsMax).map { "\($0)" }.joined(separator: ";")
        for text in [long, many, media, "m=audio 9 RTP/AVP\(formats)", huge, "a=simulcast:send \(simulcast)"] {
            let error = #expect(throws: SDPError.self) { () throws in _ = try SessionDescription("v=0\n\(text)") }
            #expect(error?.text.contains("at most") == true || error?.text.contains("more than") == true)
        }
        _ = try SessionDescription("v=0\na=" + String(repeating: "x", count: SDPLimits.lineBytesMax - 2))
    }

    @Test func bytesThatAreNoUTF8() throws {
        let description = try SessionDescription(bytes: Array("v=0\ns=".utf8) + [0xFF, 0xC3] + Array("\n".utf8))
        #expect(description.name.unicodeScalars.contains("\u{FFFD}"))
    }
}
