package import Core

/// What a JSON-RPC server allows its clients. Every limit is answered with an error that names it.
package struct RPCOptions: Sendable {
    /// Sessions that nobody has used for a whole period are dropped, with what only they own (Kurento: 240 s).
    package var collectorPeriod = MediaTime.seconds(240)
    /// How long an answer is kept for a request that is sent again (Kurento: 20 s); zero: answers are not kept.
    package var cachePeriod = MediaTime.seconds(20)
    /// Bytes of answers kept altogether; the oldest go first.
    package var cacheBytesMax = 64 << 20
    /// Arrays and objects inside one another in a message.
    package var nestingMax = 64
    /// Bytes of one message. The carrier has a bound of its own, which ends the connection.
    package var messageBytesMax = 4 << 20
    /// Requests of one connection that may wait while one is being handled; one more is refused at once.
    package var waitingMax = 1000
    /// Bytes of the requests that wait.
    package var waitingBytesMax = 16 << 20
    /// Requests per second and connection; bursts of one second are let through. 0: no limit.
    package var requestsPerSecondMax = 20_000
    package var sessionsMax = 20_000
    /// Objects of all clients together.
    package var objectsMax = 100_000
    package var objectsPerSessionMax = 20_000
    package var subscriptionsPerSessionMax = 20_000
    /// Operations of one transaction.
    package var operationsMax = 10_000
    package var tagsPerObjectMax = 1000
    /// Bytes of a name, or of a tag's key and text together.
    package var labelBytesMax = 64 << 10
    package init() {}
}
