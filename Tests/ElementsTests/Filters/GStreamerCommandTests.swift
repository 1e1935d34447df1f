import Elements
import Foundation
import Testing

@Suite struct GStreamerCommandTests {
    @Test(arguments: [
        ("videoflip method=4", "videoflip"), ("videoflip method=horizontal-flip", "videoflip"),
        ("  videobalance   saturation=0.0 hue = 0.5  ", "videobalance"),
        ("textoverlay text=\"Hello = \\\"world\\\" !\" valignment=top name=t", "textoverlay"),
        ("textoverlay text=안녕", "textoverlay"),
        ("textoverlay color=0xff00ff00 font-desc='Sans Bold 12'", "textoverlay"),
        ("capsfilter caps=video/x-raw,framerate=15/1", "capsfilter"),
        ("capsfilter caps=\"video/x-raw, width=(int)320, height=(int)240\"", "capsfilter"),
        ("volume volume=2 mute=false", "volume"), ("audioecho delay=200000000 intensity=0.5", "audioecho"),
        ("identity", "identity"), ("gamma gamma= 2.0", "gamma"),
    ])
    func understood(command: String, element: String) throws {
        #expect(try GStreamerCommand.parse(command).element.name == element)
    }

    @Test(arguments: [
        ("", FilterCommandError.Reason.empty, "videoflip method=4"), ("   ", .empty, "must be one element"),
        ("videoflip ! videobalance", .bin, "exactly one"), ("videoflip method=4 ! fakesink", .bin, "exactly one"),
        ("( videoflip )", .bin, "exactly one"), ("nothing", .unknownElement, "there are agingtv, aspectratiocrop"),
        ("x264enc", .unknownElement, "x264enc"), ("videoflip methd=4", .unknownProperty, "method, video-direction"),
        ("edgetv x=1", .unknownProperty, "it has none"),
        ("videoflip method=9", .badValue, "horizontal-flip (4)"), ("videoflip method=sideways", .badValue, "sideways"),
        ("videobalance saturation=3", .badValue, "from 0 to 2"), ("videobalance saturation=red", .badValue, "red"),
        ("videobalance saturation=nan", .badValue, "nan"), ("volume mute=perhaps", .badValue, "true or false"),
        ("videocrop top=99999999999999999999", .badValue, "whole number"),
        ("capsfilter caps=video/x-h264", .badValue, "video/x-raw"),
        ("capsfilter caps=video/x-raw,framerate=1000000/1", .badValue, "caps"),
        ("videoflip method", .malformed, "name=value"), ("videoflip =4", .malformed, "name=value"),
        ("textoverlay text=\"a", .malformed, "quotation mark"),
    ])
    func refused(command: String, reason: FilterCommandError.Reason, text: String) {
        do throws(FilterCommandError) {
            _ = try GStreamerCommand.parse(command)
            Issue.record("\(command) was taken")
        } catch {
            #expect(error.reason == reason && error.description.contains(text), "\(error)")
        }
    }

    /// Every default is a value that the property takes, or none.
    @Test func defaultsFit() {
        for element in GStreamerElement.all {
            #expect(element.doc.hasSuffix("."))
            for property in element.properties where !["caps", "aspect-ratio"].contains(property.name) {
                #expect(throws: Never.self, "\(element.name).\(property.name)") {
                    var values = try GStreamerCommand.parse(element.name)
                    try values.set(property.name, property.defaultText)
                }
            }
        }
        #expect(Set(GStreamerElement.all.map(\.name)).count == GStreamerElement.all.count)
    }

    /// No text traps.
    @Test func nonsense() {
        let parts = [
            "videoflip", "=", " ", "\"", "'", "\\", "!", "method", "0x", "/", ",", "caps", "capsfilter", "(", "é", "1",
        ]
        var state: UInt64 = 7
        for _ in 0..<5000 {
            var text = ""
            for _ in 0..<8 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                text += parts[Int(state >> 33) % parts.count]
            }
            _ = try? GStreamerCommand.parse(text)
            _ = try? GStreamerCommand.parse("capsfilter caps=" + text)
        }
    }
}

@Suite struct GStreamerReferenceTests {
    /// docs/gstreamer-filter.md is made from the table; `TESSERA_UPDATE_GOLDENS=1` writes it anew.
    @Test func documentIsCurrent() throws {
        let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(4).joined(separator: "/")
        let path = root + "/docs/gstreamer-filter.md"
        if ProcessInfo.processInfo.environment["TESSERA_UPDATE_GOLDENS"] == "1" {
            try GStreamerElement.markdown.write(toFile: path, atomically: true, encoding: .utf8)
        }
        let text = try String(contentsOfFile: path, encoding: .utf8)
        #expect(text == GStreamerElement.markdown, "run this test with TESSERA_UPDATE_GOLDENS=1")
    }
}
