import Testing

@testable import Control

/// The table of objects: what is in it, and that what is taken out is let go.
@Suite struct ObjectTableTests {
    private func object(_ id: String, in parent: RPCObject?, _ table: inout ObjectTable) -> RPCObject {
        let object = RPCObject(
            id: id, className: "PassThrough", parent: parent, pipeline: nil, arguments: Arguments(), creationTime: 0,
            number: table.nextNumber())
        table.insert(object)
        return object
    }

    @Test func whatIsRemovedIsLetGo() {
        var table = ObjectTable()
        weak var parent: RPCObject?
        weak var child: RPCObject?
        do {
            let top = object("p", in: nil, &table)
            parent = top
            child = object("p/c", in: object("p/h", in: top, &table), &table)
            #expect(table.count == 3)
            #expect(table.remove(top).map(\.id) == ["p/c", "p/h", "p"])
        }
        #expect(table.count == 0)
        #expect(parent == nil && child == nil)
    }

    @Test func aChildThatIsRemovedLeavesItsParent() {
        var table = ObjectTable()
        let top = object("p", in: nil, &table)
        let (first, second) = (object("p/a", in: top, &table), object("p/b", in: top, &table))
        #expect(table.remove(first).map(\.id) == ["p/a"])
        #expect(top.orderedChildren.map(\.id) == [second.id])
        #expect(table.remove(first).isEmpty)
    }
}
