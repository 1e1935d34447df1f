package import Media

/// An object that clients hold: a pipeline, an element, a hub, the server's manager. What happens on media's side lives
/// in its pipeline under the same name; here is what belongs to the protocol. Owned by the server's actor.
package final class RPCObject {
    package let id: String
    /// Bare, as in `HubPort`.
    package let className: String
    package let parent: RPCObject?
    /// The pipeline it is or belongs to; nil for the server's manager.
    package let pipeline: MediaPipeline?
    /// What it was made with.
    package let arguments: Arguments
    /// Seconds since the epoch.
    package let creationTime: Int
    /// Rises from object to object: the order of creation.
    let number: Int
    package var name: String
    package var sendsTagsInEvents = false
    package var tags: [String: String] = [:]
    private(set) var children: [String: RPCObject] = [:]
    /// Sessions that hold it.
    var owners: Set<String> = []
    /// Event → session → subscriptions.
    var subscribers: [String: [String: Set<String>]] = [:]
    /// Values of properties that are only remembered (`PropertyBinding.kept`), and what was seen of its events.
    package var kept: [String: ArgumentValue] = [:]

    init(
        id: String, className: String, parent: RPCObject?, pipeline: MediaPipeline?, arguments: Arguments,
        creationTime: Int, number: Int
    ) {
        self.id = id
        self.className = className
        self.parent = parent
        self.pipeline = pipeline
        self.arguments = arguments
        self.creationTime = creationTime
        self.number = number
        name = id
    }

    /// The pipeline's object, itself where it is one; nil for the server's manager.
    package var root: RPCObject? {
        guard pipeline != nil else { return nil }
        var top = self
        while let parent = top.parent { top = parent }
        return top
    }

    var isPipeline: Bool { pipeline != nil && parent == nil }

    /// The objects directly in it, in order of creation.
    package var orderedChildren: [RPCObject] { children.values.sorted { $0.number < $1.number } }

    func add(_ child: RPCObject) { children[child.id] = child }
    func remove(_ child: RPCObject) { children[child.id] = nil }

    /// Itself and all below it, each after what is in it; what was made last comes first.
    var subtree: [RPCObject] {
        var order: [RPCObject] = []
        var open = [self]
        while let next = open.popLast() {
            order.append(next)
            open += next.orderedChildren
        }
        return order.reversed().sorted { $0.depth == $1.depth ? $0.number > $1.number : $0.depth > $1.depth }
    }

    private var depth: Int {
        var (count, next) = (0, parent)
        while let current = next { (count, next) = (count + 1, current.parent) }
        return count
    }
}
