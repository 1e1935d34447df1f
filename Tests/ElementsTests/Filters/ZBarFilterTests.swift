import Core
import Elements
import Media
import TestKit
import Testing

@Suite struct ZBarFilterTests {
    /// Draws an EAN-13 code (GS1 General Specifications 5.2), three pixels per module.
    private static func ean13(_ digits: [Int], _ planes: VideoFrame.Planes) {
        let left = [
            "0001101", "0011001", "0010011", "0111101", "0100011", "0110001", "0101111", "0111011", "0110111",
            "0001011",
        ]
        let parities = [
            "LLLLLL", "LLGLGG", "LLGGLG", "LLGGGL", "LGLLGG", "LGGLLG", "LGGGLL", "LGLGLG", "LGLGGL", "LGGLGL",
        ]
        func inverted(_ code: String) -> String { String(code.map { $0 == "0" ? "1" : "0" }) }
        var modules = "101"
        for (digit, parity) in zip(digits[1...6], parities[digits[0]]) {
            modules += parity == "L" ? left[digit] : String(inverted(left[digit]).reversed())
        }
        modules += "01010"
        for digit in digits[7...12] { modules += inverted(left[digit]) }
        modules += "101"
        planes.fill(235, x: 0..<planes.width, y: 0..<planes.height)
        for (index, module) in modules.enumerated() where module == "1" {
            planes.fill(16, x: (30 + 3 * index)..<(33 + 3 * index), y: 20..<140)
        }
    }

    @Test func codesAreTold() throws {
        let rig = TestRig()
        try rig.on { context in
            let source = TestSource(context, name: "source", kinds: MediaKind.allCases)
            let filter = ZBarFilter(context, name: "filter")
            // Nobody takes its output.
            try source.connect(to: filter)
            source.every(.milliseconds(40), until: .milliseconds(4500)) { source in
                let time = source.context.now.seconds
                source.draw(1, width: 360, height: 160, from: Int((time * 25).rounded())) { planes in
                    let digits =
                        time < 2.5 ? [4, 0, 0, 6, 3, 8, 1, 3, 3, 3, 9, 3, 1] : [9, 7, 8, 0, 2, 0, 1, 3, 7, 9, 6, 2, 4]
                    if time < 3.2 { Self.ean13(digits, planes) }
                }
            }
        }
        rig.run(5)
        #expect(rig.troubles == [])
        let found = rig.events.compactMap { noted -> (type: String, value: String, at: Double)? in
            guard case .codeFound(let type, let value) = noted.event.detail else { return nil }
            return (type, value, noted.at.seconds)
        }
        #expect(found.allSatisfy { $0.type == "EAN-13" }, "\(found)")
        let first = found.filter { $0.value == "4006381333931" }
        #expect(first.count == 3, "once a second: \(found)")
        #expect(zip(first, first.dropFirst()).allSatisfy { $1.at - $0.at >= 1 })
        #expect(found.contains { $0.value == "9780201379624" && $0.at < 2.9 })
        #expect(!found.contains { $0.at > 3.5 })
    }

    @Test func mediaPassesUntouched() throws {
        let rig = TestRig()
        try rig.on { context in
            let source = TestSource(context, name: "source", kinds: [.video])
            let filter = ZBarFilter(context, name: "filter")
            try source.connect(to: filter)
            try filter.connect(to: TestSink(context, name: "sink", kinds: [.video]))
            source.beginVideo()
            source.sendPictures(5, key: true)
        }
        rig.run(0.5)
        try rig.on { context in
            #expect(context.sink().encoded.count == 5, "coded as they were")
            #expect(context.get("filter", Element.self).framesIn == 5)
            // Released in the middle: nothing is left behind.
            context.get("filter", Element.self).release()
        }
        rig.run(0.2)
    }
}
