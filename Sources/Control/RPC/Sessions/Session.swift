/// A client as the server knows it, apart from its connection: it owns objects and subscriptions, outlives the
/// connection, and can move to another one. Owned by the server's actor.
final class Session {
    let id: String
    /// Ids of the objects it owns.
    var objects: Set<String> = []
    /// Subscription id → what is subscribed to.
    var subscriptions: [String: (object: String, event: String)] = [:]
    /// Whether it was used since the collector last looked.
    var isUsed = true

    init(id: String) { self.id = id }
}
