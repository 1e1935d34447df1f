import Media

/// Which 16×16 blocks of a still area have been coded well enough to be left alone. Owned by one encoder.
///
/// A block rests after it was coded unchanged for 60 frames, or once at the finest quantiser there is. libvpx refines
/// a still block a little with every frame it is coded, and most in the odd frame with a fine quantiser; blocks that
/// come to rest while bits are scarce would stay coarse (measured, 640×384, one of nine tiles moving, VP8 at
/// 1 Mbit/s, rest after 30 frames and for good: 38.6 dB against 46.6 without a map). Hence a resting block is still
/// coded in every eighth frame, thirty times more; and when rate control goes below the finest quantiser the block
/// was coded with, it is woken for 30 frames. Every key frame and every gap in the numbering of pictures starts the
/// count again.
///
/// The numbers are the best of seven settings tried on one synthetic canvas (480×288, one of nine tiles moving; VP8
/// and VP9; 150, 300, 600 and 1000 kbit/s; with and without a key frame on the way; six moments up to frame 299):
/// still areas were at most 1.0 dB (rounded) below the encode without a map. Waiting less lost up to 2 dB in VP8.
/// VP9's rate control is chaotic there: other settings came out 5 dB above or below in single runs.
struct RefinementMap {
    static let settleFrames: UInt8 = 60
    static let wakeFrames: UInt8 = 30
    /// A block coded unchanged so often is not coded again, until the quantiser becomes finer.
    static let doneFrames: UInt8 = 90
    private static let refreshInterval = 8
    private static let coarsest: Int32 = 63

    let columns: Int
    let rows: Int
    /// Row by row, 1 = to be coded, 0 = left as it was; what libvpx takes as active map.
    private(set) var active: [UInt8]
    /// Whether the last picture taken said how it differs from the one before it.
    private(set) var isUsable = false
    private var changed: [UInt8]
    private var quietFrames: [UInt8]
    /// The finest quantiser with which each block was coded since it changed.
    private var finest: [Int32]
    private var lastQuantizer = Self.coarsest
    private var lastSequence: UInt64?
    /// Which eighth of the resting blocks has its turn.
    private var turn = 0

    init(width: Int, height: Int) {
        let map = ChangeMap(width: width, height: height)
        columns = map.columns
        rows = map.rows
        active = map.blocks
        changed = map.blocks
        quietFrames = [UInt8](repeating: 0, count: map.blocks.count)
        finest = [Int32](repeating: Self.coarsest, count: map.blocks.count)
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
            forget()
            active = [UInt8](repeating: 1, count: active.count)
            changed = active
            return
        }
        isUsable = true
        if let lastSequence, changes.sequence == lastSequence &+ 1 {
            changed = changes.map.blocks
        } else if changes.sequence == lastSequence {
            changed = [UInt8](repeating: 0, count: changed.count)  // the very same picture again
        } else {
            changed = [UInt8](repeating: 1, count: changed.count)
        }
        lastSequence = changes.sequence
        turn += 1
        for index in changed.indices {
            if changed[index] != 0 {
                quietFrames[index] = 0
                finest[index] = Self.coarsest
            } else if quietFrames[index] >= Self.settleFrames, lastQuantizer < finest[index] {
                quietFrames[index] = Self.settleFrames - Self.wakeFrames
            }
            let hasTurn = quietFrames[index] < Self.doneFrames && (index + turn) % Self.refreshInterval == 0
            active[index] = quietFrames[index] < Self.settleFrames || hasTurn ? 1 : 0
        }
    }

    /// Counts what the frame just coded has done. `quantizer` is its own, `limit` the finest that the encoder uses.
    mutating func coded(isKey: Bool, quantizer: Int32, limit: Int32) {
        lastQuantizer = max(quantizer, limit)
        if isKey { return forget() }
        for index in active.indices where active[index] != 0 && changed[index] == 0 {
            finest[index] = min(finest[index], lastQuantizer)
            quietFrames[index] = quantizer <= limit ? Self.doneFrames : quietFrames[index] + 1
        }
    }

    private mutating func forget() {
        quietFrames = [UInt8](repeating: 0, count: quietFrames.count)
        finest = [Int32](repeating: Self.coarsest, count: finest.count)
    }
}
