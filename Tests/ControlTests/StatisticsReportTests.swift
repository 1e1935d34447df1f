import Control
import Core
import Elements
import Testing

@Suite struct StatisticsReportTests {
    private func entry(_ type: StatisticsType, _ id: String, _ values: [StatisticsMember: StatisticsValue])
        -> Statistics
    {
        var entry = Statistics(type, id: id, timestamp: 1_795_174_000_000)
        for (member, value) in values { entry[member] = value }
        return entry
    }

    @Test func wordsOfTheW3C() {
        let codec = entry(
            .codec, "c1",
            [.mimeType: .text("video/VP8"), .payloadType: .int(96), .clockRate: .int(90_000)])
        #expect(
            StatisticsReport.w3c([codec]).compact
                == #"{"c1":{"id":"c1","type":"codec","timestamp":1795174000000,"payloadType":96,"#
                + #""mimeType":"video/VP8","clockRate":90000}}"#)
        #expect(StatisticsReport.w3c([]).compact == "{}")
    }

    /// Members, their order and their units as Kurento's clients know them.
    @Test func kurentoStreams() throws {
        let all = [
            entry(
                .inboundRTP, "in",
                [
                    .ssrc: .int(1_838_432), .packetsReceived: .int(512), .bytesReceived: .int(51_234),
                    .jitter: .number(0.0021), .packetsLost: .int(-1), .pliCount: .int(1),
                ]),
            entry(
                .outboundRTP, "out", [.ssrc: .int(7), .packetsSent: .int(9), .targetBitrate: .number(500_000)]),
            entry(
                .remoteInboundRTP, "far",
                [
                    .localId: .text("out"), .fractionLost: .number(0.25), .packetsLost: .int(3),
                    .roundTripTime: .number(0.05),
                ]),
            entry(.candidatePair, "pair", [:]),
        ]
        let report = StatisticsReport.kurento(all)
        #expect(
            report["in"]?.compact
                == #"{"__module__":"kurento","__type__":"RTCInboundRTPStreamStats","id":"in","type":"inboundrtp","#
                + #""timestampMillis":1795174000000,"ssrc":"1838432","associateStatsId":"","isRemote":false,"#
                + #""mediaTrackId":"","transportId":"","codecId":"","firCount":0,"pliCount":1,"nackCount":0,"#
                + #""sliCount":0,"remb":0,"packetsLost":-1,"fractionLost":0.0,"packetsReceived":512,"#
                + #""bytesReceived":51234,"jitter":0.0021}"#)
        let out = try #require(report["out"])
        #expect(out["fractionLost"] == .double(64) && out["packetsLost"] == .int(3))
        #expect(out["roundTripTime"] == .double(0.05) && out["targetBitrate"] == .double(500_000))
        #expect(report["far"] == nil && report["pair"] == nil)
    }

    /// The names of the W3C's dictionaries have one form, and no type has a member twice.
    @Test(arguments: StatisticsType.allCases)
    func members(_ type: StatisticsType) {
        #expect(Set(type.members).count == type.members.count && !type.members.isEmpty)
        let used = Set(StatisticsType.allCases.flatMap(\.members))
        #expect(used.count == StatisticsMember.allCases.count, "every member is of some type")
    }

    @Test func aForeignMemberIsOurMistake() async {
        await #expect(processExitsWith: .failure) {
            var entry = Statistics(.codec, id: "c", timestamp: 0)
            entry[.packetsSent] = .int(1)
        }
    }
}
