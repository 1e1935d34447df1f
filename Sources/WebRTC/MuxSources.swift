/// Which peers send packets of an SSRC, for those that come from an address nobody is known at. Owned by a mux.
///
/// An SSRC proves nothing, and need not be one peer's alone: browsers that only receive all report as 1.
struct MuxSources {
    private var entries: [UInt32: [MuxEntry]] = [:]

    subscript(ssrc: UInt32) -> [MuxEntry] { entries[ssrc] ?? [] }

    mutating func set(_ sources: Set<UInt32>, of entry: MuxEntry) {
        for ssrc in entry.sources.subtracting(sources) {
            entries[ssrc]?.removeAll { $0 === entry }
            if entries[ssrc]?.isEmpty == true { entries[ssrc] = nil }
        }
        for ssrc in sources.subtracting(entry.sources) { entries[ssrc, default: []].append(entry) }
        entry.sources = sources
    }
}
