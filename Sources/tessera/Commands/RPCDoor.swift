import Control
import Reactor

/// The control API over WebSocket: joins the carrier's sessions and the server's connections.
enum RPCDoor {
    static func acceptor(_ server: RPCServer) -> HTTPServer.Acceptor {
        { session in
            let connection = server.assumeIsolated { server in server.connect { session.send($0) } }
            session.onMessage { connection.receive($0) }
            session.onClose { _, _ in connection.ended() }
        }
    }

    /// Accepts first and refuses then, as Kurento does: its clients learn the reason that way.
    static let wrongPath: HTTPServer.Acceptor = { session in session.close(code: 1002, reason: "Invalid path") }
}
