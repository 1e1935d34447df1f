/// Where two scenes may show different pixels: rectangles that do not overlap. Everywhere else the same placements
/// lie over each other in the same order on the same background, so the pixels are equal without looking at them.
struct Damage {
    private(set) var rectangles: [PixelRect] = []

    init(all canvas: PixelRect) { rectangles = [canvas] }

    init(from old: Scene, to new: Scene, canvas: PixelRect) {
        guard old.background == new.background else {
            rectangles = [canvas]
            return
        }
        // Greedy common subsequence: what is in both, in the same order, is no damage; everything else is.
        var matched = 0
        var isKept = [Bool](repeating: false, count: old.placements.count)
        for (index, placement) in new.placements.enumerated() {
            // Usually the same place in the stack, so look there first.
            if index >= matched, index < old.placements.count, old.placements[index] == placement {
                isKept[index] = true
                matched = index + 1
            } else if let found = old.placements[matched...].firstIndex(of: placement) {
                isKept[found] = true
                matched = found + 1
            } else {
                add(placement.destination)
            }
        }
        for (index, placement) in old.placements.enumerated() where !isKept[index] { add(placement.destination) }
    }

    var isEmpty: Bool { rectangles.isEmpty }
    func intersects(_ rect: PixelRect) -> Bool { rectangles.contains { $0.intersects(rect) } }
    func contains(_ rect: PixelRect) -> Bool { rectangles.contains { $0.contains(rect) } }

    /// Rectangles that overlap become the one around both: a tile that lies in two of them would be drawn twice.
    private mutating func add(_ rect: PixelRect) {
        var merged = rect
        while let index = rectangles.firstIndex(where: { $0.intersects(merged) }) {
            if rectangles[index].contains(merged) { return }
            merged = merged.union(rectangles.remove(at: index))
        }
        rectangles.append(merged)
    }
}
