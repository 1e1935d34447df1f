/// `a=rid` (RFC 8851): restrictions of one stream.
package struct RestrictionIdentifier: Hashable, Sendable {
    /// Letters, digits; also `-` and `_`, which older senders use.
    package var id: String
    package var sends: Bool
    /// Empty means all of the m-line.
    package var payloadTypes: [UInt8]
    /// `max-width`, `max-height`, `max-fps`, `max-br`, … in their order.
    package var restrictions: [Restriction]

    package struct Restriction: Hashable, Sendable {
        package var name: String
        package var value: String?
        package init(name: String, value: String?) {
            self.name = name
            self.value = value
        }
    }

    package init(id: String, sends: Bool, payloadTypes: [UInt8] = [], restrictions: [Restriction] = []) {
        self.id = id
        self.sends = sends
        self.payloadTypes = payloadTypes
        self.restrictions = restrictions
    }

    /// The value of a restriction as a number.
    package func int(_ name: String) -> Int? {
        restrictions.first { $0.name == name }?.value.flatMap { Int($0) }
    }
}

/// `a=simulcast` (RFC 8853, section 5.1): lists of streams; each stream is a list of alternatives.
package struct SimulcastDescription: Hashable, Sendable {
    package struct Alternative: Hashable, Sendable {
        package var rid: String
        /// Written with `~`.
        package var isPaused: Bool
        package init(rid: String, isPaused: Bool = false) {
            self.rid = rid
            self.isPaused = isPaused
        }
    }
    package var send: [[Alternative]]
    package var receive: [[Alternative]]
    package init(send: [[Alternative]] = [], receive: [[Alternative]] = []) {
        self.send = send
        self.receive = receive
    }
}
