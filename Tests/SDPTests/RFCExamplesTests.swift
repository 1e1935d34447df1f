import Core
import SDP
import Testing

/// Examples from the RFCs, shortened where they repeat themselves.
struct RFCExamplesTests {
    private let fingerprint =
        "a=fingerprint:sha-256 19:E2:1C:3B:4B:9F:81:E6:B8:5C:F4:A5:A8:D8:73:04:BB:05:2F:70:9F:04:A9:0E:05:E9:26:33:E8:70:88:A2"

    /// RFC 8829, section 7.1: the first offer.
    @Test func simpleJSEP() throws {
        let offer = try SessionDescription(
            """
            v=0
            o=- 4962303333179871722 1 IN IP4 0.0.0.0
            s=-
            t=0 0
            a=ice-options:trickle ice2
            a=group:BUNDLE a1 v1
            a=group:LS a1 v1
            m=audio 10100 UDP/TLS/RTP/SAVPF 96 0 8 97 98
            c=IN IP4 203.0.113.100
            a=mid:a1
            a=sendrecv
            a=rtpmap:96 opus/48000/2
            a=rtpmap:0 PCMU/8000
            a=rtpmap:8 PCMA/8000
            a=rtpmap:97 telephone-event/8000
            a=rtpmap:98 telephone-event/48000
            a=fmtp:97 0-15
            a=fmtp:98 0-15
            a=maxptime:120
            a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
            a=extmap:2 urn:ietf:params:rtp-hdrext:ssrc-audio-level
            a=msid:47017fee-b6c1-4162-929c-a25110252400
            a=ice-ufrag:ETEn
            a=ice-pwd:OtSK0WpNtpUjkY4+86js7ZQl
            \(fingerprint)
            a=setup:actpass
            a=tls-id:91bbf309c0990a6bec11e38ba2933cee
            a=rtcp:10101 IN IP4 203.0.113.100
            a=rtcp-mux
            a=rtcp-rsize
            a=candidate:1 1 udp 2113929471 203.0.113.100 10100 typ host
            a=candidate:1 2 udp 2113929470 203.0.113.100 10101 typ host
            a=end-of-candidates
            m=video 10102 UDP/TLS/RTP/SAVPF 100 101 102 103
            c=IN IP4 203.0.113.100
            a=mid:v1
            a=sendrecv
            a=rtpmap:100 VP8/90000
            a=rtpmap:101 H264/90000
            a=fmtp:101 packetization-mode=1;profile-level-id=42e01f
            a=rtpmap:102 rtx/90000
            a=fmtp:102 apt=100
            a=rtpmap:103 rtx/90000
            a=fmtp:103 apt=101
            a=imageattr:100 recv [x=[48:1920],y=[48:1080],q=1.0]
            a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
            a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id
            a=rtcp-fb:100 ccm fir
            a=rtcp-fb:100 nack
            a=rtcp-fb:100 nack pli
            a=msid:47017fee-b6c1-4162-929c-a25110252400
            a=ice-ufrag:BGKk
            a=ice-pwd:mqyWsAjvtKwTGnvhPztQ9mIf
            \(fingerprint)
            a=setup:actpass
            a=tls-id:91bbf309c0990a6bec11e38ba2933cee
            a=rtcp-mux
            a=rtcp-rsize
            a=candidate:1 1 udp 2113929471 203.0.113.100 10102 typ host
            """)
        let agreement = try OfferAnswer.answer(offer, with: webRTC())
        let session = agreement.session
        #expect(session.transports.count == 1 && session.transports[0].ice?.ufrag == "ETEn")
        #expect(
            session.transports[0].ice?.candidates.count == 2 && session.transports[0].tlsID?.hasPrefix("91bb") == true)
        #expect(session.media[0].maxptime == 120 && session.media[0].receive[98]?.role == .events)
        #expect(session.media[1].codecs.map(\.rtxPayloadType) == [102, 103])
        #expect(session.media[1].codecs[0].feedback == ["ccm fir", "nack", "nack pli"])
        #expect(agreement.local.media.map(\.formats) == [["96", "0", "8", "97", "98"], ["100", "102", "101", "103"]])
    }

    /// RFC 9143, section 13.1 (its example), in WebRTC's profile: bundle-only lines have port 0 and no transport.
    @Test func bundleOnly() throws {
        let offer = try sdp(
            """
            m=audio 10000 UDP/TLS/RTP/SAVPF 0 8 97
            b=AS:200
            a=mid:foo
            \(transportLines)
            a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
            a=rtpmap:97 iLBC/8000
            m=video 0 UDP/TLS/RTP/SAVPF 31 96
            b=AS:1000
            a=mid:bar
            a=bundle-only
            a=rtcp-mux
            a=rtpmap:96 VP8/90000
            a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
            m=video 0 UDP/TLS/RTP/SAVPF 66
            a=mid:zen
            a=bundle-only
            a=rtcp-mux
            a=rtpmap:66 H261/90000
            """, session: "a=group:BUNDLE foo bar zen")
        let agreement = try OfferAnswer.answer(offer, with: webRTC(lines: 2))
        #expect(agreement.session.media.map(\.rejection) == [nil, nil, .noCommonCodec])
        #expect(agreement.local.groups("BUNDLE").map(\.mids) == [["foo", "bar"]])
        #expect(agreement.local.media.map(\.port) == [9, 9, 0] && !agreement.local.media[1].has(.bundleOnly))
        #expect(agreement.session.media.map(\.sendBandwidthMax) == [200_000, 1_000_000, nil])
        #expect(agreement.session.transports[0].lines == [0, 1])
    }

    /// RFC 8853, section 6.6.1 and 6.6.2: three layers, one of them with alternatives and one paused.
    @Test func simulcast() throws {
        let offer = try sdp(
            """
            m=video 49300 UDP/TLS/RTP/SAVPF 97 98 99
            a=mid:bar
            \(transportLines)
            a=rtpmap:97 H264/90000
            a=rtpmap:98 H264/90000
            a=rtpmap:99 VP8/90000
            a=fmtp:97 profile-level-id=42c01f;max-fs=3600;max-mbps=108000
            a=fmtp:98 profile-level-id=42c00b;max-fs=240;max-mbps=3600
            a=fmtp:99 max-fs=240; max-fr=30
            a=rid:1 send pt=97;max-width=1280;max-height=720;max-br=1500000;max-fps=30
            a=rid:2 send pt=98;max-width=320;max-height=180
            a=rid:3 send pt=99;max-width=320;max-height=180
            a=rid:4 recv pt=97
            a=simulcast:send 1;2,3;~7 recv 4
            a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
            a=extmap:2 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id
            """)
        let agreement = try OfferAnswer.answer(offer, with: webRTC())
        let layers = agreement.session.media[0].simulcast
        // 7 has no `a=rid`, so it does not exist (RFC 8853, section 5.2).
        #expect(layers.map(\.rid) == ["1", "2"] && layers.map(\.payloadTypes) == [[97], [98]])
        #expect(layers[0].widthMax == 1280 && layers[0].heightMax == 720 && layers[0].frameRateMax == 30)
        #expect(layers[0].bitRateMax == 1_500_000 && layers.allSatisfy { !$0.isPaused })
        #expect(agreement.local.media[0].text("simulcast") == "recv 1;2")
        #expect(agreement.session.media[0].direction == .sendrecv)
    }
}
