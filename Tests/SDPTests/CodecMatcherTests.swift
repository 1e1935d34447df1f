import SDP
import Testing

@testable import SDP

struct CodecMatcherTests {
    @Test(
        "Profiles of H.264 (RFC 6184, table 5)",
        arguments: [
            ("42e01f", H264ProfileLevel.Profile.constrainedBaseline), ("42C02A", .constrainedBaseline),
            ("4d801f", .constrainedBaseline), ("58f01f", .constrainedBaseline), ("42001f", .baseline),
            ("58A01F", .baseline), ("4d001f", .main), ("4d401f", .main), ("58001f", .extended), ("64001f", .high),
            ("640c1f", .constrainedHigh), ("f4001f", .predictiveHigh444),
        ])
    func profiles(_ text: String, _ profile: H264ProfileLevel.Profile) {
        #expect(H264ProfileLevel(text)?.profile == profile)
    }

    @Test func levels() {
        #expect(H264ProfileLevel("42e01f")?.level == 310)
        #expect(H264ProfileLevel("42f00b")?.level == 105 && H264ProfileLevel("42e00b")?.level == 110)
        for wrong in ["", "42e01", "42e01g", "+2e01f", "00001f", "640d1f", "42e01f0"] {
            #expect(H264ProfileLevel(wrong) == nil)
        }
    }

    private func entry(_ name: String, _ clockRate: Int, _ channels: Int = 1, _ text: String = "") -> FormatTable.Entry
    {
        FormatTable.Entry(
            map: RTPMap(payloadType: 96, name: name, clockRate: clockRate, channels: channels),
            parameters: FormatParameters(text), feedback: [])
    }

    @Test(
        "Same codec or not",
        arguments: [
            ("vp8", 90000, "", "VP8", "", true), ("VP8", 8000, "", "VP8", "", false),
            ("VP9", 90000, "", "VP9", "profile-id=0", true), ("VP9", 90000, "profile-id=2", "VP9", "", false),
            (
                "H264", 90000, "packetization-mode=1;profile-level-id=42e034", "H264",
                "packetization-mode=1;profile-level-id=42e01f", true
            ),
            ("H264", 90000, "profile-level-id=42e01f", "H264", "packetization-mode=1;profile-level-id=42e01f", false),
            ("H264", 90000, "packetization-mode=0", "H264", "profile-level-id=42e01f", true),
            ("H264", 90000, "profile-level-id=xx", "H264", "profile-level-id=42e01f", false),
            ("H264", 90000, "profile-level-id=64001f", "H264", "profile-level-id=640c1f", false),
            ("AV1", 90000, "level-idx=8", "AV1", "profile=0;level-idx=5", true),
            ("AV1", 90000, "profile=1", "AV1", "", false),
            ("H265", 90000, "level-id=180;profile-id=1;tier-flag=0;tx-mode=SRST", "H265", "", true),
            ("H265", 90000, "profile-id=2", "H265", "", false),
        ])
    func same(_ name: String, _ clock: Int, _ offered: String, _ own: String, _ parameters: String, _ isSame: Bool) {
        let codec = CodecCapability(
            name: own, clockRate: 90000, payloadType: 100, parameters: FormatParameters(parameters))
        #expect(CodecMatcher.matches(entry(name, clock, 1, offered), codec) == isSame)
    }

    @Test func channelsCount() {
        let opus = CodecCapability.audio[0]
        #expect(CodecMatcher.matches(entry("OPUS", 48000, 2), opus))
        #expect(!CodecMatcher.matches(entry("opus", 48000, 1), opus))
    }

    @Test func levelsInAnswers() {
        let codec = CodecCapability.video[1]  // 42e01f, asymmetry allowed
        let low = "packetization-mode=1;profile-level-id=42e00d"
        let answer = CodecMatcher.answerParameters(to: entry("H264", 90000, 1, low), codec)
        #expect(answer["profile-level-id"] == "42e00d" && answer["level-asymmetry-allowed"] == nil)
        let high = "packetization-mode=1;profile-level-id=42C034"
        #expect(CodecMatcher.answerParameters(to: entry("H264", 90000, 1, high), codec)["profile-level-id"] == "42e01f")
        let asymmetric = CodecMatcher.answerParameters(
            to: entry("H264", 90000, 1, low + ";level-asymmetry-allowed=1"), codec)
        #expect(asymmetric["profile-level-id"] == "42e01f" && asymmetric.bool("level-asymmetry-allowed"))
    }

    @Test func base64() {
        // RFC 4648, section 10.
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            #expect(Base64.encode(Array(bytes.utf8)) == text)
            #expect(Base64.decode(text[...]) == Array(bytes.utf8))
        }
        #expect(Base64.decode("Zg") == [0x66] && Base64.decode("Z") == nil && Base64.decode("Z!==") == nil)
    }
}
