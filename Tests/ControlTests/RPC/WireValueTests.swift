import Control
import Core
import Testing

@Suite struct WireValueTests {
    private let model = ObjectModel.tessera
    private var decoder: WireDecoder { WireDecoder(model) }

    private func decode(_ json: JSON?, _ parameter: ParameterDescription) -> Result<ArgumentValue?, RPCError> {
        Result { () throws(RPCError) in try decoder.decode(json, parameter) }
    }
    private func parameter(_ type: ValueType, default value: ArgumentValue? = nil) -> ParameterDescription {
        ParameterDescription("p", type, default: value, "For the test.")
    }

    @Test func convertibleKindsPass() {
        #expect(decode(5, parameter(.text)) == .success(.string("5")))
        #expect(decode(true, parameter(.text)) == .success(.string("true")))
        #expect(decode(nil, parameter(.int32, default: .int(7))) == .success(.int(7)))
        #expect(decode(.null, parameter(.int32, default: .int(7))) == .success(.int(0)))
        #expect(decode(2.9, parameter(.int32)) == .success(.int(2)))
        #expect(decode(-2.9, parameter(.int32)) == .success(.int(-2)))
        #expect(decode(true, parameter(.int32)) == .success(.int(1)))
        #expect(decode(0, parameter(.boolean)) == .success(.boolean(false)))
        #expect(decode(.null, parameter(.list(.text))) == .success(.list([])))
        #expect(decode(3, parameter(.number)) == .success(.float(3)))
    }

    @Test(arguments: [
        (JSON.array([]), ValueType.text, "string"), ("1", .int32, "integer"), (5_000_000_000, .int32, "integer"),
        (1e300, .int64, "int64"), ("1", .number, "double"), ("true", .boolean, "boolean"), (1, .list(.text), "list"),
        (1, .map(.text), "map"), ("x", .structure(sdp), "object"),
    ])
    func othersAreRefused(json: JSON, type: ValueType, kind: String) {
        #expect(decode(json, parameter(type)) == .failure(.marshall("'p' parameter should be a \(kind)")))
    }

    private static var sdp: StructureDescription {
        ObjectModel.tessera.structure("IceCandidate")
            ?? StructureDescription(name: "", module: .core, members: [], doc: "")
    }

    @Test func structures() throws {
        let candidate = parameter(.structure(WireValueTests.sdp))
        let whole: JSON = [
            "candidate": "c", "sdpMid": "0", "sdpMLineIndex": 0, "__module__": "kurento", "__type__": "IceCandidate",
            "more": 1,
        ]
        #expect(
            decode(whole, candidate)
                == .success(
                    .structure([
                        Argument("candidate", .string("c")), Argument("sdpMid", .string("0")),
                        Argument("sdpMLineIndex", .int(0)),
                    ])))
        #expect(decode([:], candidate) == .failure(.marshall("'candidate' property should be a string")))
        for name in ["Nothing", "Tag"] {
            #expect(
                decode(["__type__": .string(name), "__module__": "kurento"], candidate)
                    == .failure(.incompatible("Type \(name) is not compatible")))
        }
        let options = try #require(model.method("generateOffer", of: "WebRtcEndpoint")?.parameters.first)
        #expect(
            decode(["offerToReceiveAudio": false], options)
                == .success(
                    .structure([
                        Argument("offerToReceiveAudio", .boolean(false)),
                        Argument("offerToReceiveVideo", .boolean(true)),
                    ])))
    }

    @Test func wordsAndObjects() throws {
        let kind = try #require(model.method("isMediaFlowingIn", of: "PassThrough")?.parameters.first)
        #expect(decode("AUDIO", kind) == .success(.string("AUDIO")))
        #expect(decode("audio", kind) == .failure(.marshall("Invalid value for 'MediaType'")))
        #expect(decode("newref:0", parameter(.object("Hub"))).error?.code == 40109)
        let profile = try #require(
            model.classDescription("RecorderEndpoint")?.constructor.first { $0.name == "mediaProfile" })
        #expect(decode("KURENTO_SPLIT_RECORDER", profile).error?.code == 40107)
    }

    /// One that stands after a gap is as if it were not there.
    @Test func overloads() throws {
        let parameters = try #require(model.method("createDataChannel", of: "WebRtcEndpoint")?.parameters)
        let gap = try decoder.arguments(["protocol": "x"], ofMethod: parameters)
        #expect(gap.string("protocol") == "")
        let run = try decoder.arguments(["label": "a", "ordered": false, "protocol": "x"], ofMethod: parameters)
        #expect(run.string("label") == "a" && run.boolean("ordered") == false && run.string("protocol") == "")
    }

    @Test func encoding() throws {
        let encoder = WireEncoder(model)
        let stats = try #require(model.method("getStats", of: "PassThrough")?.returns)
        #expect(encoder.encode(.structure([]), as: stats) == .null)
        #expect(encoder.encode(nil, as: .text) == .null && encoder.encode(.int(1), as: nil) == .null)
        let entry = ArgumentValue.structure(of: "ElementStats", [Argument("id", .string("e"))])
        #expect(
            encoder.encode(.structure([Argument("e", entry)]), as: stats).compact
                == #"{"e":{"__module__":"kurento","__type__":"ElementStats","id":"e"}}"#)
        #expect(encoder.encode(.int(3), as: .number).compact == "3.0")
    }
}

extension Result {
    fileprivate var error: Failure? { if case .failure(let error) = self { error } else { nil } }
}
