import Core
import RTP
import Testing
import Transport
import WebRTC

extension SCTPTests {
    /// What a second agreement does to a whole peer. Here because data channels take part.
    struct RenegotiationTests {
        @Test func anotherFingerprintGivesDataChannelsAnew() throws {
            let pair = try PeerPair()
            try pair.negotiate()
            #expect(pair.run { pair.offerer.peer.data.isConnected && pair.answerer.peer.data.isConnected })
            let before = pair.offerer.peer.data
            let first = try before.open(.init(label: "first"), at: pair.now)
            #expect(pair.run { pair.answerer.channels.count == 1 && pair.offerer.channels.count == 1 })

            try pair.replaceAnswerer()
            try pair.negotiate()
            #expect(pair.offerer.peer.data !== before)
            #expect(
                pair.run {
                    pair.offerer.connections == 2 && pair.answerer.connections == 1
                        && pair.offerer.peer.data.isConnected && pair.answerer.peer.data.isConnected
                })
            #expect(pair.offerer.events.contains(.data(.closed(first))))

            let second = try pair.offerer.peer.data.open(.init(label: "second"), at: pair.now)
            try pair.offerer.peer.data.send(.text("there"), on: second, at: pair.now)
            #expect(pair.run { pair.answerer.messages == [.text("there")] })
            let back = try #require(pair.answerer.channels.first)
            try pair.answerer.peer.data.send(.text("back"), on: back, at: pair.now)
            #expect(pair.run { pair.offerer.messages == [.text("back")] })
        }

        @Test func theSameFingerprintKeepsThem() throws {
            let pair = try PeerPair()
            try pair.negotiate()
            #expect(pair.run { pair.offerer.peer.data.isConnected && pair.answerer.peer.data.isConnected })
            let before = pair.offerer.peer.data
            try pair.negotiate()
            #expect(pair.offerer.peer.data === before && pair.offerer.peer.dtls.state == .connected)
            let channel = try before.open(.init(label: "later"), at: pair.now)
            try before.send(.text("there"), on: channel, at: pair.now)
            #expect(pair.run { pair.answerer.messages == [.text("there")] })
            #expect(pair.offerer.connections == 1 && pair.answerer.connections == 1)
        }

        @Test func aLineThatIsRefusedLaterEndsItsTracks() throws {
            let pair = try PeerPair()
            try pair.negotiate()
            let sides = [pair.offerer, pair.answerer]
            let sound = sides.map { $0.peer.session.incoming(.audio) }
            for side in sides {
                #expect(side.peer.session.incoming(.video) != nil && side.peer.session.outgoing(.video) != nil)
            }
            pair.answerer.hasVideo = false
            try pair.negotiate()
            for (side, before) in zip(sides, sound) {
                let session = side.peer.session
                #expect(session.incoming(.video) == nil && session.outgoing(.video) == nil)
                #expect(session.incoming(.audio) === before && before != nil && session.outgoing(.audio) != nil)
            }
            pair.answerer.hasVideo = true
            try pair.negotiate()
            for side in sides { #expect(side.peer.session.incoming(.video) != nil) }
        }
    }
}
