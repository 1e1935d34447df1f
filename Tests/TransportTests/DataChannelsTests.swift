import CLibraryClock
import Core
import Testing
import Transport

/// All tests that use usrsctp, one at a time.
@Suite(.serialized) struct SCTPTests {}

extension SCTPTests {
    struct DataChannelsTests {
        @Test func opensAndTalks() throws {
            let pair = DataPair()
            let first = try pair.client.open(.init(label: "chat", subprotocol: "json"), at: pair.now)
            try pair.client.send(.text("before the association"), on: first, at: pair.now)
            pair.run { DataPair.messages(pair.serverEvents).count == 1 }
            let (remote, parameters) = try #require(DataPair.remote(pair.serverEvents).first)
            #expect(parameters == DataChannelParameters(label: "chat", subprotocol: "json"))
            try pair.server.send(.text("ünïcode 한국어"), on: remote, at: pair.now)
            try pair.server.send(.text(""), on: remote, at: pair.now)
            try pair.server.send(.binary([]), on: remote, at: pair.now)
            try pair.server.send(.binary([0, 1, 255]), on: remote, at: pair.now)
            pair.run { DataPair.messages(pair.clientEvents).count == 4 }
            #expect(
                DataPair.messages(pair.clientEvents) == [
                    .text("ünïcode 한국어"), .text(""), .binary([]), .binary([0, 1, 255]),
                ])
            #expect(DataPair.messages(pair.serverEvents) == [.text("before the association")])
            #expect(
                pair.clientEvents.prefix(2) == [
                    .connected, .opened(first, .init(label: "chat", subprotocol: "json"), isRemote: false),
                ])
        }

        @Test func anIdleAssociationAsksForNothing() throws {
            let pair = DataPair()
            let id = try pair.client.open(.init(label: "a"), at: pair.now)
            pair.run(for: .milliseconds(5000))
            #expect(pair.bothConnected)
            #expect(pair.client.deadline == nil && pair.server.deadline == nil)
            // And wakes up again after an hour.
            pair.run(for: .milliseconds(3_600_000))
            try pair.client.send(.text("still there"), on: id, at: pair.now)
            pair.run(for: .milliseconds(5000))
            #expect(DataPair.messages(pair.serverEvents) == [.text("still there")])
        }

        @Test("Megabytes both ways over a bad link", arguments: 0..<4)
        func large(_ seed: Int) throws {
            let pair = DataPair(
                .init(loss: Double(seed) * 0.02, delay: .milliseconds(15), jitter: .milliseconds(seed * 2)),
                seed: UInt64(seed))
            let id = try pair.client.open(.init(), at: pair.now)
            pair.run { !DataPair.remote(pair.serverEvents).isEmpty }
            let remote = try #require(DataPair.remote(pair.serverEvents).first).0
            let (there, back) = (pattern(1 << 20, seed: 1), pattern(1_500_000, seed: 2))
            try pair.client.send(.binary(there), on: id, at: pair.now)
            try pair.server.send(.binary(back), on: remote, at: pair.now)
            try pair.server.send(.text("end"), on: remote, at: pair.now)
            #expect(pair.server.bufferedAmount(remote) > 1_000_000)
            pair.run {
                DataPair.messages(pair.serverEvents).count == 1 && DataPair.messages(pair.clientEvents).count == 2
            }
            // As one value: a megabyte in a failure's text helps nobody.
            let isThere = DataPair.messages(pair.serverEvents) == [.binary(there)]
            let isBack = DataPair.messages(pair.clientEvents) == [.binary(back), .text("end")]
            #expect(isThere && isBack)
            #expect(pair.server.bufferedAmount(remote) == 0)
            #expect(max(pair.up.largest, pair.down.largest) <= SCTPAssociation.packetBytes)
        }

        @Test func limitsOfSize() throws {
            let pair = DataPair(limit: 1000)
            let id = try pair.client.open(.init(), at: pair.now)
            pair.run(for: .milliseconds(1000))
            #expect(throws: DataChannels.Failure.messageTooLarge(limit: 1000)) {
                try pair.client.send(.binary([UInt8](repeating: 0, count: 1001)), on: id, at: pair.now)
            }
            let open = DataPair()
            let other = try open.client.open(.init(), at: open.now)
            #expect(throws: DataChannels.Failure.bufferFull(limit: DataChannels.maxBufferedBytes)) {
                for _ in 0..<5 {
                    try open.client.send(.binary([UInt8](repeating: 0, count: 4 << 20)), on: other, at: open.now)
                }
            }
            #expect(throws: DataChannels.Failure.noSuchChannel) {
                open.client.close(other, at: open.now)
                try open.client.send(.text("x"), on: other, at: open.now)
            }
        }

        @Test("Partial reliability loses, full reliability does not", arguments: [0, 1, 2, 3])
        func reliability(_ mode: Int) throws {
            let kinds: [SCTPMessage.Reliability] = [
                .reliable, .maxRetransmits(0), .maxLifetime(milliseconds: 50), .reliable,
            ]
            let pair = DataPair(.init(), seed: 7)
            let parameters = DataChannelParameters(label: "p", isOrdered: mode != 3, reliability: kinds[mode])
            let id = try pair.client.open(parameters, at: pair.now)
            pair.run(for: .milliseconds(2000))
            #expect(DataPair.remote(pair.serverEvents).map(\.1) == [parameters])
            pair.up.conditions.loss = 0.2
            for number in 0..<200 {
                try pair.client.send(.binary([UInt8(number)]), on: id, at: pair.now)
                pair.run(for: .milliseconds(20))
            }
            pair.up.conditions.loss = 0
            pair.run(for: .milliseconds(10_000))
            let got = DataPair.messages(pair.serverEvents).map { Int($0.bytes[0]) }
            #expect(Set(got).count == got.count)
            switch mode {
            case 0: #expect(got == Array(0..<200))
            case 3:
                #expect(got.sorted() == Array(0..<200))
                #expect(got != got.sorted(), "unordered messages overtake lost ones")
            default:
                #expect((120..<199).contains(got.count), "\(got.count) of 200 at 20 % loss")
                #expect(got == got.sorted())
            }
        }

        @Test func bufferedAmountFallsLow() throws {
            let pair = DataPair()
            let id = try pair.client.open(.init(), at: pair.now)
            pair.run(for: .milliseconds(1000))
            pair.client.setLowThreshold(100_000, on: id)
            try pair.client.send(.binary([UInt8](repeating: 1, count: 1 << 20)), on: id, at: pair.now)
            #expect(!pair.clientEvents.contains(.bufferedAmountLow(id)))
            pair.run { pair.clientEvents.contains(.bufferedAmountLow(id)) }
            #expect(pair.client.bufferedAmount(id) <= 100_000)
            pair.run(for: .milliseconds(10_000))
            #expect(pair.clientEvents.count { $0 == .bufferedAmountLow(id) } == 1)
        }

        @Test func negotiatedChannelsNeedNoMessage() throws {
            let pair = DataPair()
            let parameters = DataChannelParameters(label: "n", negotiatedStream: 7)
            let (a, b) = try (pair.client.open(parameters, at: pair.now), pair.server.open(parameters, at: pair.now))
            #expect(throws: DataChannels.Failure.streamInUse(7)) {
                _ = try pair.client.open(parameters, at: pair.now)
            }
            try pair.client.send(.text("to server"), on: a, at: pair.now)
            try pair.server.send(.text("to client"), on: b, at: pair.now)
            pair.run(for: .milliseconds(2000))
            #expect(DataPair.messages(pair.clientEvents) == [.text("to client")])
            #expect(DataPair.messages(pair.serverEvents) == [.text("to server")])
            #expect(DataPair.remote(pair.clientEvents).isEmpty && DataPair.remote(pair.serverEvents).isEmpty)
        }

        @Test("Closing resets both streams, after what was sent, and the numbers are free again", arguments: [0, 1])
        func closing(_ loss: Int) throws {
            let pair = DataPair(.init(loss: Double(loss) * 0.1), seed: 3)
            for round in 1...20 {
                let id = try pair.client.open(.init(label: "\(round)"), at: pair.now)
                let other = try pair.server.open(.init(label: "s\(round)"), at: pair.now)
                pair.run { DataPair.remote(pair.clientEvents).count == round }
                try pair.client.send(.binary([UInt8](repeating: 9, count: 400_000)), on: id, at: pair.now)
                pair.client.close(id, at: pair.now)
                pair.run { DataPair.closed(pair.clientEvents) == round * 2 - 1 }
                pair.client.close(try #require(DataPair.remote(pair.clientEvents).last).0, at: pair.now)
                pair.run {
                    DataPair.closed(pair.clientEvents) == round * 2 && DataPair.closed(pair.serverEvents) == round * 2
                }
                #expect(throws: DataChannels.Failure.noSuchChannel) {
                    try pair.server.send(.text("x"), on: other, at: pair.now)
                }
            }
            let got = DataPair.messages(pair.serverEvents)
            #expect(got.allSatisfy { $0.bytes.count == 400_000 })
            #expect(got.count == 20)
        }

        @Test("The end of the association ends its channels", arguments: [true, false])
        func ends(_ abort: Bool) throws {
            let pair = DataPair()
            _ = try pair.client.open(.init(), at: pair.now)
            pair.run(for: .milliseconds(1000))
            pair.client.end(abort: abort, at: pair.now)
            pair.run(for: .milliseconds(10_000))
            #expect(DataPair.closed(pair.clientEvents) == 1 && DataPair.closed(pair.serverEvents) == 1)
            #expect(pair.clientEvents.last == .disconnected(reason: nil))
            guard case .disconnected(let reason) = pair.serverEvents.last else {
                Issue.record("\(pair.serverEvents)")
                return
            }
            #expect(reason != nil)
            #expect(pair.client.deadline == nil && pair.server.deadline == nil)
        }

        @Test func tooManyChannels() throws {
            let pair = DataPair()
            for _ in 0..<DataChannels.maxChannels { _ = try pair.client.open(.init(), at: pair.now) }
            #expect(throws: DataChannels.Failure.tooManyChannels) { _ = try pair.client.open(.init(), at: pair.now) }
            pair.run(for: .milliseconds(10_000))
            #expect(DataPair.remote(pair.serverEvents).count == DataChannels.maxChannels)
        }
    }
}
