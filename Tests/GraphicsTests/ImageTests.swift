import Core
import Graphics
import Media
import TestKit
import Testing

@Suite struct ImageTests {
    private static let pool = FramePool()

    @Test(arguments: ["png", "jpg", "gif", "bmp"])
    func images(ending: String) throws {
        let path = try Shell.scratch("image") + "/image." + ending
        try Shell.ffmpeg([
            "-f", "lavfi", "-i", "color=0x3060c0:size=64x64,format=rgb24,scale=33:21", "-frames:v", "1", path,
        ])
        let text = try Shell.run("od", ["-An", "-v", "-tu1", path]).stdout
        let bytes = text.split { $0 == " " || $0 == "\n" }.compactMap { UInt8($0) }
        let bitmap = try ImageReader.read(bytes)
        #expect(bitmap.width == 33 && bitmap.height == 21)
        for (value, expected) in zip(bitmap.pixels[400..<404], [0x30, 0x60, 0xC0, 255]) {
            // A GIF has colours of a palette only.
            #expect(abs(Int(value) - expected) <= (ending == "gif" ? 40 : 12), "\(ending): \(value)")
        }
        // Cut off anywhere, or damaged: an error or an image, never more.
        for length in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 40)) {
            _ = try? ImageReader.read(Array(bytes.prefix(length)))
            var damaged = bytes
            damaged[length] ^= 0x55
            _ = try? ImageReader.read(damaged)
        }
    }

    @Test func notAnImage() {
        #expect(throws: CodecError.self) { try ImageReader.read([]) }
        #expect(throws: CodecError.self) { try ImageReader.read([UInt8](repeating: 65, count: 1000)) }
    }

    /// An overlay at every parity, at the edges and beyond: what is covered, and nothing else, changes.
    @Test func overlay() {
        let red = Bitmap(width: 1, height: 1, pixels: [255, 0, 0, 255])
        for (x, y) in [(3, 5), (4, 4), (-2, -3), (27, 17), (5, -1)] {
            let overlay = Overlay(red, width: 8, height: 6, atOddX: x & 1 == 1, atOddY: y & 1 == 1)
            let grey = Pictures.flat(width: 31, height: 21, y: 100, pool: Self.pool)
            let drawn = grey.drawn(pool: Self.pool) { overlay.draw(onto: $0, x: x, y: y) }
            for row in 0..<21 {
                for column in 0..<31 {
                    let isInside = (x..<(x + 8)).contains(column) && (y..<(y + 6)).contains(row)
                    let value = drawn.planes.y[row * drawn.planes.strideY + column]
                    #expect(isInside ? abs(Int(value) - 81) <= 1 : value == 100, "\(column),\(row) at \(x),\(y)")
                }
            }
            #expect(grey.luma(at: 15, 10) == 100, "the original is untouched")
        }
    }

    /// Half transparent white over black is half of white.
    @Test func transparency() {
        let white = Bitmap(width: 2, height: 2, pixels: [UInt8](repeating: 128, count: 16))
        let black = Pictures.flat(width: 16, height: 16, y: 16, pool: Self.pool)
        let drawn = black.drawn(pool: Self.pool) { Overlay(white, width: 16, height: 16).draw(onto: $0, x: 0, y: 0) }
        #expect(abs(Int(drawn.luma(at: 8, 8)) - 126) <= 1 && abs(Int(drawn.planes.u[0]) - 128) <= 1)
    }

    @Test func jpeg() throws {
        let picture = Pictures.moving(width: 160, height: 90, index: 3, pool: Self.pool)
        let (good, bad) = (
            try JPEGWriter.write(picture, quality: 95), try JPEGWriter.write(picture, quality: 10)
        )
        #expect(good.starts(with: [0xFF, 0xD8]) && bad.count < good.count)
        let bitmap = try ImageReader.read(good)
        #expect(bitmap.width == 160 && bitmap.height == 90)
        let back = Pictures.flat(width: 160, height: 90, y: 16, pool: Self.pool).drawn(pool: Self.pool) {
            Overlay(bitmap, width: 160, height: 90).draw(onto: $0, x: 0, y: 0)
        }
        #expect(Pictures.psnr(picture, back, luma: (0..<160, 0..<90)) > 32)
    }

    /// Scripts of all directions have glyphs: no two look alike, and none is a row of boxes.
    @Test func text() throws {
        var style = TextStyle()
        style.font = "Sans 20"
        let texts = ["Hello", "안녕하세요", "مرحبا", "こんにちは", "🙂👩‍🚀"]
        let bitmaps = try texts.map { try #require(TextRenderer.render($0, style)) }
        #expect(Set(bitmaps).count == texts.count)
        // An emoji has its own colours.
        let emoji = bitmaps[4].pixels
        #expect(
            stride(from: 0, to: emoji.count, by: 4).contains { emoji[$0] > emoji[$0 + 2] &+ 60 && emoji[$0 + 3] > 200 })
        // Unknown characters are drawn as boxes with their number: two different ones of the same text would do.
        style.widthMax = 40
        style.isSingleLine = true
        let short = try #require(TextRenderer.render("A name that is far too long", style))
        #expect(short.width <= 44 && short.height < 60)
        #expect(TextRenderer.render("", style) == nil && TextRenderer.render("   ", style) == nil)
        for nonsense in ["\u{0}\u{1}", String(repeating: "x", count: 100_000), "\u{202E}abc\u{301}\u{301}"] {
            _ = TextRenderer.render(nonsense, style)
        }
    }
}

extension VideoFrame {
    fileprivate func luma(at x: Int, _ y: Int) -> UInt8 { planes.y[y * planes.strideY + x] }
}
