import CPango

/// How a text is to look.
package struct TextStyle: Hashable, Sendable {
    package enum Alignment: Hashable, Sendable { case left, centre, right }
    package enum Wrapping: Hashable, Sendable { case word, character, wordOrCharacter }

    /// As Pango writes fonts: `Sans Bold 24`. Without a size, 24 points.
    package var font = "Sans 24"
    /// Pixels per point and so on: everything is that much larger.
    package var scale = 1.0
    /// `0xAARRGGBB`.
    package var colour: UInt32 = 0xFFFF_FFFF
    /// `0xAARRGGBB`; alpha 0: none.
    package var outline: UInt32 = 0
    /// Whether a shadow falls to the lower right.
    package var hasShadow = false
    package var alignment = Alignment.left
    /// Pixels that a line may be wide; nil: as wide as it is.
    package var widthMax: Int?
    package var wrapping = Wrapping.wordOrCharacter
    /// Whether a text that is too wide for one line is cut short with … instead of broken.
    package var isSingleLine = false
    package init() {}
}

/// Draws text in any script, with the fonts of the system: shaping, direction and fallback by Pango.
package enum TextRenderer {
    /// Pixels on a side at most: beyond it text is cut off.
    private static let sideMax = 8192
    /// Bytes of text at most: more would not be read on a picture.
    private static let bytesMax = 4096

    /// The text with as much room around it as outline and shadow need; nil where there is nothing to be seen.
    package static func render(_ text: String, _ style: TextStyle) -> Bitmap? {
        let scalars = text.unicodeScalars.filter { $0 == "\n" || $0 == "\t" || $0.value >= 0x20 }
        guard !scalars.isEmpty else { return nil }
        // A character cut in half at the bound is Pango's to replace.
        let bytes = String(String.UnicodeScalarView(scalars)).utf8.prefix(TextRenderer.bytesMax)
        let cText = bytes.map { CChar(bitPattern: $0) } + [0]
        let drawing = style.font.withCString { font in
            var cStyle = cpango_style()
            cStyle.font = font
            cStyle.scale = style.scale.isFinite ? style.scale : 1
            cStyle.colour = style.colour
            cStyle.outline = style.outline
            cStyle.has_shadow = style.hasShadow ? 1 : 0
            switch style.alignment {
            case .left: cStyle.alignment = cpango_left
            case .centre: cStyle.alignment = cpango_centre
            case .right: cStyle.alignment = cpango_right
            }
            switch style.wrapping {
            case .word: cStyle.wrapping = cpango_word
            case .character: cStyle.wrapping = cpango_character
            case .wordOrCharacter: cStyle.wrapping = cpango_word_or_character
            }
            cStyle.width_max = style.widthMax.map { Int32(clamping: min($0, sideMax)) } ?? -1
            cStyle.is_single_line = style.isSingleLine ? 1 : 0
            return cpango_draw(cText, &cStyle, Int32(sideMax))
        }
        guard let drawing else { return nil }
        defer { cpango_free(drawing) }
        let (width, height) = (Int(cpango_width(drawing)), Int(cpango_height(drawing)))
        let pixels = [UInt8](unsafeUninitializedCapacity: 4 * width * height) { out, count in
            if let start = out.baseAddress { cpango_copy(drawing, start) }
            count = 4 * width * height
        }
        return Bitmap(width: width, height: height, pixels: pixels)
    }
}
