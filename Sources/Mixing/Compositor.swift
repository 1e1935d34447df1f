import Core
package import Media

/// Draws canvases. Owned by one composition stage; not thread-safe.
///
/// `render` is pure in its pixels: they depend on the job alone, never on what was drawn before or on which buffer
/// was free. What was drawn before only makes it cheap: a ring of canvases, of which each remembers its scene, gets
/// just its stale parts written, and parts that did not change since the last picture are copied from there.
package final class Compositor {
    private struct Canvas {
        let buffer: PictureBuffer
        /// What the buffer shows; nil: undefined.
        var scene: Scene?
        /// `sequence` of the picture last drawn here.
        var lastUse: UInt64 = 0
    }

    /// Canvases kept for reuse at most. Consumers that hold on to more get fresh memory, and the ring forgets the
    /// oldest: nothing waits and nothing is overwritten under a reader.
    private static let ringMax = 6
    /// A canvas not drawn on for so many pictures goes back to the pool.
    private static let idlePicturesMax: UInt64 = 300
    /// Scaled tiles that were not drawn in one piece are kept while each picture that is drawn uses them.
    private static let ownTileBytesMax = 32 << 20

    private let pool: FramePool
    private let shared: ScaledTileCache?
    private let own = ScaledTileCache(bytesMax: Compositor.ownTileBytesMax)
    private var ownUses: UInt64 = 0
    private let scaler = Scaler()
    private var ring: [Canvas] = []
    private var latest: (frame: VideoFrame, scene: Scene)?
    private var sequence: UInt64 = 0

    /// What was done so far: tiles scaled, tiles copied from elsewhere instead, pictures that equalled the last.
    package private(set) var statistics = Statistics()
    package struct Statistics: Hashable, Sendable {
        package var pictures = 0
        package var repeats = 0
        package var tilesScaled = 0
        package var tilesCopied = 0
    }

    /// Takes memory from `pool`. A `cache` is worth it where other compositors draw the same tiles at the same size;
    /// without one, whole opaque tiles are scaled straight into the canvas.
    package init(pool: FramePool, cache: ScaledTileCache? = nil) {
        self.pool = pool
        shared = cache
    }

    /// The picture of a job. Its `changes` continue those of the picture returned before: an exact map of the 16×16
    /// blocks that differ, all zero where none does (the frame then shares the last one's memory), all one for the
    /// first picture and after a change of size.
    package func render(_ job: CompositionJob) -> VideoFrame {
        let area = PixelRect(x: 0, y: 0, width: job.width, height: job.height)
        let scene = Scene(job, canvas: area)
        if let latest, latest.frame.width != job.width || latest.frame.height != job.height {
            self.latest = nil
            ring = []
        }
        sequence += 1
        statistics.pictures += 1
        let frame = if let latest { next(after: latest, scene, area, job) } else { first(scene, area, job) }
        latest = (frame, scene.remembered)
        ring.removeAll { !$0.buffer.isLent && sequence - $0.lastUse > Compositor.idlePicturesMax }
        return frame
    }

    private func first(_ scene: Scene, _ area: PixelRect, _ job: CompositionJob) -> VideoFrame {
        let slot = freeSlot(job)
        let buffer = ring[slot].buffer
        paint(area, scene, into: buffer.planes, area)
        ring[slot].scene = scene.remembered
        let map = ChangeMap(width: job.width, height: job.height)
        return VideoFrame(buffer: buffer, pts: job.pts, changes: PictureChanges(sequence: sequence, map: map))
    }

    private func next(
        after last: (frame: VideoFrame, scene: Scene), _ scene: Scene, _ area: PixelRect, _ job: CompositionJob
    ) -> VideoFrame {
        let damage = Damage(from: last.scene, to: scene, canvas: area)
        if damage.isEmpty {
            let detector = ChangeDetector(old: last.frame.planes, new: last.frame.planes)
            return repeated(last.frame, job, detector.map)
        }
        let slot = freeSlot(job)
        let buffer = ring[slot].buffer
        let stale =
            ring[slot].scene.map { Damage(from: $0, to: scene, canvas: area) } ?? Damage(all: area)
        // First make the buffer equal to the last picture wherever it is stale, then draw what is new. Now it may
        // also happen that it shows the new scene already (a tile that blinks): then there is nothing to draw.
        for rect in stale.rectangles where !damage.contains(rect) {
            PictureView(buffer.planes, rect).copy(PictureView(last.frame.planes, rect))
        }
        for rect in damage.rectangles where stale.intersects(rect) {
            paint(rect, scene, into: buffer.planes, area, last: last)
        }
        ownUses = own.forget(unusedSince: ownUses)
        ring[slot].scene = scene.remembered
        var detector = ChangeDetector(old: last.frame.planes, new: buffer.planes)
        for rect in damage.rectangles { detector.compare(rect) }
        if detector.map.isUnchanged { return repeated(last.frame, job, detector.map) }
        return VideoFrame(
            buffer: buffer, pts: job.pts, changes: PictureChanges(sequence: sequence, map: detector.map))
    }

    private func repeated(_ frame: VideoFrame, _ job: CompositionJob, _ map: ChangeMap) -> VideoFrame {
        statistics.repeats += 1
        return VideoFrame(frame, pts: job.pts, changes: PictureChanges(sequence: sequence, map: map))
    }

    /// A canvas that nobody reads: of the free ones the one drawn last, which has the least to catch up.
    private func freeSlot(_ job: CompositionJob) -> Int {
        let free = ring.indices.filter { !ring[$0].buffer.isLent }
        if let slot = free.max(by: { ring[$0].lastUse < ring[$1].lastUse }) {
            ring[slot].lastUse = sequence
            return slot
        }
        if ring.count == Compositor.ringMax, let oldest = ring.indices.min(by: { ring[$0].lastUse < ring[$1].lastUse }) {
            ring.remove(at: oldest)
        }
        ring.append(Canvas(buffer: pool.picture(width: job.width, height: job.height), scene: nil, lastUse: sequence))
        return ring.count - 1
    }
}

// MARK: - Drawing

extension Compositor {
    /// Draws all of `scene` that lies within `rect`, which shows anything before. `last` is the picture before.
    private func paint(
        _ rect: PixelRect, _ scene: Scene, into planes: VideoFrame.Planes, _ area: PixelRect,
        last: (frame: VideoFrame, scene: Scene)? = nil
    ) {
        let visible = scene.placements.indices.filter { scene.placements[$0].destination.intersects(rect) }
        let lowest = visible.lastIndex {
            scene.placements[$0].isOpaque && scene.placements[$0].destination.contains(rect)
        }
        if lowest == nil { PictureView(planes, rect).fill(scene.background) }
        for index in visible[(lowest ?? 0)...] {
            draw(scene.placements[index], scene.frames[index], within: rect, into: planes, last: last)
        }
    }

    private func draw(
        _ placement: Placement, _ frame: VideoFrame, within rect: PixelRect, into planes: VideoFrame.Planes,
        last: (frame: VideoFrame, scene: Scene)?
    ) {
        let area = placement.destination.intersection(rect)
        let target = PictureView(planes, area)
        if placement.isOpaque, let last, Compositor.isPlain(placement, in: last.scene, within: area) {
            statistics.tilesCopied += 1
            return target.copy(PictureView(last.frame.planes, area))
        }
        if placement.isOpaque, area == placement.destination, shared == nil {
            statistics.tilesScaled += 1
            return scaler.scale(PictureView(frame.planes, placement.source), to: target)
        }
        let tile = scaledTile(placement, frame)
        let part = PixelRect(
            x: area.x - placement.destination.x, y: area.y - placement.destination.y, width: area.width,
            height: area.height)
        let source = PictureView(tile.planes, part)
        if placement.isOpaque { target.copy(source) } else { target.blend(source, opacity: placement.opacity) }
    }

    /// Whether the last picture shows this very placement within `area` with nothing over it.
    private static func isPlain(_ placement: Placement, in scene: Scene, within area: PixelRect) -> Bool {
        guard let index = scene.placements.firstIndex(of: placement) else { return false }
        return !scene.placements[(index + 1)...].contains { $0.destination.intersects(area) }
    }

    private func scaledTile(_ placement: Placement, _ frame: VideoFrame) -> VideoFrame {
        let cache = shared ?? own
        let key = ScaledTileCache.Key(
            contentID: placement.contentID, source: placement.source, width: placement.destination.width,
            height: placement.destination.height)
        if let tile = cache.tile(key) {
            statistics.tilesCopied += 1
            return tile
        }
        statistics.tilesScaled += 1
        let tile = VideoFrame(width: key.width, height: key.height, pts: frame.pts, pool: pool) { planes in
            let whole = PixelRect(x: 0, y: 0, width: key.width, height: key.height)
            scaler.scale(PictureView(frame.planes, placement.source), to: PictureView(planes, whole))
        }
        cache.insert(tile, for: key)
        return tile
    }
}
