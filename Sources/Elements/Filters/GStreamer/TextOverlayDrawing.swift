import Core
import Glibc
import Graphics
import Media

/// Draws what a `TextOverlayPlan` says; keeps the text that it drew last. Owned by one stage.
struct TextOverlayDrawing {
    private let pool: FramePool
    private var drawn: (key: Key, image: PlacedImage?)?
    private struct Key: Hashable { let text: String, plan: TextOverlayPlan, width: Int }
    /// Fonts are as large as they say in a picture of that width.
    private static let referenceWidth = 640.0

    init(pool: FramePool) { self.pool = pool }

    /// `wall`: milliseconds since the Unix epoch.
    mutating func draw(_ plan: TextOverlayPlan, onto picture: VideoFrame, wall: Int64) -> VideoFrame {
        let key = Key(
            text: TextOverlayDrawing.text(plan, time: picture.pts, wall: wall), plan: plan, width: picture.width)
        var image = drawn?.key == key ? drawn?.image : render(key)
        defer { drawn = (key, image) }
        guard let size = image.map({ (width: $0.bitmap.width, height: $0.bitmap.height) }) else { return picture }
        let (x, y) = TextOverlayDrawing.place(size, plan, in: picture)
        return picture.drawn(pool: pool) { planes in
            if let shading = plan.shading {
                TextOverlayDrawing.shade(planes, x: x - 6, y: y - 6, size.width + 12, size.height + 12, by: shading)
            }
            image?.draw(onto: planes, x: x, y: y, width: size.width, height: size.height)
        }
    }

    private func render(_ key: Key) -> PlacedImage? {
        let plan = key.plan
        var style = TextStyle()
        style.font = plan.font.isEmpty ? "Sans 12" : plan.font
        if plan.scalesWithWidth { style.scale = Double(key.width) / TextOverlayDrawing.referenceWidth }
        style.colour = plan.colour
        style.outline = plan.outline ?? 0
        style.hasShadow = plan.hasShadow
        style.alignment = plan.lines == "left" ? .left : plan.lines == "right" ? .right : .centre
        style.wrapping = plan.wrapping == "word" ? .word : plan.wrapping == "char" ? .character : .wordOrCharacter
        if plan.wrapping != "none" { style.widthMax = max(16, key.width - 2 * plan.padX) }
        return TextRenderer.render(key.text, style).map { PlacedImage($0) }
    }

    private static func place(
        _ size: (width: Int, height: Int), _ plan: TextOverlayPlan, in picture: VideoFrame
    ) -> (x: Int, y: Int) {
        let (freeX, freeY) = (picture.width - size.width, picture.height - size.height)
        func clamped(_ middle: Double, _ size: Int, _ free: Int) -> Int {
            max(0, min(pixels(1, of: middle) - size / 2, free))
        }
        let x =
            switch plan.horizontal {
            case .left: plan.padX
            case .center: freeX / 2
            case .right: freeX - plan.padX
            case .position: clamped(plan.x * Double(picture.width), size.width, freeX)
            case .absolute: pixels(plan.x, of: Double(freeX))
            }
        let y =
            switch plan.vertical {
            case .baseline, .bottom: freeY - plan.padY
            case .top: plan.padY
            case .center: freeY / 2
            case .position: clamped(plan.y * Double(picture.height), size.height, freeY)
            case .absolute: pixels(plan.y, of: Double(freeY))
            }
        return (x + plan.deltaX, y + plan.deltaY)
    }

    private static func shade(
        _ planes: VideoFrame.Planes, x: Int, y: Int, _ width: Int, _ height: Int, by amount: Int
    ) {
        let columns = max(0, x)..<max(0, x, min(planes.width, x + width))
        for row in max(0, y)..<max(0, y, min(planes.height, y + height)) {
            let line = planes.y + row * planes.strideY
            for column in columns { line[column] = UInt8(max(16, Int(line[column]) - amount)) }
        }
    }

    // MARK: Text

    private static func text(_ plan: TextOverlayPlan, time: MediaTime, wall: Int64) -> String {
        let own =
            switch plan.content {
            case .plain: ""
            case .clock(let format): clock(format, wall)
            case .time: stamp(time)
            }
        return [plan.text, own].filter { !$0.isEmpty }.joined(separator: " ")
    }

    private static func clock(_ format: String, _ wall: Int64) -> String {
        var seconds = time_t(wall / 1000)
        var parts = tm()
        guard localtime_r(&seconds, &parts) != nil else { return "" }
        var buffer = [CChar](repeating: 0, count: 256)
        let count = strftime(&buffer, buffer.count, format, &parts)
        return String(decoding: buffer.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// As in `0:01:05.040`.
    private static func stamp(_ time: MediaTime) -> String {
        let all = max(0, time.nanoseconds / 1_000_000)
        func padded(_ value: Int64, _ digits: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, digits - text.count)) + text
        }
        let (minutes, seconds) = (all / 60_000 % 60, all / 1000 % 60)
        return "\(all / 3_600_000):\(padded(minutes, 2)):\(padded(seconds, 2)).\(padded(all % 1000, 3))"
    }
}
