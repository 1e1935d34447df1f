import Core
import Media
import TestKit
import Testing

@testable import Control

@Suite struct PipelineSnapshotTests {
    @Test func elementsLinksAndWhatIsShared() throws {
        let rig = TestRig()
        let coded = RenditionKey.video(VideoSpecification(codec: .vp9, width: 320, height: 180, bitrate: 500_000))
        try rig.on { context in
            let source = TestSource(context, name: "source", kinds: [.video])
            source.beginVideo()
            for (name, key) in [("a", coded), ("b", coded), ("copy", .native), ("raw", .raw)] {
                try source.connect(to: TestSink(context, name: name, video: key, kinds: [.video]))
            }
            source.sendPictures(10, key: true)
        }
        rig.run(1)
        try rig.on { context in
            let shot = PipelineSnapshot(context, id: "1", name: "test", names: ["a": "A person"])
            #expect(shot.elements.map(\.name) == ["source", "A person", "b", "copy", "raw"])
            #expect(shot.elements[0].thumbnail == "source" && shot.elements[0].isDecoded)
            #expect(shot.elements[1].thumbnail == nil)
            let links = Dictionary(uniqueKeysWithValues: shot.links.map { ($0.to, $0) })
            let manners: [String: PipelineSnapshot.Manner] = [
                "a": .transcoded, "b": .transcoded, "copy": .passed, "raw": .decoded,
            ]
            #expect(links.mapValues(\.manner) == manners)
            let made = try #require(links["a"]?.made)
            #expect(made.codec == "vp9" && made.width == 320 && made.frames == 10 && made.sinks == 2)
            #expect(links["a"]?.share == links["b"]?.share && links["a"]?.share != nil)
            #expect(links["copy"]?.made == nil && links["copy"]?.native.frames == 10)
            #expect(shot.stages.map(\.kind).sorted() == ["decode", "encode"])
            #expect(shot.json["links"] != nil && shot.elementCount == 5)
        }
    }

    @Test func manyElementsAreCounted() throws {
        let rig = TestRig()
        try rig.on { context in
            for number in 0..<(PipelineSnapshot.elementsMax + 5) {
                _ = TestSource(context, name: "source \(number)")
            }
            let shot = PipelineSnapshot(context, id: "1", name: "test")
            #expect(shot.elements.count == PipelineSnapshot.elementsMax)
            #expect(shot.elementCount == PipelineSnapshot.elementsMax + 5)
        }
    }
}
