import Core
import Media

/// Keeps scaled tiles by (source picture, part, size), so that a tile is scaled once however often and on however
/// many canvases it is drawn. Thread-safe; one may be shared by several compositors, which then copy from it.
///
/// Bounded in bytes of pixels: the least recently used go first. Of two compositors that miss at the same moment
/// both scale, and get equal pixels.
package final class ScaledTileCache: Sendable {
    struct Key: Hashable, Sendable {
        let contentID: UInt64
        let source: PixelRect
        let width: Int
        let height: Int
    }
    private struct Entry {
        let tile: VideoFrame
        var lastUse: UInt64
    }
    private struct State {
        var entries: [Key: Entry] = [:]
        var bytes = 0
        var uses: UInt64 = 0
        var hits = 0
        var misses = 0
    }
    private let state = Lock(State())
    private let bytesMax: Int

    /// `bytesMax` bounds the pixels kept; the default holds some fifty tiles of 640×360.
    package init(bytesMax: Int = 16 << 20) { self.bytesMax = bytesMax }

    /// Tiles found and not found so far, and the bytes held now.
    package var statistics: (hits: Int, misses: Int, bytes: Int) {
        state.withLock { ($0.hits, $0.misses, $0.bytes) }
    }

    func tile(_ key: Key) -> VideoFrame? {
        state.withLock { state in
            state.uses += 1
            guard let index = state.entries.index(forKey: key) else {
                state.misses += 1
                return nil
            }
            state.hits += 1
            state.entries.values[index].lastUse = state.uses
            return state.entries.values[index].tile
        }
    }

    func insert(_ tile: VideoFrame, for key: Key) {
        state.withLock { state in
            state.uses += 1
            if let old = state.entries.updateValue(Entry(tile: tile, lastUse: state.uses), forKey: key) {
                state.bytes -= old.tile.byteCount
            }
            state.bytes += tile.byteCount
            while state.bytes > bytesMax, let oldest = state.entries.min(by: { $0.value.lastUse < $1.value.lastUse }) {
                state.bytes -= oldest.value.tile.byteCount
                state.entries[oldest.key] = nil
            }
        }
    }

    /// Forgets what was not used since `use`, a value this returned before; returns the count of uses now.
    func forget(unusedSince use: UInt64) -> UInt64 {
        state.withLock { state in
            for (key, entry) in state.entries where entry.lastUse <= use {
                state.bytes -= entry.tile.byteCount
                state.entries[key] = nil
            }
            return state.uses
        }
    }
}
