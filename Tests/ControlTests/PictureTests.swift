import Control
import Core
import Testing

@Suite struct PictureTests {
    private func plan(_ name: String, _ settings: [String]) throws -> PipelinePlan {
        let document = try pipeline(name)
        return try document.plan(document.settings(settings))
    }

    @Test func grid() throws {
        let plan = try plan("grid", ["inputs=a.webm,b.mp4,c.mkv", "output=o.webm"])
        #expect(
            plan.picture() == """
                pipelines/grid.json: Any number of files in a grid with their sound mixed, as
                one recording

                ┌ input[0…2] ─ PlayerEndpoint × 3
                │ uri  a.webm, b.mp4, c.mkv
                └─ audio, video ─▶ port[0…2] ▶ grid

                ┌ grid ─ Composite
                │ width      1280
                │ height     720
                │ framerate  30
                │ fit        contain
                └─ out ─ audio, video ─▶ recorder

                ┌ recorder ─ RecorderEndpoint
                │ uri                o.webm
                │ mediaProfile       WEBM
                │ stopOnEndOfStream  true
                │ videoBitrate       1500000
                │ audioBitrate       96000
                └─

                """)
        #expect(plan.picture() == plan.picture(width: 80))
    }

    @Test func splitTracksWithoutValues() throws {
        #expect(
            try pipeline("split-tracks").outline().picture(width: 60) == """
                pipelines/split-tracks.json: A mixed recording in a grid,
                and at the same time a recording of every input by itself

                ┌ input[0…2] ─ PlayerEndpoint × 3
                │ uri  ${inputs[0]}, ${inputs[1]}, ${inputs[2]}
                ├─ audio, video ─▶ port[0…2] ▶ grid
                └─ audio, video ─▶ track[0…2]

                ┌ grid ─ Composite
                │ width      1280
                │ height     720
                │ framerate  30
                └─ out ─ audio, video ─▶ mixed

                ┌ track[0…2] ─ RecorderEndpoint × 3
                │ uri                ${tracks[0]}, ${tracks[1]}, ${tracks[2…
                │ mediaProfile       (by the ending of uri)
                │ stopOnEndOfStream  true
                └─

                ┌ mixed ─ RecorderEndpoint
                │ uri                ${output}
                │ mediaProfile       (by the ending of uri)
                │ stopOnEndOfStream  true
                │ videoBitrate       1500000
                │ audioBitrate       96000
                └─

                """)
    }

    /// Elements of one `each` that are linked differently each have their own box; loops and operations are shown.
    @Test func uneven() throws {
        let document = try document(
            graph(
                parameters: #""ins": {"type": "list", "of": "uri", "default": ["日本.webm", "b.webm"]}"#,
                elements: [
                    #""in": {"class": "PlayerEndpoint", "each": "ins", "with": {"uri": "x${index}", "loop": true}}"#,
                    #""d": {"class": "Dispatcher"}"#, #""p": {"class": "HubPort", "hub": "d", "each": "ins"}"#,
                    #""t": {"class": "PassThrough"}"#,
                ],
                links: [
                    #"{"from": "in", "to": "p"}"#, #"{"from": "in[1]", "to": "t", "media": "audio"}"#,
                    #"{"from": "p[0]", "to": "t", "media": "video"}"#,
                ],
                invoke: [#"{"object": "d", "method": "connect", "with": {"source": "p[0]", "sink": "p[1]"}}"#]))
        #expect(
            document.outline().picture() == """
                x.json

                ┌ in[0] ─ PlayerEndpoint
                │ uri   x0
                │ loop  true
                └─ audio, video ─▶ p[0] ▶ d

                ┌ in[1] ─ PlayerEndpoint
                │ uri   x1
                │ loop  true
                ├─ audio, video ─▶ p[1] ▶ d
                └─ audio ─▶ t

                ┌ d ─ Dispatcher
                └─ p[0] ─ video ─▶ t

                ┌ t ─ PassThrough
                └─

                At the start:
                  d.connect(source: p[0], sink: p[1])

                """)
    }

    @Test func graphviz() throws {
        let text = try plan("mix-audio", ["inputs=a\"b\\.webm", "output=o.weba"]).graphviz
        #expect(
            text
                == #"""
                digraph pipeline {
                  rankdir=LR;
                  node [shape=box, fontname="sans-serif", fontsize=11];
                  edge [fontname="sans-serif", fontsize=9];
                  label="The sound of any number of files, mixed into one recording without picture";
                  subgraph cluster_0 {
                    style=rounded;
                    "mix" [label="mix\nComposite"];
                    "port[0]" [shape=ellipse, fontsize=9];
                    "out" [shape=ellipse, fontsize=9];
                  }
                  "input[0]" [label="input[0]\nPlayerEndpoint\nuri = a\"b\\.webm"];
                  "recorder" [label="recorder\nRecorderEndpoint\nuri = o.weba\nmediaProfile = WEBM_AUDIO_ONLY\nstopOnEndOfStream = true\naudioBitrate = 96000"];
                  "port[0]" -> "mix" [style=dashed];
                  "mix" -> "out" [style=dashed];
                  "input[0]" -> "port[0]" [label="audio"];
                  "out" -> "recorder" [label="audio"];
                }

                """#.replacing("a\"b\\.webm", with: #"a\"b\\.webm"#))
    }

    @Test func everyPipelineIsIndexedAndRightWithoutValues() throws {
        let index = String(decoding: projectFile("pipelines/README.md"), as: UTF8.self)
        for name in pipelineNames {
            let document = try pipeline(name)
            #expect(document.warnings.isEmpty, "\(name)")
            #expect(index.contains("(\(name).json)") && index.contains("tessera run pipelines/\(name).json"))
            #expect(document.parameters.allSatisfy { !$0.doc.isEmpty }, "\(name)")
            let text = document.help() + document.outline().picture()
            #expect(text.split(separator: "\n").allSatisfy { cellWidth(String($0)) <= 80 }, "\(name)")
        }
    }
}
