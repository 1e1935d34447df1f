import Control
import Core
import Testing

@Suite struct ReportTests {
    private func progress(_ seconds: Double, of total: Double? = 120, elapsed: Double = 4, dropped: Int = 0)
        -> RunProgress
    {
        RunProgress(
            position: .seconds(seconds), duration: total.map { .seconds($0) }, elapsed: .seconds(elapsed),
            frames: Int(seconds * 30), dropped: dropped)
    }

    @Test(arguments: [
        (80, "██████████▎                43 %  0:00:51 / 0:02:00   12.9×    387 fps  dropped 2"),
        (120, "█████████████████▏                         43 %  0:00:51 / 0:02:00   12.9×    387 fps  dropped 2"),
        (60, "██████▍           43 %  0:00:51 / 0:02:00   12.9×    387 fps"),
        (40, "██████           43 %  0:00:51 / 0:02:00"), (30, "43 %  0:00:51 / 0:02:00"), (10, "43 %  0:…"),
    ])
    func line(width: Int, text: String) {
        let line = progress(51.6, dropped: 2).line(width: width)
        #expect(line.drop { $0 == " " } == text)
        #expect(cellWidth(line) <= width)
    }

    @Test func lineAtItsEnds() {
        let start = RunProgress(position: .zero, duration: .seconds(10), elapsed: .zero, frames: 0, dropped: 0)
        #expect(start.line(width: 60) == "                   0 %  0:00:00 / 0:00:10    0.0×      0 fps")
        #expect(progress(120).line(width: 60) == "███████████████  100 %  0:02:00 / 0:02:00   30.0×    900 fps")
        #expect(progress(130).line(width: 60).contains("100 %"))
        #expect(progress(7, of: nil).line(width: 60) == "0:00:07    1.8×     53 fps  dropped 0")
        let unknown = RunProgress(
            position: .distantPast, duration: .infinity, elapsed: .infinity, frames: 0, dropped: 0)
        #expect(unknown.line(width: 60) == "-:--:--    0.0×      0 fps  dropped 0")
        for width in 0..<200 { #expect(cellWidth(progress(51.6).line(width: width)) <= width) }
        // Nothing jumps: all lines of a run are as long as the first.
        let lengths = Set((0...120).map { cellWidth(progress(Double($0)).line(width: 80)) })
        #expect(lengths.count == 1)
    }

    @Test func progressAsJSON() {
        #expect(
            progress(51.5, dropped: 2).json.compact
                == #"{"type":"progress","position":51.5,"duration":120.0,"elapsed":4.0,"speed":12.875,"#
                + #""framesPerSecond":386.25,"frames":1545,"dropped":2}"#)
        #expect(progress(1, of: nil).json["duration"] == .null)
    }

    private var summary: RunSummary {
        RunSummary(
            elements: [
                .init(
                    name: "input[0]", className: "PlayerEndpoint", framesIn: 0, framesOut: 1600,
                    stages: [
                        .init(.demux, name: "a.webm", frames: 1600, cpuSeconds: 0.0123),
                        .init(.decode, codec: "vp8", frames: 600, drops: [.init("broken", 2)], cpuSeconds: 0.24),
                        .init(.decode, codec: "opus", frames: 1000, cpuSeconds: 0.05),
                    ]),
                .init(
                    name: "grid", className: "Composite", framesIn: 1598, framesOut: 1600,
                    stages: [
                        .init(
                            .compose, name: "1280×720", frames: 600, drops: [.init("late", 1), .init("queue full", 3)],
                            cpuSeconds: 0.9),
                        .init(.mix, name: "48 kHz", frames: 1000, cpuSeconds: 0.004),
                        .init(
                            .encode, name: "1280×720 1500 kbps", codec: "vp8", frames: 600, cpuSeconds: 3.6, sharedBy: 3
                        ),
                    ]),
                .init(name: "thru", className: "PassThrough", framesIn: 0, framesOut: 0),
            ],
            mediaTime: .seconds(20), wallTime: .seconds(2.4), cpuSeconds: 4.83, peakMemoryBytes: 89_128_960,
            outputs: [
                .init(uri: "grid.webm", bytes: 3_770_000, duration: .seconds(20)),
                .init(uri: "日本.mkv", bytes: 512, duration: .seconds(3.2), isComplete: false),
            ],
            isReproducible: false, troubles: ["input[3] (PlayerEndpoint): 'd.webm' cannot be opened: no such file"])
    }

    @Test func table() {
        #expect(
            summary.table() == """
                element, stage                   shared       frames  dropped  CPU ms  ms/frame
                input[0]  PlayerEndpoint                    0 → 1600        2   302.3
                  demux a.webm                                  1600        0    12.3     0.008
                  decode vp8                                     600        2   240.0     0.400
                  decode opus                                   1000        0    50.0     0.050
                grid  Composite                          1598 → 1600        4  4504.0
                  compose 1280×720                               600        4   900.0     1.500
                  mix 48 kHz                                    1000        0     4.0     0.004
                  encode vp8 1280×720 1500 kbps    by 3          600        0  3600.0     6.000
                thru  PassThrough                              0 → 0

                Dropped 2 in input[0], decode vp8: 2 broken.
                Dropped 4 in grid, compose: 1 late, 3 queue full.
                Made 0:00:20 of media in 2.4 s (8.3× real time), 4.8 s of CPU, 85.0 MiB of
                memory at most.
                grid.webm  3.6 MiB, 0:00:20
                日本.mkv  512 B, 0:00:03, not closed properly
                Not reproducible: another run may give other bytes.
                ! input[3] (PlayerEndpoint): 'd.webm' cannot be opened: no such file

                """)
    }

    @Test func emptyTable() {
        let nothing = RunSummary(elements: [], mediaTime: .zero, wallTime: .zero, cpuSeconds: 0)
        #expect(nothing.table() == "Nothing was dropped.\nMade 0:00:00 of media in 0.0 s, 0.0 s of CPU.\n")
    }

    @Test func counts() {
        #expect(summary.dropped == 6)
        #expect(summary.stages(.encode, codecs: ["vp8", "vp9", "h264"]) == 1)
        #expect(summary.stages(.decode, codecs: ["vp8"]) == 1 && summary.stages(.encode, codecs: ["opus"]) == 0)
    }

    @Test func summaryAsJSON() throws {
        let json = summary.json
        #expect(try JSONNode(parsing: json.compact).json == json, "one line that reads back")
        #expect(json["dropped"] == 6 && json["reproducible"] == false)
        guard case .array(let elements)? = json["elements"], case .array(let stages)? = elements[0]["stages"] else {
            Issue.record("no stages")
            return
        }
        #expect(
            stages[1].compact
                == #"{"kind":"decode","name":"","codec":"vp8","frames":600,"cpuSeconds":0.24,"sharedBy":1,"#
                + #""drops":{"broken":2}}"#)
    }

    @Test(arguments: [
        (0, 1, "0.0"), (0.05, 1, "0.1"), (-0.04, 1, "0.0"), (-1.25, 1, "-1.3"), (999.96, 1, "1000.0"), (2.5, 0, "3"),
        (0.0004, 3, "0.000"), (12.3456, 3, "12.346"), (.infinity, 1, "∞"), (.nan, 1, "-"),
        (1e14, 2, "100000000000000.00"),
    ])
    func fixedPoint(value: Double, digits: Int, text: String) {
        #expect(fixed(value, digits) == text)
    }

    @Test func textForTerminals() {
        #expect(printable("a\u{1B}[31m\n\u{202E}é") == #"a\u{1b}[31m\n\u{202e}é"#)
        #expect(cellWidth("日本a😀e\u{301}") == 8)
        #expect(fitted("日本語", to: 5) == "日本…" && fitted("abc", to: 3) == "abc" && fitted("abc", to: 0) == "")
        #expect(aligned("é", to: 3) == "  é" && padded("日", to: 3) == "日 ")
        #expect(wrapped("aa bb\ncccccc d", to: 5) == ["aa bb", "cccccc", "d"])
        #expect(listed(["a", "b", "c"]) == "a, b or c" && listed([]) == "")
    }
}
