/// All objects by id, and which of them exist for whom. Owned by the server's actor.
///
/// Rules of ownership: who creates, describes, invokes or subscribes to an object owns it and all its ancestors; what is
/// made in an object belongs to its owners too; an object without owners goes, and everything in it.
struct ObjectTable {
    private(set) var objects: [String: RPCObject] = [:]
    private var lastNumber = 0

    /// Objects by class.
    private(set) var counts: [String: Int] = [:]

    var count: Int { objects.count }
    /// In order of creation.
    var pipelines: [RPCObject] {
        pipelinesByNumber.sorted { $0.key < $1.key }.map(\.value)
    }
    private var pipelinesByNumber: [Int: RPCObject] = [:]

    subscript(id: String) -> RPCObject? { objects[id] }

    /// Throws 40101, or 40109 for a reference into a transaction that is not going on.
    func find(_ id: String) throws(RPCError) -> RPCObject {
        if let object = objects[id] { return object }
        throw id.hasPrefix(Transaction.reference) ? .outsideTransaction(id) : .objectNotFound(id)
    }

    mutating func nextNumber() -> Int {
        lastNumber += 1
        return lastNumber
    }

    mutating func insert(_ object: RPCObject) {
        objects[object.id] = object
        counts[object.className, default: 0] += 1
        if object.isPipeline { pipelinesByNumber[object.number] = object }
        object.parent?.add(object)
    }

    /// Takes an object and everything in it out; returns them, each before what it is in.
    mutating func remove(_ object: RPCObject) -> [RPCObject] {
        guard objects[object.id] != nil else { return [] }
        let gone = object.subtree
        for one in gone where objects.removeValue(forKey: one.id) != nil {
            counts[one.className, default: 1] -= 1
            if one.isPipeline { pipelinesByNumber[one.number] = nil }
            // Parent and child hold each other, and nobody else holds them any more.
            one.parent?.remove(one)
        }
        return gone
    }
}
