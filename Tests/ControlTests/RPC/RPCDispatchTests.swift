import Control
import Core
import Elements
import Media
import TestKit
import Testing

/// Methods, objects, transactions, events.
@Suite struct RPCDispatchTests {
    /// A call that takes two seconds and counts itself in a tag.
    static let slowDump: ClassBinding = {
        var binding = Bindings.all.first { $0.className == "MediaPipeline" } ?? ClassBinding("MediaPipeline")
        binding.methods["dumpGstreamerDot"] = .slow { call throws(RPCError) in
            await call.server.pause(.seconds(2))
            await call.server.count(call.id)
            return nil
        }
        return binding
    }()

    // MARK: Objects

    @Test func creatingIsChecked() throws {
        let client = try RPCRig().client()
        for type in ["Nonsense", "MediaElement", "ServerManager", "core.MediaPipeline", "kurento.kurento.Composite"] {
            #expect(try client.failure("create", ["type": .string(type)]) == "40108 Factory '\(type)' not found")
        }
        let pipeline = try client.text(
            "create", ["type": "kurento.MediaPipeline", "properties": ["junk": 1], "more": nil])
        #expect(pipeline.hasSuffix("_kurento.MediaPipeline") && pipeline.count == 36 + 22)
        #expect(!pipeline.dropLast(22).contains("_"))
        func failure(_ type: String, _ params: JSON?) throws -> String {
            var members: [JSON.Member] = [.init("type", .string(type))]
            if let params { members.append(.init("constructorParams", params)) }
            return try client.failure("create", .object(members))
        }
        #expect(try failure("PassThrough", nil) == "40001 'constructorParams' is required")
        #expect(try failure("PassThrough", [:]) == "40001 'mediaPipeline' parameter should be a string")
        #expect(try failure("PassThrough", ["mediaPipeline": "nope"]) == "40101 Object 'nope' not found")
        #expect(
            try failure("PassThrough", ["mediaPipeline": "newref:0"])
                == "40109 Object 'newref:0' not found. Possibly using a transactional object without committing the "
                + "transaction.")
        let element = try client.create("PassThrough", in: pipeline)
        #expect(element.hasPrefix(pipeline + "/") && element.hasSuffix("_kurento.PassThrough"))
        #expect(try failure("PassThrough", ["mediaPipeline": .string(element)]).hasPrefix("40107 "))
        #expect(
            try failure("WebRtcEndpoint", ["mediaPipeline": .string(pipeline), "recvonly": "yes"])
                == "40001 'recvonly' parameter should be a boolean")
        #expect(
            try failure("WebRtcEndpoint", ["mediaPipeline": .string(pipeline), "certificateKeyType": "DSA"])
                == "40001 Invalid value for 'CertificateKeyType'")
    }

    @Test func objectsKnowTheirPlace() throws {
        let client = try RPCRig().client()
        let pipeline = try client.create("MediaPipeline")
        let hub = try client.create("Composite", in: pipeline)
        let port = try client.create("HubPort", ["hub": .string(hub)])
        let element = try client.create("PassThrough", in: pipeline)
        #expect(port.hasPrefix(hub + "/") && port.hasSuffix("_kurento.HubPort"))
        #expect(try client.invoke(port, "getMediaPipeline") == .string(pipeline))
        #expect(try client.invoke(port, "getParent") == .string(hub))
        #expect(try client.invoke(pipeline, "getParent") == .null)
        #expect(try client.invoke(pipeline, "getMediaPipeline") == .string(pipeline))
        #expect(try client.invoke(pipeline, "getChildren") == [.string(hub), .string(element)])
        #expect(try client.invoke(hub, "getChildren") == [.string(port)])
        #expect(try client.invoke(element, "getId") == .string(element))
        #expect(try client.invoke(element, "getCreationTime") == 1_800_000_001)
        let described = try client.ask("describe", ["object": .string(port)])["result"]
        #expect(
            described?["hierarchy"] == ["kurento.MediaElement", "kurento.MediaObject"] as JSON)
        #expect(described?["qualifiedType"] == "kurento.HubPort" && described?["type"] == "HubPort")
        #expect(
            try client.failure("create", ["type": "HubPort", "constructorParams": ["mediaPipeline": "x"]])
                == "40001 'hub' parameter should be a string")
    }

    @Test func namesAndTags() throws {
        let client = try RPCRig().client()
        let pipeline = try client.create("MediaPipeline")
        #expect(try client.invoke(pipeline, "getName") == .string(pipeline))
        #expect(try client.invoke(pipeline, "setName", ["name": "bob"]) == .null)
        #expect(try client.invoke(pipeline, "getName") == "bob")
        try client.invoke(pipeline, "setName", ["name": 5])
        #expect(try client.invoke(pipeline, "getName") == "5")
        func failure(_ operation: String, _ params: JSON? = nil) throws -> String {
            try client.failure("invoke", client.call(pipeline, operation, params))
        }
        #expect(try failure("setName", [:]) == "40001 'name' parameter should be a string")
        #expect(try failure("setName") == "40001 'operationParams' is required")
        #expect(try failure("noSuchMethod") == "40008 Method 'noSuchMethod' with 0 parameters not found")
        #expect(try failure("setId", ["id": "x"]) == "40008 Method 'setId' with 1 parameters not found")
        #expect(try failure("getTag", ["key": "zz"]) == "40110 Tag key not found")
        try client.invoke(pipeline, "addTag", ["key": "k", "value": "v"])
        try client.invoke(pipeline, "addTag", ["key": "a", "value": 7])
        #expect(try client.invoke(pipeline, "getTag", ["key": "k"]) == "v")
        #expect(
            try client.invoke(pipeline, "getTags").compact
                == #"[{"__module__":"kurento","__type__":"Tag","key":"a","value":"7"},"#
                + #"{"__module__":"kurento","__type__":"Tag","key":"k","value":"v"}]"#)
        #expect(try client.invoke(pipeline, "removeTag", ["key": "zz"]) == .null)
        try client.invoke(pipeline, "removeTag", ["key": "k"])
        #expect(try failure("getTag", ["key": "k"]) == "40110 Tag key not found")
    }

    @Test func releaseTakesEverythingBelow() throws {
        let rig = RPCRig()
        let (client, watcher) = (try rig.client(), try rig.client())
        try watcher.subscribe("manager_ServerManager", "ObjectDestroyed")
        let pipeline = try client.create("MediaPipeline")
        let source = try client.create("PassThrough", in: pipeline)
        let hub = try client.create("Composite", in: pipeline)
        let port = try client.create("HubPort", ["hub": .string(hub)])
        try client.invoke(source, "connect", ["sink": .string(port)])
        try client.subscribe(source, "ElementDisconnected")
        #expect(try client.ask("release", ["object": .string(hub)])["result"] == ["sessionId": client.session() ?? nil])
        // The source tells that its sink has gone.
        #expect(client.events("ElementDisconnected").count == 3)
        #expect(try client.failure("describe", ["object": .string(port)]).hasPrefix("40101"))
        #expect(try client.ask("release", ["object": .string(hub)])["error"] == nil)
        #expect(try client.ask("release", ["object": "nope"])["error"] == nil)
        #expect(try client.ask("release", ["object": "manager_ServerManager"])["error"] == nil)
        try client.ask("release", ["object": .string(pipeline)])
        #expect(
            watcher.events.map { $0["data"]?["objectId"] }
                == [port, hub, source, pipeline].map { .string($0) })
    }

    // MARK: Links and events

    @Test func linksAndTheirEvents() throws {
        let client = try RPCRig().client()
        let pipeline = try client.create("MediaPipeline")
        let (a, b) = (try client.create("PassThrough", in: pipeline), try client.create("PassThrough", in: pipeline))
        for event in ["ElementConnected", "ElementConnected", "ElementDisconnected"] { try client.subscribe(a, event) }
        #expect(
            try client.failure("subscribe", ["object": .string(a), "type": "EndOfStream"])
                == "40106 Event 'EndOfStream' not supported")
        try client.invoke(a, "addTag", ["key": "k", "value": "v"])
        try client.invoke(a, "connect", ["sink": .string(b)])
        #expect(client.events.map { $0["data"]?["mediaType"] } == ["AUDIO", "VIDEO", "DATA"])
        #expect(client.events.first?["data"]?["tags"] == [])
        let sinks = try client.invoke(a, "getSinkConnections")
        guard case .array(let connections) = sinks else { throw RPCError.notJSON }
        #expect(connections.count == 3)
        #expect(
            try client.invoke(b, "getSourceConnections", ["mediaType": "VIDEO"]).compact
                == #"[{"__module__":"kurento","__type__":"ElementConnectionData","source":"\#(a)","sink":"\#(b)","#
                + #""type":"VIDEO","sourceDescription":"default","sinkDescription":"default"}]"#)
        #expect(try client.invoke(b, "getSourceConnections", ["mediaType": "VIDEO", "description": "x"]) == [])
        // Once more, with tags, of an element with itself.
        try client.invoke(a, "setSendTagsInEvents", ["sendTagsInEvents": true])
        try client.invoke(a, "connect", ["sink": .string(a), "mediaType": "AUDIO"])
        try client.invoke(a, "connect", ["sink": .string(a), "mediaType": "AUDIO"])
        #expect(
            client.events.dropFirst(3).map { $0["type"] }
                == ["ElementConnected", "ElementDisconnected", "ElementConnected"])
        let last = try #require(client.events.last)
        #expect(
            last.compact.replacing(a, with: "A")
                == #"{"data":{"mediaType":"AUDIO","sink":"A","sinkMediaDescription":"default","source":"A","#
                + #""sourceMediaDescription":"default","tags":[{"__module__":"kurento","__type__":"Tag","key":"k","#
                + #""value":"v"}],"timestampMillis":"1800000001\#(milliseconds(last))","type":"ElementConnected"},"#
                + #""object":"A","type":"ElementConnected"}"#)
        // A pair that is not connected says so all the same.
        let count = client.events.count
        try client.invoke(a, "disconnect", ["sink": .string(b)])
        try client.invoke(a, "disconnect", ["sink": .string(b)])
        #expect(client.events.count == count + 6)
    }

    private func milliseconds(_ event: JSON) -> String {
        guard case .string(let time)? = event["data"]?["timestampMillis"] else { return "?" }
        return String(time.suffix(3))
    }

    @Test func linksAreRefused() throws {
        let client = try RPCRig().client()
        let (one, two) = (try client.create("MediaPipeline"), try client.create("MediaPipeline"))
        let (a, b) = (try client.create("PassThrough", in: one), try client.create("PassThrough", in: two))
        func failure(_ params: JSON) throws -> String {
            try client.failure("invoke", client.call(a, "connect", params))
        }
        #expect(try failure(["sink": "nope"]) == "40101 Object 'nope' not found")
        #expect(try failure(["sink": .string(b)]) == "40004 Media elements do not share pipeline")
        #expect(try failure(["sink": .string(one)]).hasPrefix("40107 "))
        #expect(try failure(["sink": .string(a), "mediaType": "SMELL"]) == "40001 Invalid value for 'MediaType'")
        #expect(
            try failure(["sink": .string(a), "mediaType": "AUDIO", "sourceMediaDescription": "x"])
                .hasPrefix("40004 "))
        #expect(
            try client.failure("invoke", client.call(a, "isMediaFlowingIn", ["mediaType": "DATA"]))
                == "40107 Media type DATA is not supported for MediaFlowingIn")
        #expect(try client.invoke(a, "isMediaFlowingIn", ["mediaType": "AUDIO"]) == false)
        #expect(try client.invoke(a, "isMediaTranscoding", ["mediaType": "AUDIO"]) == false)
    }

    @Test func elementsLackNoPads() throws {
        let client = try RPCRig().client()
        let pipeline = try client.create("MediaPipeline")
        let player = try client.create("PlayerEndpoint", ["mediaPipeline": .string(pipeline), "uri": "file:///x"])
        let sink = try client.create("PassThrough", in: pipeline)
        try client.subscribe(player, "ElementConnected")
        try client.invoke(player, "connect", ["sink": .string(sink)])
        #expect(client.events.map { $0["data"]?["mediaType"] } == ["AUDIO", "VIDEO", "DATA"])
    }

    @Test func unsubscribing() throws {
        let client = try RPCRig().client()
        let subscription = try client.subscribe("manager_ServerManager", "ObjectCreated")
        _ = try client.create("MediaPipeline")
        #expect(client.events.count == 1)
        let session = try client.session() ?? nil
        let params: JSON = ["object": "manager_ServerManager", "subscription": .string(subscription)]
        #expect(try client.ask("unsubscribe", params)["result"] == ["sessionId": session])
        #expect(try client.ask("unsubscribe", params)["result"] == ["sessionId": session])
        _ = try client.create("MediaPipeline")
        #expect(client.events.count == 1)
    }

    @Test func theGraphIsDrawn() throws {
        let client = try RPCRig().client()
        let pipeline = try client.create("MediaPipeline")
        let hub = try client.create("Composite", in: pipeline)
        let port = try client.create("HubPort", ["hub": .string(hub)])
        let element = try client.create("PassThrough", in: pipeline)
        try client.invoke(element, "connect", ["sink": .string(port)])
        for object in [pipeline, hub, port, element] {
            guard case .string(let dot) = try client.invoke(object, "getGstreamerDot") else { throw RPCError.notJSON }
            #expect(dot.hasPrefix("digraph ") && dot.hasSuffix("}\n"))
            #expect(dot.contains("\"\(element)\" -> \"\(port)\"") || object == hub)
        }
        #expect(try client.invoke(pipeline, "dumpGstreamerDot") == .null)
    }

    // MARK: Transactions

    private func operation(_ id: JSON, _ method: String, _ params: JSON) -> JSON {
        ["id": id, "jsonrpc": "2.0", "method": .string(method), "params": params]
    }

    @Test func operationsNameWhatEarlierOnesMade() throws {
        let client = try RPCRig().client()
        let answers = try client.value(
            "transaction",
            [
                "object": ["_events": [:]],
                "operations": [
                    operation(0, "create", ["type": "MediaPipeline", "constructorParams": [:]]),
                    operation(
                        1, "create", ["type": "PassThrough", "constructorParams": ["mediaPipeline": "newref:0"]]),
                    operation(
                        2, "invoke",
                        ["object": "newref:1", "operation": "connect", "operationParams": ["sink": "newref:1"]]),
                    operation(3, "describe", ["object": "nope"]), operation(4, "ping", [:]),
                ],
            ])
        guard case .array(let list) = answers else { throw RPCError.notJSON }
        #expect(list.count == 4)
        #expect(list[2]["result"]?["value"] == JSON.null && list[2]["id"] == 2)
        #expect(list[3]["error"]?["code"] == 40101)
        guard case .string(let made)? = list[1]["result"]?["value"] else { throw RPCError.notJSON }
        // Nothing is rolled back.
        #expect(try client.invoke(made, "getName") == .string(made))
        #expect(try client.value("transaction", ["operations": []]) == [])
    }

    @Test func brokenTransactions() throws {
        let client = try RPCRig().client()
        func failure(_ operations: JSON) throws -> String {
            try client.failure("transaction", ["operations": operations])
        }
        #expect(try failure([operation(7, "ping", [:])]) == "40008 Id of request '0' should be '0'")
        #expect(try failure([5]) == "40008 Id of request '0' should be '0'")
        #expect(
            try failure([operation(0, "invoke", ["object": "newref:9", "operation": "x"])])
                == "40008 Result not found on request 9")
        #expect(
            try failure([operation(0, "invoke", ["object": "newref:abc", "operation": "x"])])
                == "40008 Invalid index of newref 'abc'")
        #expect(try client.failure("transaction", [:]) == "-32000 'operations' parameter is required")
        // Another transaction inside gets the session, too.
        let inner = operation(0, "transaction", ["operations": [operation(0, "create", ["type": "MediaPipeline"])]])
        let answers = try client.value("transaction", ["operations": [inner]])
        #expect(answers.compact.contains("_kurento.MediaPipeline"))
    }

    // MARK: Order and limits

    @Test func aSlowCallHoldsItsOwnConnectionOnly() throws {
        let rig = RPCRig(bindings: [Self.slowDump])
        let (a, b) = (try rig.client(), try rig.client())
        let pipeline = try a.create("MediaPipeline")
        let before = a.received.count
        a.post(
            #"{"jsonrpc":"2.0","id":1,"method":"invoke","params":{"object":"\#(pipeline)","#
                + #""operation":"dumpGstreamerDot"}}"#)
        for id in 2...5 { a.post(#"{"jsonrpc":"2.0","id":\#(id),"method":"ping"}"#) }
        rig.run(1)
        #expect(a.received.count == before)
        #expect(try b.ask("ping")["result"]?["value"] == "pong")
        rig.run(1.5)
        #expect(a.received.dropFirst(before).map { $0["id"] } == [1, 2, 3, 4, 5])
    }

    @Test func whatWaitsHasABound() throws {
        var options = RPCOptions()
        options.waitingMax = 3
        let rig = RPCRig(options, bindings: [Self.slowDump])
        let client = try rig.client()
        let pipeline = try client.create("MediaPipeline")
        let before = client.received.count
        client.post(
            #"{"jsonrpc":"2.0","id":1,"method":"invoke","params":{"object":"\#(pipeline)","#
                + #""operation":"dumpGstreamerDot"}}"#)
        for id in 2...5 { client.post(#"{"jsonrpc":"2.0","id":\#(id),"method":"ping"}"#) }
        rig.run(3)
        let answers = client.received.dropFirst(before)
        #expect(answers.map { $0["id"] } == [5, 1, 2, 3, 4])
        #expect(answers.first?["error"]?["code"] == 40009)
    }

    @Test func limitsAreSaid() throws {
        var options = RPCOptions()
        options.objectsMax = 3
        options.sessionsMax = 2
        options.requestsPerSecondMax = 20
        options.tagsPerObjectMax = 1
        options.subscriptionsPerSessionMax = 1
        let rig = RPCRig(options)
        let client = try rig.client()
        let pipeline = try client.create("MediaPipeline")
        _ = try client.create("MediaPipeline")
        #expect(
            try client.failure("create", ["type": "MediaPipeline"])
                == "40009 The server has 3 objects, the most that are allowed")
        try client.invoke(pipeline, "addTag", ["key": "k", "value": "v"])
        #expect(
            try client.failure("invoke", client.call(pipeline, "addTag", ["key": "l", "value": "v"]))
                == "40009 The object has 1 tags, the most that are allowed")
        try client.subscribe(pipeline, "Error")
        #expect(
            try client.failure("subscribe", ["object": .string(pipeline), "type": "Error"])
                == "40009 The session has 1 subscriptions, the most that are allowed")
        try rig.client().ask("describe", ["object": .string(pipeline)])
        #expect(
            try rig.client().failure("describe", ["object": .string(pipeline)])
                == "40009 The server has 2 sessions, the most that are allowed")
        for _ in 0..<14 { _ = client.say(#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, seconds: 0.0001) }
        #expect(
            client.say(#"{"jsonrpc":"2.0","id":1,"method":"nope"}"#, seconds: 0.0001).first?["error"]?["message"]
                == "More than 20 requests in a second on this connection")
        rig.run(1)
        #expect(try client.ask("ping")["result"]?["value"] == "pong")
    }

    @Test func drainingTakesNobodyIn() throws {
        let rig = RPCRig()
        let client = try rig.client()
        let pipeline = try client.create("MediaPipeline")
        let server = rig.server
        #expect(try #require(rig.sim.complete { await server.drain() }).get())
        #expect(try client.failure("create", ["type": "MediaPipeline"]).hasPrefix("40009 The server is about to end"))
        #expect(try client.invoke(pipeline, "getChildren") == [])
        #expect(try rig.client().failure("describe", ["object": .string(pipeline)]).hasPrefix("40009 "))
        _ = rig.sim.complete { await server.end() }
        #expect(try client.failure("describe", ["object": .string(pipeline)]).hasPrefix("40101"))
    }

    @Test func everythingDescribedIsBound() {
        let table = BindingTable(.tessera, Bindings.all)
        #expect(table.missing == [])
        #expect(table.strangers == [])
    }
}

extension RPCServer {
    /// Counts in a tag of an object.
    func count(_ id: String) {
        guard let object = object(id) else { return }
        object.tags["dumps"] = String((Int(object.tags["dumps"] ?? "0") ?? 0) + 1)
    }
}
