import Core

// How a snapshot reads for the page at `/inspect`.
extension PipelineSnapshot {
    package var json: JSON {
        [
            "id": .string(id), "name": .string(name), "elementCount": .int(elementCount),
            "elements": .array(elements.map(\.json)), "links": .array(links.map(\.json)),
            "stages": .array(stages.map(\.json)),
        ]
    }

    fileprivate static func members(_ facts: [Fact]) -> JSON {
        .object(facts.map { JSON.Member($0.name, .string($0.value)) })
    }
}

extension PipelineSnapshot.Element {
    fileprivate var json: JSON {
        [
            "id": .string(id), "class": .string(className), "name": .string(name),
            "hub": hub.map { .string($0) } ?? .null, "isHub": .bool(isHub), "facts": PipelineSnapshot.members(facts),
            "thumbnail": thumbnail.map { .string($0) } ?? .null, "decoded": .bool(isDecoded),
        ]
    }
}

extension PipelineSnapshot.Link {
    fileprivate var json: JSON {
        [
            "from": .string(from), "to": .string(to), "kind": .string(kind.rawValue),
            "manner": .string(manner.rawValue), "flowing": .bool(isFlowing), "native": native.json,
            "made": made?.json ?? .null, "share": share.map { .string($0) } ?? .null,
        ]
    }
}

extension PipelineSnapshot.Form {
    fileprivate var json: JSON {
        [
            "codec": .string(codec), "width": .int(width), "height": .int(height), "frames": .int(frames),
            "bytes": .int(bytes), "sinks": .int(sinks),
        ]
    }
}

extension PipelineSnapshot.Stage {
    fileprivate var json: JSON {
        [
            "element": .string(element), "kind": .string(kind), "detail": .string(detail), "frames": .int(frames),
            "cpuSeconds": .double(Double(cpuNanoseconds) / 1e9), "sharedBy": .int(sharedBy),
            "drops": .object(drops.map { JSON.Member($0.name, .int(Int($0.value) ?? 0)) }),
        ]
    }
}
