import Core
import Graphics
import Media

/// Draws names as small pictures, white on dark, each once for a size. Lives on the loop, owned by a hub.
final class LabelMaker {
    private struct Key: Hashable, Sendable {
        let text: String
        /// Pixels of the font, and of the whole label at most.
        let size: Int
        let widthMax: Int
    }
    static let opacity = 0.8
    private unowned let hub: Hub
    /// Nil inside: there is nothing to be seen.
    private var labels: [Key: VideoFrame?] = [:]
    private var awaited: Set<Key> = []
    private var stage: Stage<Key, (Key, VideoFrame?)>?
    /// Labels kept; beyond it all are drawn anew, which costs a millisecond each.
    private static let labelsMax = 512

    init(_ hub: Hub) { self.hub = hub }

    /// The label for a place of `width` × `height` pixels; nil while it is drawn, and where there is no room for it.
    func label(_ text: String, width: Int, height: Int) -> VideoFrame? {
        let key = Key(text: text, size: min(max(height / 14, 10), 48), widthMax: width * 9 / 10 & ~1)
        guard key.widthMax >= 32, height >= 3 * key.size else { return nil }
        if let label = labels[key] { return label }
        guard !awaited.contains(key) else { return nil }
        if labels.count >= LabelMaker.labelsMax { labels = [:] }
        // Offline two runs are equal: the label is there with the first picture.
        guard hub.context.mode == .realTime else {
            let drawn = LabelWork.draw(key.text, key.size, key.widthMax, hub.context.configuration.pool)
            labels[key] = .some(drawn)
            return drawn
        }
        awaited.insert(key)
        let stage = self.stage ?? makeStage()
        self.stage = stage
        stage.push(key)
        return nil
    }

    func release() {
        stage?.cancel()
        stage = nil
    }

    private func makeStage() -> Stage<Key, (Key, VideoFrame?)> {
        let context = hub.context
        let pool = context.configuration.pool
        let stage = Stage<Key, (Key, VideoFrame?)>(
            context, record: context.makeStageRecord(element: hub, kind: .filter, detail: "labels"),
            executor: context.host.workers(.files), capacity: LabelMaker.labelsMax, policy: .dropNewest
        ) { LabelStage(pool: pool) }
        stage.onDrop = { [unowned self] in awaited.remove($0) }
        stage.onOutput = { [unowned self] drawn in
            awaited.remove(drawn.0)
            labels[drawn.0] = .some(drawn.1)
        }
        return stage
    }

    private final class LabelStage: StageWork {
        private let pool: FramePool
        init(pool: FramePool) { self.pool = pool }
        func process(_ key: Key, emit: ((Key, VideoFrame?)) -> Void) throws {
            emit((key, LabelWork.draw(key.text, key.size, key.widthMax, pool)))
        }
    }
}

/// Pure: a name as a picture.
private enum LabelWork {
    static func draw(_ text: String, _ size: Int, _ widthMax: Int, _ pool: FramePool) -> VideoFrame? {
        let padding = max(2, size / 3 & ~1)
        var style = TextStyle()
        // Pango counts points, of which three make four pixels.
        style.font = "Sans \(max(1, size * 3 / 4))"
        style.widthMax = max(8, widthMax - 2 * padding)
        style.isSingleLine = true
        guard let bitmap = TextRenderer.render(text, style) else { return nil }
        let (width, height) = ((bitmap.width + 2 * padding + 1) & ~1, (bitmap.height + padding + 1) & ~1)
        let y = padding / 2 & ~1
        return VideoFrame(width: width, height: height, pts: .zero, pool: pool) { planes in
            planes.y.update(repeating: 16, count: planes.strideY * height)
            planes.u.update(repeating: 128, count: planes.strideUV * planes.chromaHeight)
            planes.v.update(repeating: 128, count: planes.strideUV * planes.chromaHeight)
            Overlay(bitmap, width: bitmap.width, height: bitmap.height).draw(onto: planes, x: padding, y: y)
        }
    }
}
