import SDP
import Testing

struct AttributeTests {
    private func parse(_ line: String) throws -> Attribute {
        try #require(try SessionDescription("v=0\na=\(line)").attributes.first)
    }

    @Test(
        "Attributes keep their text",
        arguments: [
            "rtpmap:96 VP8/90000", "rtpmap:111 opus/48000/2", "fmtp:97 apt=96", "fmtp:101 0-16", "fmtp:63 111/111",
            "rtcp-fb:* nack", "rtcp-fb:96 ccm tmmbr smaxpr=120", "extmap:1 urn:a", "extmap:3/recvonly urn:b x y",
            "mid:audio0", "group:BUNDLE 0 1 2", "group:BUNDLE", "sendrecv", "inactive", "ssrc:1 cname:a b",
            "ssrc:4294967295 msid:a b", "ssrc-group:FID 1 2", "msid:- t", "msid:s", "rid:h send",
            "rid:1 recv pt=96,97;max-width=1280;max-height=720", "rid:x send depend=1,2", "simulcast:send h;m;l",
            "simulcast:send 1,2;~3 recv 4", "setup:holdconn", "ice-ufrag:8hhY", "ice-options:ice2 trickle",
            "candidate:1 1 udp 1 192.0.2.1 9 typ host", "rtcp:9", "rtcp:53020 IN IP6 2001:db8::1", "ptime:20",
            "maxptime:2.5", "sctp-port:5000", "max-message-size:0", "sctpmap:5000 webrtc-datachannel 1024",
            "crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA|2^20|1:4 UNENCRYPTED_SRTCP", "rtcp-mux", "ice-lite",
            "end-of-candidates", "identity:eyJ=", "tls-id:91bbf309c0990a6bec11e38ba2933cee", "imageattr:97 send [x=1]",
            "simulcast: send rid=a;b", "framerate:29.97", "x:", "fingerprint:sha-1 4A:AD:B9:B1",
        ])
    func stable(_ line: String) throws { #expect("\(try parse(line))" == line) }

    @Test(
        "Malformed attributes are refused",
        arguments: [
            "rtpmap:96", "rtpmap:128 VP8/90000", "rtpmap:x VP8/90000", "rtpmap:96 VP8", "rtpmap:96 VP8/x",
            "rtpmap:96 /90000", "rtpmap:96 VP8/0", "rtpmap:96 opus/48000/0", "fmtp:", "rtcp-fb:96", "rtcp-fb:200 nack",
            "extmap:0 urn:a", "extmap:1", "extmap:1/both urn:a", "mid:", "mid:a b", "group:", "ssrc:1",
            "ssrc:x cname:y",
            "ssrc:4294967296 cname:x", "ssrc-group:FID x", "rid:h", "rid:h both", "rid:h/ send", "rid:h send pt=x",
            "simulcast:both a", "simulcast:send a send b", "setup:nobody", "ice-ufrag:", "ice-pwd:a b",
            "fingerprint:sha-256", "fingerprint:sha-256 GG", "fingerprint:sha-256 A", "fingerprint:sha-256 +1",
            "crypto:1 x", "crypto:a b c", "rtcp:", "rtcp:1 IN", "sctp-port:65536", "max-message-size:-1",
            "sctpmap:5000",
        ])
    func malformed(_ line: String) {
        let error = #expect(throws: SDPError.self) { () throws in _ = try parse(line) }
        #expect(error?.line == 2)
        #expect(error?.text.contains("is expected") == true)
    }

    @Test func parameters() {
        let parameters: FormatParameters = "Packetization-Mode=1; profile-level-id=42E01F ;;x; stereo=1"
        #expect(parameters.int("packetization-mode") == 1 && parameters["PROFILE-LEVEL-ID"] == "42E01F")
        #expect(parameters.bool("stereo") && !parameters.bool("x") && parameters["x"] == "" && parameters["y"] == nil)
        #expect(parameters.setting("stereo", "0").text == "packetization-mode=1;profile-level-id=42E01F;x;stereo=0")
        #expect(FormatParameters("").setting("a", "b").text == "a=b")
    }

    @Test func directions() {
        #expect(MediaDirection.sendonly.reversed == .recvonly && MediaDirection.inactive.reversed == .inactive)
        #expect(MediaDirection.sendrecv.intersection(.recvonly) == .recvonly)
        #expect(MediaDirection.sendonly.intersection(.recvonly) == .inactive)
    }

    @Test func valuesByType() throws {
        #expect(try parse("rtpmap:96 H264/90000") == .rtpmap(RTPMap(payloadType: 96, name: "H264", clockRate: 90000)))
        guard case .rid(let rid) = try parse("rid:1 send pt=96,97;max-width=1280") else {
            Issue.record("no rid")
            return
        }
        #expect(rid.payloadTypes == [96, 97] && rid.int("max-width") == 1280 && rid.sends)
        guard case .fingerprint(let fingerprint) = try parse("fingerprint:SHA-256 0a:FF") else {
            Issue.record("no fingerprint")
            return
        }
        #expect(fingerprint.algorithm == "sha-256" && fingerprint.bytes == [10, 255] && fingerprint.text == "0A:FF")
    }
}
