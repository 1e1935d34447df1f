import Control
import Core
import Testing

/// Each thing that can be wrong with a document, and the sentence it gets. Elements stand on line 2 and after.
@Suite struct DocumentErrorTests {
    private static let player = #""in": {"class": "PlayerEndpoint", "with": {"uri": "a.webm"}}"#
    private static let recorder = #""rec": {"class": "RecorderEndpoint", "with": {"uri": "b.webm"}}"#
    private static let hub = #""hub": {"class": "Composite"}"#
    private static let link = #"{"from": "in", "to": "rec"}"#

    @Test func rightOne() {
        #expect(errors(graph(elements: [Self.player, Self.recorder], links: [Self.link])) == [])
    }

    @Test(arguments: [
        ("not json", "x.json:1:1: expected a value, found 'not'"),
        ("[]", "x.json:1:1: a pipeline document must be an object, found a list"),
        ("{}", "x.json:1:1: a pipeline document needs elements, an object"),
        (#"{"elements": {}}"#, "x.json:1:14: elements must not be empty"),
        (#"{"elements": []}"#, "x.json:1:14: elements must be an object, found a list"),
        (
            #"{"elments": {"a": {"class": "PassThrough"}}, "elements": {"a": {"class": "PassThrough"}}}"#,
            "x.json:1:2: a pipeline document has no member 'elments' (did you mean 'elements'?); it has description, "
                + "parameters, elements, links, invoke and doors"
        ),
        (
            #"{"description": 1, "elements": {"a": {"class": "PassThrough"}}}"#,
            "x.json:1:17: description must be a string, found the number 1"
        ),
        (
            #"{"elements": {"a": {"class": "PassThrough"}}, "links": {}}"#,
            "x.json:1:56: links must be a list, found an object"
        ),
    ])
    func shape(text: String, message: String) {
        #expect(errors(text) == [message])
    }

    @Test(arguments: [
        (
            #""a": {"class": "Compositee"}"#,
            "x.json:2:16: unknown class 'Compositee' (did you mean 'Composite'?); there are PlayerEndpoint, "
                + "RecorderEndpoint, WebRtcEndpoint, RtpEndpoint, HttpPostEndpoint, PassThrough, GStreamerFilter, "
                + "ImageOverlayFilter, FaceOverlayFilter, ZBarFilter, HubPort, Composite, Dispatcher, "
                + "DispatcherOneToMany, Mixer and AlphaBlending"
        ),
        (
            #""a": {"class": "Hub"}"#,
            "x.json:2:16: element 'a': there are no elements that are just a Hub; use Composite, Dispatcher, "
                + "DispatcherOneToMany, Mixer or AlphaBlending"
        ),
        (#""a": {"class": "MediaPipeline"}"#, "x.json:2:16: element 'a': the document itself is the MediaPipeline"),
        (#""a": {}"#, "x.json:2:1: element 'a' needs class"),
        (#""a": 7"#, "x.json:2:6: element 'a' must be an object, found the number 7"),
        (
            #""a": {"class": "PassThrough", "wiht": {}}"#,
            "x.json:2:31: element 'a' has no member 'wiht' (did you mean 'with'?); it has class, hub, each and with"
        ),
        (#""a": {"class": "PassThrough", "with": []}"#, "x.json:2:39: with must be an object, found a list"),
        (
            #""1a": {"class": "PassThrough"}"#,
            "x.json:2:1: the name of an element must be a letter and up to 63 letters, digits, '_' or '-', found '1a'"
        ),
        (
            #""a": {"class": "PlayerEndpoint"}"#,
            "x.json:2:1: 'a': PlayerEndpoint needs uri, a path or an address, not "
                + "empty and without control characters"
        ),
        (
            #""a": {"class": "PlayerEndpoint", "with": {"uri": "a", "lop": true}}"#,
            "x.json:2:55: 'a': PlayerEndpoint has no parameter 'lop' (did you mean 'loop'?); it has uri, "
                + "useEncodedMedia, networkCache and loop"
        ),
        (
            #""a": {"class": "PlayerEndpoint", "with": {"uri": "a", "loop": "yes"}}"#,
            "x.json:2:63: 'a': loop must be true or false, found 'yes'"
        ),
        (
            #""a": {"class": "PlayerEndpoint", "with": {"uri": "a", "loop": null}}"#,
            "x.json:2:63: 'a': loop must be true or false, found null (leave it out instead)"
        ),
        (
            #""a": {"class": "PlayerEndpoint", "with": {"uri": ""}}"#,
            "x.json:2:50: 'a': uri must be a path or an address, not empty and without control characters, found ''"
        ),
        (
            #""a": {"class": "PlayerEndpoint", "with": {"uri": "a\u001b[2J"}}"#,
            "x.json:2:50: 'a': uri must be a path or an address, not empty and without control characters, found "
                + #"'a\u{1b}[2J'"#
        ),
        (
            #""a": {"class": "PlayerEndpoint", "with": {"uri": "a", "networkCache": -1}}"#,
            "x.json:2:71: 'a': networkCache must be a whole number of 0 or more, found -1"
        ),
        (
            #""a": {"class": "Composite", "with": {"width": 16000}}"#,
            "x.json:2:47: 'a': width must be a whole number from 16 to 8192, found 16000"
        ),
        (
            #""a": {"class": "Composite", "with": {"width": 640.0}}"#,
            "x.json:2:47: 'a': width must be a whole number from 16 to 8192, found 640.0"
        ),
        (
            #""a": {"class": "Composite", "with": {"width": "640"}}"#,
            "x.json:2:47: 'a': width must be a whole number from 16 to 8192, found '640'"
        ),
        (
            #""a": {"class": "Composite", "with": {"fit": "covre"}}"#,
            "x.json:2:45: 'a': fit must be cover, contain or stretch, found 'covre' (did you mean 'cover'?)"
        ),
        (
            #""a": {"class": "Composite", "with": {"background": "red"}}"#,
            "x.json:2:52: 'a': background must be a colour such as '#1a2b3c', found 'red'"
        ),
        (
            #""a": {"class": "Composite", "with": {"mediaPipeline": "p"}}"#,
            "x.json:2:38: 'a': mediaPipeline is the document itself; leave it out"
        ),
        (
            #""a": {"class": "Composite", "hub": "b"}"#,
            "x.json:2:29: element 'a': hub belongs to a HubPort, and this is a Composite"
        ),
        (
            #""a": {"class": "RecorderEndpoint", "with": {"uri": "a.ogg"}}"#,
            "x.json:2:52: 'a': no mediaProfile follows from the uri 'a.ogg'; end it in .webm, .mkv, .mp4, .weba, .mka, "
                + ".m4v, .m4a, .flv, .jpg, .jpeg or .mjpeg, or give mediaProfile"
        ),
        (
            #""a": {"class": "RecorderEndpoint", "with": {"uri": "a", "mediaProfile": "KURENTO_SPLIT_RECORDER"}}"#,
            "x.json:2:73: 'a': mediaProfile 'KURENTO_SPLIT_RECORDER' is not supported yet; allowed: WEBM, MKV, MP4, "
                + "WEBM_VIDEO_ONLY, WEBM_AUDIO_ONLY, MKV_VIDEO_ONLY, MKV_AUDIO_ONLY, MP4_VIDEO_ONLY, MP4_AUDIO_ONLY, "
                + "JPEG_VIDEO_ONLY or FLV"
        ),
        (
            #""a": {"class": "RecorderEndpoint", "with": {"uri": "a.webm", "videoCodec": "h264"}}"#,
            "x.json:2:76: 'a': videoCodec 'h264' does not go into WEBM; allowed: vp8 or vp9"
        ),
        (
            #""a": {"class": "RecorderEndpoint", "with": {"uri": "a.mka", "videoCodec": "vp8"}}"#,
            "x.json:2:75: 'a': videoCodec is given, but mediaProfile MKV_AUDIO_ONLY records no video"
        ),
        (
            #""a": {"class": "HubPort"}"#, "x.json:2:1: element 'a': a HubPort needs hub, the name of a hub"
        ),
        (
            #""a": {"class": "PassThrough", "each": "files"}"#,
            "x.json:2:39: each must name a list parameter, found 'files'; there are no list parameters"
        ),
        (
            #""a": {"class": "PlayerEndpoint", "with": {"uri": "${item}"}}"#,
            "x.json:2:50: 'a': ${item} has a meaning only together with 'each'"
        ),
        (
            #""a": {"class": "PlayerEndpoint", "with": {"uri": "x${y}"}}"#,
            "x.json:2:50: 'a': there is no parameter 'y'"
        ),
        (
            #""a": {"class": "PlayerEndpoint", "with": {"uri": "x${y"}}"#,
            "x.json:2:50: 'a': a '${' without '}' (write '$${' for the text itself)"
        ),
    ])
    func element(text: String, message: String) {
        #expect(errors(graph(elements: [text])) == [message])
    }

    @Test(arguments: [
        ("{\"region\": 1}", "12: 'p': region must be an object with x, y, width and height, found 1"),
        (#"{"region": {"x": 0, "y": 0, "width": 1}}"#, "12: 'p': region needs height, a number from 0 to 1"),
        (
            #"{"region": {"x": 0.6, "y": 0, "width": 0.5, "height": 1}}"#,
            "12: 'p': region.x + region.width must be at most 1, found 0.6 + 0.5"
        ),
        (#"{"region": {"x": 0, "y": 0, "width": 0, "height": 1}}"#, "12: 'p': region.width must be more than 0"),
        (
            #"{"region": {"x": 0, "y": 0, "width": 1, "height": 1, "z": 1}}"#,
            "54: 'p': region has no member 'z'; it has x, y, width and height"
        ),
        (
            #"{"region": {"x": 0, "y": -1, "width": 1, "height": 1}}"#,
            "26: 'p': region.y must be a number from 0 to 1, found -1"
        ),
        (#"{"gain": 9}"#, "10: 'p': gain must be a number from 0 to 8, found 9"),
        (#"{"zOrder": 1.5}"#, "12: 'p': zOrder must be a whole number from -1000 to 1000, found 1.5"),
        (#"{"hub": "hub"}"#, "2: 'p': hub stands beside 'class'"),
    ])
    func port(with: String, message: String) {
        let text = graph(elements: [Self.hub, "\"p\": {\"class\": \"HubPort\", \"hub\": \"hub\", \"with\":\n\(with)}"])
        #expect(errors(text) == ["x.json:4:\(message)"])
    }

    @Test(arguments: [
        (#"{"from": "in", "to": "rc"}"#, "22: to: there is no element 'rc' (did you mean 'rec'?)"),
        (#"{"from": "rec", "to": "thru"}"#, "10: 'rec' (RecorderEndpoint) gives no media; it can only be a sink"),
        (#"{"from": "thru", "to": "in"}"#, "24: 'in' (PlayerEndpoint) takes no media; it can only be a source"),
        (
            #"{"from": "in", "to": "thru", "media": "sound"}"#,
            "39: media must be audio, video or data, found 'sound'"
        ),
        (#"{"from": "in", "to": "thru", "media": []}"#, "39: media must not be empty"),
        (
            #"{"from": "in", "to": "thru", "media": ["audio", "data"]}"#,
            "49: 'in' (PlayerEndpoint) gives no data; it gives audio and video"
        ),
        (
            #"{"from": "thru", "to": "rec", "media": "data"}"#,
            "40: 'rec' (RecorderEndpoint) takes no data; it takes audio and video"
        ),
        (
            #"{"from": "in", "to": "hub"}"#,
            "22: 'hub' is a Composite, which has no sources and sinks; link to a HubPort with \"hub\": \"hub\""
        ),
        (#"{"from": "in"}"#, "1: a link needs to, the name of an element"),
        (#"{"from": "in", "to": 3}"#, "22: to, the name of an element must be a string, found the number 3"),
        (#"{"from": "in[0]", "to": "thru"}"#, "10: from: there is only one 'in', so no 'in[0]'"),
        (
            #"{"from": "in", "too": "thru", "to": "thru"}"#,
            "16: a link has no member 'too' (did you mean 'to'?); it has from, to and media"
        ),
        (
            #"{"from": "thru", "to": "thru"}"#,
            "1: a cycle that passes through no hub and no endpoint: thru → thru"
        ),
    ])
    func link(text: String, message: String) {
        let elements = [Self.player, Self.recorder, #""thru": {"class": "PassThrough"}"#, Self.hub]
        #expect(errors(graph(elements: elements, links: [text])) == ["x.json:7:\(message)"])
    }

    @Test func twoSourcesIntoOneSink() {
        let other = #""in2": {"class": "PlayerEndpoint", "with": {"uri": "b.webm"}}"#
        let elements = [Self.player, other, Self.recorder]
        let links = [Self.link, #"{"from": "in2", "to": "rec", "media": "video"}"#]
        #expect(
            errors(graph(elements: elements, links: links)) == [
                "x.json:7:1: two sources into one sink: 'rec' (RecorderEndpoint) would get video from 'in' and 'in2'"
            ])
        // Different kinds of media may come from different places.
        let apart = [
            #"{"from": "in", "to": "rec", "media": "audio"}"#, #"{"from": "in2", "to": "rec", "media": "video"}"#,
        ]
        #expect(errors(graph(elements: elements, links: apart)) == [])
    }

    @Test func manyIntoOne() {
        let text = graph(
            parameters: #""files": {"type": "list", "of": "uri"}"#,
            elements: [
                #""in": {"class": "PlayerEndpoint", "each": "files", "with": {"uri": "${item}"}}"#, Self.recorder,
            ],
            links: [Self.link])
        #expect(
            errors(text) == [
                "x.json:5:1: two sources into one sink: 'rec' (RecorderEndpoint) would get audio and video from "
                    + "'in[0]' and 'in[1]' (to join many, link each to a HubPort of its own)"
            ])
    }

    @Test func cycles() {
        let three = ["a", "b", "c"].map { "\"\($0)\": {\"class\": \"PassThrough\"}" }
        func links(_ pairs: [(String, String, String)]) -> [String] {
            pairs.map { "{\"from\": \"\($0.0)\", \"to\": \"\($0.1)\"\($0.2)}" }
        }
        let round = links([("c", "a", ""), ("a", "b", ""), ("b", "c", "")])
        #expect(
            errors(graph(elements: three, links: round)) == [
                "x.json:8:1: a cycle that passes through no hub and no endpoint: a → b → c → a"
            ])
        // Video one way and sound the other is no cycle.
        let apart = links([("a", "b", ", \"media\": \"video\""), ("b", "a", ", \"media\": \"audio\"")])
        #expect(errors(graph(elements: Array(three[..<2]), links: apart)) == [])
        // A hub makes new media: out of a port and back into another is how people hear themselves.
        let hub = [
            Self.hub, three[0], #""p": {"class": "HubPort", "hub": "hub"}"#,
            #""q": {"class": "HubPort", "hub": "hub"}"#,
        ]
        #expect(errors(graph(elements: hub, links: links([("p", "a", ""), ("a", "q", "")]))) == [])
        #expect(errors(graph(elements: hub, links: links([("p", "a", ""), ("a", "p", "")]))) == [])
    }

    @Test(arguments: [
        (#""hub": "nub""#, "hub: there is no element 'nub' (did you mean 'hub'?)"),
        (#""hub": "in""#, "hub must name a hub, and 'in' is a PlayerEndpoint"),
        (#""hub": 3"#, "hub must be a string, found the number 3"),
    ])
    func hubOfPort(member: String, message: String) {
        let text = graph(elements: [Self.hub, Self.player, "\"p\": {\"class\": \"HubPort\", \(member)}"])
        #expect(errors(text).map { String($0.drop { $0 != " " }.dropFirst()) } == [message])
    }

    @Test(arguments: [
        (
            #"{"object": "d", "method": "conect", "with": {}}"#,
            "27: a Dispatcher has no method 'conect' (did you mean 'connect'?); it has connect, getGstreamerDot, "
                + "dumpGstreamerDot, addTag, removeTag, getTag and getTags"
        ),
        (
            #"{"object": "d", "method": "connect", "with": {"source": "p"}}"#,
            "1: 'd'.connect: it needs sink, the name of a HubPort"
        ),
        (
            #"{"object": "d", "method": "connect", "with": {"source": "p", "sink": "d"}}"#,
            "70: 'd'.connect: sink must be the name of a HubPort: 'd' is a Dispatcher"
        ),
        (
            #"{"object": "d", "method": "connect", "with": {"source": "p", "sink": "x"}}"#,
            "70: 'd'.connect: sink must be the name of a HubPort: there is no element 'x'"
        ),
        (#"{"object": "e", "method": "connect"}"#, "12: object: there is no element 'e'"),
        (#"{"object": "d"}"#, "1: an operation needs method, the name of one"),
    ])
    func operation(text: String, message: String) {
        let elements = [#""d": {"class": "Dispatcher"}"#, #""p": {"class": "HubPort", "hub": "d"}"#]
        #expect(errors(graph(elements: elements, invoke: [text])) == ["x.json:7:\(message)"])
    }

    @Test(arguments: [
        (
            #""n": {"type": "integer"}"#,
            "31: parameter 'n': the type must be string, uri, int, float, boolean, enum or list, found 'integer'"
        ),
        (#""n": {}"#, "17: parameter 'n' needs type"),
        (#""n": {"type": "list"}"#, "31: parameter 'n' needs of, the type of its entries"),
        (
            #""n": {"type": "list", "of": "list"}"#,
            "45: parameter 'n': the type must be string, uri, int, float, boolean or enum, found 'list'"
        ),
        (#""n": {"type": "int", "of": "int"}"#, "38: parameter 'n': 'of' belongs to type 'list'"),
        (#""n": {"type": "enum"}"#, "31: parameter 'n' needs values, a list of strings"),
        (#""n": {"type": "enum", "values": []}"#, "49: parameter 'n': values must not be empty"),
        (#""n": {"type": "int", "default": "5"}"#, "49: parameter 'n': default must be a whole number, found '5'"),
        (
            #""n": {"type": "int", "minimum": 3, "default": 2}"#,
            "63: parameter 'n': default must be a whole number of 3 or more, found 2"
        ),
        (#""n": {"type": "int", "minimum": 3, "maximum": 2}"#, "49: parameter 'n': minimum is more than maximum"),
        (
            #""n": {"type": "int", "minimum": 1.5}"#,
            "49: parameter 'n': minimum must be a whole number, found the number 1.5"
        ),
        (#""n": {"type": "string", "minimum": 1}"#, "41: parameter 'n': 'minimum' belongs to int and float"),
        (
            #""n": {"type": "int", "defualt": 1}"#,
            "38: parameter 'n' has no member 'defualt' (did you mean 'default'?); it has type, of, values, minimum, "
                + "maximum, minimumCount, default, optional and doc"
        ),
        (#""item": {"type": "int"}"#, "17: a parameter cannot be called 'item': ${item} belongs to 'each'"),
        (
            #""n": {"type": "list", "of": "int", "minimumCount": -1}"#,
            "68: minimumCount must be a whole number from 0 to 10000 and belongs to a list"
        ),
    ])
    func parameter(text: String, message: String) {
        let found = errors(graph(parameters: text, elements: [Self.player, Self.recorder], links: [Self.link]))
        #expect(found == ["x.json:1:\(message)"])
    }

    /// A parameter whose type can never be what the argument wants is found without a value.
    @Test(
        arguments: [
            (
                "int",
                "uri must be a path or an address, not empty and without control characters, found ${n}, which is a "
                    + "whole number"
            ),
            ("string", nil), ("uri", nil),
        ] as [(String, String?)])
    func typeOfParameter(type: String, message: String?) {
        let text = graph(
            parameters: "\"n\": {\"type\": \"\(type)\"}",
            elements: [#""a": {"class": "PlayerEndpoint", "with": {"uri": "${n}"}}"#])
        #expect(errors(text) == (message.map { ["x.json:2:50: 'a': \($0)"] } ?? []))
    }

    @Test func allErrorsAtOnceInOrder() {
        let text = graph(
            elements: [#""a": {"class": "Composit"}"#, #""b": {"class": "PlayerEndpoint"}"#],
            links: [#"{"from": "b", "to": "zz"}"#, #"{"from": "b", "to": "a"}"#])
        let found = errors(text)
        // Nothing is said of the link to 'a': its own line says what is wrong with it.
        #expect(found.map { $0.prefix(12) } == ["x.json:2:16:", "x.json:3:1: ", "x.json:5:21:"])
    }

    @Test func onlyTheFirstTwenty() {
        let elements = (0..<30).map { "\"e\($0)\": {\"class\": \"Nothing\"}" }
        let found = errors(graph(elements: elements))
        #expect(found.count == 21)
        #expect(found.last == "and 10 more errors")
    }

    @Test func warnings() throws {
        let text = graph(
            parameters: #""n": {"type": "int", "default": 1}"#,
            elements: [Self.player, Self.recorder, Self.hub, #""x": {"class": "PassThrough"}"#], links: [Self.link])
        #expect(
            try document(text).outline().warnings.map(\.description) == [
                "x.json:4:1: warning: 'hub' (Composite) has no port",
                "x.json:5:1: warning: 'x' (PassThrough) is linked to nothing",
                "x.json:1:17: warning: parameter 'n' is used nowhere",
            ])
    }
}
