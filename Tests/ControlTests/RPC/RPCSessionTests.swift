import Control
import Core
import TestKit
import Testing

/// Sessions: where they come from, whose connection they are on, what keeps them, and what they own.
@Suite struct RPCSessionTests {
    @Test func aSessionIsInventedAndTied() throws {
        let client = try RPCRig().client()
        #expect(try client.session() == nil)
        let answer = try client.ask("connect")
        let session = try #require(answer["result"]?["sessionId"])
        #expect(answer["result"]?["serverId"] != nil)
        #expect(try client.session() == session)
        #expect(try client.ask("create", ["type": "MediaPipeline"])["result"]?["sessionId"] == session)
        // An error does not tie.
        _ = try client.failure("describe", ["object": "nope", "sessionId": "other"])
        #expect(try client.session() == session)
    }

    @Test func requestsBeforeTheFirstAnswerShareASession() throws {
        let rig = RPCRig()
        let client = try rig.client()
        client.post(#"{"jsonrpc":"2.0","id":1,"method":"create","params":{"type":"MediaPipeline"}}"#)
        client.post(#"{"jsonrpc":"2.0","id":2,"method":"create","params":{"type":"MediaPipeline"}}"#)
        rig.run(0.01)
        let sessions = client.received.compactMap { $0["result"]?["sessionId"] }
        #expect(sessions.count == 2 && Set(sessions).count == 1)
    }

    @Test func anUnknownSessionBeginsSilently() throws {
        let client = try RPCRig().client()
        #expect(try client.failure("connect", ["sessionId": "mine"]) == "40007 Invalid session")
        #expect(try client.failure("keepAlive", ["sessionId": "mine"]) == "40007 Invalid session")
        let made = try client.ask("create", ["type": "MediaPipeline", "sessionId": "mine"])
        #expect(made["result"]?["sessionId"] == "mine")
        #expect(try client.ask("connect", ["sessionId": "mine"])["result"]?["sessionId"] == "mine")
        #expect(try client.ask("keepAlive", ["sessionId": "mine"])["result"] == ["sessionId": "mine"])
    }

    @Test func aSessionMovesToWhoeverUsesIt() throws {
        let rig = RPCRig()
        let (old, new) = (try rig.client(), try rig.client())
        let pipeline = try old.create("MediaPipeline")
        let element = try old.create("PassThrough", in: pipeline)
        try old.subscribe(element, "ElementConnected")
        let session = try #require(try old.session())
        #expect(try new.ask("connect", ["sessionId": session])["result"]?["sessionId"] == session)
        #expect(try old.session() == nil)
        try new.invoke(element, "connect", ["sink": .string(element), "mediaType": "AUDIO"])
        #expect(new.events.count == 1 && old.events.isEmpty)
    }

    @Test func theCollectorTakesWhatNobodyUses() throws {
        let rig = RPCRig()
        let (client, other) = (try rig.client(), try rig.client())
        let pipeline = try client.create("MediaPipeline")
        _ = try other.create("MediaPipeline")
        let session = try #require(try client.session())
        // An open connection keeps its session without a word.
        rig.run(1000)
        #expect(try client.invoke(pipeline, "getName") == .string(pipeline))
        client.close()
        rig.run(230)
        let again = try rig.client()
        #expect(try again.ask("connect", ["sessionId": session])["result"] != nil)
        #expect(try again.invoke(pipeline, "getName") == .string(pipeline))
        again.close()
        rig.run(481)
        let late = try rig.client()
        #expect(try late.failure("connect", ["sessionId": session]) == "40007 Invalid session")
        #expect(try late.failure("describe", ["object": .string(pipeline)]) == "40101 Object '\(pipeline)' not found")
    }

    @Test func eventsOfASessionWithoutConnectionAreLost() throws {
        let rig = RPCRig()
        let (client, other) = (try rig.client(), try rig.client())
        try client.subscribe("manager_ServerManager", "ObjectCreated")
        let session = try #require(try client.session())
        client.close()
        _ = try other.create("MediaPipeline")
        let again = try rig.client()
        try again.ask("connect", ["sessionId": session])
        #expect(again.events.isEmpty)
        let made = try other.create("MediaPipeline")
        #expect(again.events.map { $0["data"]?["object"] } == [.string(made)])
    }

    // MARK: Owners

    @Test func anObjectLivesUntilItsLastOwnerGoes() throws {
        let rig = RPCRig()
        let (a, b) = (try rig.client(), try rig.client())
        let pipeline = try a.create("MediaPipeline")
        let element = try a.create("PassThrough", in: pipeline)
        // The owner of an element owns its pipeline.
        try b.value("describe", ["object": .string(element)])
        #expect(try a.ask("closeSession")["result"] == JSON.null)
        #expect(try b.invoke(pipeline, "getChildren") == [.string(element)])
        // What is made in it belongs to its owners.
        let c = try rig.client()
        let third = try c.create("PassThrough", in: pipeline)
        try c.ask("closeSession")
        #expect(try b.invoke(third, "getName") == .string(third))
        try b.ask("unref", ["object": .string(third)])
        #expect(try b.failure("describe", ["object": .string(third)]).hasPrefix("40101"))
        try b.ask("closeSession")
        #expect(try c.failure("describe", ["object": .string(pipeline)]).hasPrefix("40101"))
    }

    @Test func closingMayRelease() throws {
        let rig = RPCRig()
        let (a, b) = (try rig.client(), try rig.client())
        let pipeline = try a.create("MediaPipeline")
        try b.ask("ref", ["object": .string(pipeline), "sessionId": "b"])
        #expect(try a.ask("closeSession", ["release": true])["result"] == JSON.null)
        #expect(try b.failure("describe", ["object": .string(pipeline)]).hasPrefix("40101"))
        #expect(try b.failure("ref", ["object": "x"]) == "40101 Object 'x' not found")
        #expect(try b.ask("unref", ["object": "x"])["error"] == nil)
    }

    // MARK: Requests that come again

    @Test func aRequestIsExecutedOnce() throws {
        let rig = RPCRig()
        let client = try rig.client()
        let made = try client.ask("create", ["type": "MediaPipeline"], id: 77)
        #expect(try client.ask("create", ["type": "MediaPipeline"], id: 77) == made)
        #expect(try client.ask("create", ["type": "MediaPipeline"], id: "77") != made)
        rig.run(21)
        #expect(try client.ask("create", ["type": "MediaPipeline"], id: 77) != made)
    }

    @Test func onesThatAreBeingHandledAreNotExecutedTwice() throws {
        let rig = RPCRig(bindings: [RPCDispatchTests.slowDump])
        let (a, b) = (try rig.client(), try rig.client())
        let pipeline = try a.create("MediaPipeline")
        let session = try #require(try a.session())
        let call = JSON.object([
            .init("jsonrpc", "2.0"), .init("id", 9), .init("method", "invoke"),
            .init(
                "params",
                ["object": .string(pipeline), "operation": "dumpGstreamerDot", "sessionId": session]),
        ]).compact
        a.post(call)
        b.post(call)
        rig.run(2.5)
        #expect(b.received.count == 1 && a.received.last == b.received.last)
        #expect(try b.ask("ping")["result"]?["value"] == "pong")
        #expect(try a.invoke(pipeline, "getTag", ["key": "dumps"]) == "1")
    }
}
