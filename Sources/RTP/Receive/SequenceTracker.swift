/// Gives the packets of one stream numbers that never wrap and never go back for good: a sender that restarts with
/// another random sequence number goes on behind the newest (RFC 3550, appendix A.1).
struct SequenceTracker {
    enum Place: Equatable {
        /// The packet's number; at most `SequenceTracker.maxJump` from the newest, either way.
        case number(Int64)
        /// Too far from the newest to be one of the stream. If its successor follows, the sender has restarted: keep
        /// the packet until then.
        case suspect
        /// The sender has restarted. The suspect packet before this one has the number one less.
        case restarted(Int64)
    }

    /// MAX_DROPOUT of RFC 3550: beyond it a jump is taken for a restart as soon as a second packet confirms it. The
    /// same is allowed backward, as retransmissions are old by nature.
    static let maxJump = 3000

    /// A stream's first packets may come in the wrong order; so far before the first received, others are let in.
    static let reorderedAtStart: Int64 = 64

    /// The highest number so far; nil before the first packet.
    private(set) var newest: Int64?
    private var suspected: UInt16?

    /// Places a packet of the media stream itself.
    mutating func place(_ number: UInt16) -> Place {
        guard let newest else {
            // Starts one cycle up, so that what was sent before the first packet stays positive.
            let first = Int64(number) + 65_536
            self.newest = first
            return .number(first)
        }
        if let near = near(number, to: newest) {
            suspected = nil
            self.newest = max(newest, near)
            return .number(near)
        }
        guard suspected == number &- 1 else {
            suspected = number
            return .suspect
        }
        suspected = nil
        // The next number above the newest with these low bits, leaving room for the suspect before it.
        var restarted = newest &+ Int64(number &- UInt16(truncatingIfNeeded: newest))
        if restarted <= newest + 1 { restarted += 65_536 }
        self.newest = restarted
        return .restarted(restarted)
    }

    /// The number of a packet that is told of by others, such as the original of a retransmission; nil if it cannot
    /// belong to what is near.
    func number(of number: UInt16) -> Int64? { newest.flatMap { near(number, to: $0) } }

    private func near(_ number: UInt16, to newest: Int64) -> Int64? {
        let delta = Int64(Int16(bitPattern: number &- UInt16(truncatingIfNeeded: newest)))
        return abs(delta) <= Int64(SequenceTracker.maxJump) ? newest + delta : nil
    }
}
