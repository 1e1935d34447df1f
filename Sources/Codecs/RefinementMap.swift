import Media

/// Which 16×16 blocks of a still area have been coded well enough to be left alone.
///
/// A block rests only after it was coded unchanged for `settleFrames` frames, or once at the finest quantiser, so a
/// still area reaches the quality it would have without the map (inactive from the start it would stay coarse for
/// ever). Every key frame and every gap in the numbering of pictures starts the count again. Owned by one encoder.
struct RefinementMap {
    /// Measured with libvpx 1.12: after this many frames still areas have stopped improving.
    static let settleFrames: UInt8 = 30

    let columns: Int
    let rows: Int
    /// Row by row, 1 = to be coded, 0 = left as it was; what libvpx takes as active map.
    private(set) var active: [UInt8]
    /// Whether the last picture taken said how it differs from the one before it.
    private(set) var isUsable = false
    private var changed: [UInt8]
    private var quietFrames: [UInt8]
    private var lastSequence: UInt64?

    init(width: Int, height: Int) {
        let map = ChangeMap(width: width, height: height)
        columns = map.columns
        rows = map.rows
        active = map.blocks
        changed = map.blocks
        quietFrames = [UInt8](repeating: 0, count: map.blocks.count)
    }

    /// Nothing differs from the last coded picture, and every block is as fine as it will get.
    var isSettled: Bool { isUsable && !active.contains(1) }
    /// How many blocks are left alone.
    var restingCount: Int { active.count { $0 == 0 } }

    /// Takes in how the next picture differs; afterwards `active` is valid for it.
    mutating func take(_ changes: PictureChanges?) {
        guard let changes, changes.map.columns == columns, changes.map.rows == rows else {
            isUsable = false
            lastSequence = nil
            startAgain()
            return
        }
        isUsable = true
        if let lastSequence, changes.sequence == lastSequence &+ 1 {
            changed = changes.map.blocks
        } else if changes.sequence == lastSequence {
            changed = [UInt8](repeating: 0, count: changed.count)  // the very same picture again
        } else {
            startAgain()
        }
        lastSequence = changes.sequence
        for index in changed.indices {
            if changed[index] != 0 { quietFrames[index] = 0 }
            active[index] = quietFrames[index] >= Self.settleFrames ? 0 : 1
        }
    }

    /// Counts what the frame just coded has done. `isFinest`: it used the finest quantiser the encoder may use.
    mutating func coded(isKey: Bool, isFinest: Bool) {
        if isKey {
            quietFrames = [UInt8](repeating: 0, count: quietFrames.count)
            return
        }
        for index in active.indices where active[index] != 0 && changed[index] == 0 {
            quietFrames[index] = isFinest ? Self.settleFrames : min(quietFrames[index] + 1, Self.settleFrames)
        }
    }

    private mutating func startAgain() {
        changed = [UInt8](repeating: 1, count: changed.count)
        active = changed
        quietFrames = [UInt8](repeating: 0, count: quietFrames.count)
    }
}
