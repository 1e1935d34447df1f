import Control
import Core
import TestKit
import Testing

/// The frame of JSON-RPC: what is a request, what is not, and how answers look.
@Suite struct RPCMessageTests {
    @Test(arguments: [
        "[]", #"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, #""text""#, "5", #"{"id":1,"method":"ping"}"#,
        #"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, #"{"jsonrpc":"2.0","id":{},"method":"ping"}"#,
        #"{"jsonrpc":"2.0","id":5}"#, #"{"jsonrpc":"2.0","id":6,"method":7}"#,
    ])
    func isNoRequest(_ text: String) throws {
        let client = try RPCRig().client()
        let refusal: JSON = [
            "error": ["code": -32600, "message": "Invalid JSON-RPC request."], "id": nil, "jsonrpc": "2.0",
        ]
        #expect(client.say(text) == [refusal])
        // With a session too, and the connection goes on.
        let session = try client.ask("connect")["result"]?["sessionId"]
        #expect(client.say(text) == [refusal])
        #expect(try client.session() == session)
    }

    @Test(arguments: ["[]", #""x""#, "5"])
    func paramsAreAnObject(_ params: String) throws {
        let client = try RPCRig().client()
        let answer = client.say(#"{"jsonrpc":"2.0","id":8,"method":"ping","params":\#(params)}"#)
        #expect(answer.first?["error"]?["code"] == -32600)
        #expect(answer.first?["id"] == 8)
    }

    @Test(arguments: ["{not json", "", "{", "\u{0}", #"{"jsonrpc":"2.0","jsonrpc":"2.0","id":1,"method":"ping"}"#])
    func isNoJSON(_ text: String) throws {
        let client = try RPCRig().client()
        let answer = try #require(client.say(text).first)
        #expect(answer["id"] == JSON.null)
        #expect(answer["error"]?["code"] == -32700)
        #expect(answer["error"]?["message"] == "Parse error.")
        #expect(answer["error"]?["data"]?["type"] == "PARSE_ERROR")
        #expect(try client.ask("ping")["result"] == ["value": "pong"])
    }

    @Test func depthAndSizeHaveLimits() throws {
        var options = RPCOptions()
        options.messageBytesMax = 10_000
        let client = try RPCRig(options).client()
        let deep = String(repeating: "[", count: 5000)
        let detail = client.say(deep).first?["error"]?["data"]?["detail"]
        #expect(detail == "line 1, column 65: nested deeper than the limit of 64 levels")
        let long = #"{"jsonrpc":"2.0","id":1,"method":"\#(String(repeating: "x", count: 10_000))"}"#
        let error = client.say(long).first?["error"]
        #expect(error?["code"] == -32700)
        #expect(error?["data"]?["detail"]?.compact.contains("the limit is 10000") == true)
        #expect(try client.ask("ping")["result"] == ["value": "pong"])
    }

    @Test func answersAreWrittenInOrderOfTheirMembers() throws {
        let client = try RPCRig().client()
        let answer = try client.ask("ping", id: "a").compact
        #expect(answer == #"{"id":"a","jsonrpc":"2.0","result":{"value":"pong"}}"#)
        let error = try client.ask("describe", ["object": "nope"], id: 7).compact
        #expect(
            error == #"{"error":{"code":40101,"data":{"type":"MEDIA_OBJECT_NOT_FOUND"},"#
                + #""message":"Object 'nope' not found"},"id":7,"jsonrpc":"2.0"}"#)
    }

    @Test(arguments: [7, "seven", 7.5, true] as [JSON])
    func idsComeBackAsTheyWere(_ id: JSON) throws {
        #expect(try RPCRig().client().ask("ping", id: id)["id"] == id)
    }

    @Test func notificationsAreExecuted() throws {
        let client = try RPCRig().client()
        let pipeline = try client.create("MediaPipeline")
        let rename = client.call(pipeline, "setName", ["name": "bob"])
        let text = JSON.object([.init("jsonrpc", "2.0"), .init("method", "invoke"), .init("params", rename)]).compact
        let answer = try #require(client.say(text).first)
        #expect(answer["error"]?["message"] == "Ignoring response because of a notification request")
        #expect(answer["error"]?["code"] == -32000)
        #expect(answer["error"]?["data"]?["value"] == JSON.null)
        #expect(answer["id"] == JSON.null)
        #expect(try client.invoke(pipeline, "getName") == "bob")
        #expect(client.say(#"{"jsonrpc":"2.0","id":null,"method":"nope"}"#).first?["error"]?["code"] == -32601)
    }

    @Test func membersAreMissedByName() throws {
        let rig = RPCRig()
        let fresh = try rig.client()
        for method in ["create", "describe", "invoke", "subscribe", "unsubscribe", "release", "ref", "transaction"] {
            #expect(try fresh.failure(method) == "-32602 'params' is required")
        }
        #expect(try fresh.error("create")["data"]?["type"] == "INVALID_PARAMS")
        #expect(try fresh.failure("nope") == "-32601 Method not found.")
        #expect(try fresh.failure("keepAlive", [:]) == "-32000 'sessionId' parameter is required")
        let client = try rig.client()
        try client.ask("connect")
        #expect(try client.failure("create") == "-32000 'type' parameter is required")
        #expect(try client.failure("invoke", ["object": "x"]) == "-32000 'operation' parameter is required")
        #expect(
            try client.failure("invoke", ["object": "x", "operation": [:]])
                == "-32000 'operation' parameter should be a string")
        #expect(
            try client.failure("invoke", ["object": "x", "operation": "y", "operationParams": 5])
                == "40101 Object 'x' not found")
        #expect(try client.failure("subscribe", ["object": "x"]) == "-32000 'type' parameter is required")
        #expect(try client.failure("unsubscribe", [:]) == "-32000 'subscription' parameter is required")
        #expect(
            try client.failure("transaction", ["operations": [:]]) == "-32000 'operations' parameter should be an array"
        )
    }
}
