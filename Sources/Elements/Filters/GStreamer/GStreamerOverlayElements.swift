import Core

/// What one of the text overlays shows, and where.
struct TextOverlayPlan: Hashable, Sendable {
    enum Content: Hashable, Sendable {
        case plain
        /// Local time, by a format of strftime.
        case clock(format: String)
        /// The picture's own time.
        case time
    }
    enum Horizontal: String, Hashable, Sendable { case left, center, right, position, absolute }
    enum Vertical: String, Hashable, Sendable { case baseline, bottom, top, position, center, absolute }
    var content = Content.plain
    var text = ""
    var font = ""
    var scalesWithWidth = true
    var colour: UInt32 = .max
    var outline: UInt32?
    var hasShadow = true
    /// 0–255 that brightness is lowered by behind the text.
    var shading: Int?
    var horizontal = Horizontal.center
    var vertical = Vertical.baseline
    var padX = 25
    var padY = 25
    var deltaX = 0
    var deltaY = 0
    /// 0–1, for `position` and `absolute`.
    var x = 0.5
    var y = 0.5
    /// `left`, `center` or `right`.
    var lines = "center"
    /// `none`, `word`, `char` or `wordchar`.
    var wrapping = "wordchar"
}

extension GStreamerElement {
    static let overlayElements: [GStreamerElement] = [
        GStreamerElement(
            "textoverlay", .video, "Writes a text onto the picture.", properties("center", "baseline")
        ) { values, _ in plan(values, .plain) },
        GStreamerElement(
            "clockoverlay", .video, "Writes the server's local time onto the picture, after the text if there is one.",
            properties("left", "top") + [.init("time-format", .string, "%H:%M:%S")]
        ) { values, _ in plan(values, .clock(format: values.text("time-format"))) },
        GStreamerElement(
            "timeoverlay", .video, "Writes the time of each picture onto it, after the text if there is one.",
            properties("left", "top")
        ) { values, _ in plan(values, .time) },
    ]

    private static func properties(_ horizontal: String, _ vertical: String) -> [Property] {
        let position = GStreamerType.double(-100...100)
        return [
            .init("text", .string, ""), .init("font-desc", .string, "Sans 12"),
            .init("color", .unsigned, "0xffffffff"), .init("outline-color", .unsigned, "0xff000000"),
            .init("draw-outline", .boolean, "true"), .init("draw-shadow", .boolean, "true"),
            .init("shaded-background", .boolean, "false"), .init("shading-value", .int(1...255), "80"),
            .init(
                "halignment", .word([("left", 0), ("center", 1), ("right", 2), ("position", 4), ("absolute", 5)]),
                horizontal),
            .init(
                "valignment", .words("baseline", "bottom", "top", "position", "center", "absolute"), vertical),
            .init("line-alignment", .words("left", "center", "right"), "center"),
            .init("wrap-mode", .word([("none", -1), ("word", 0), ("char", 1), ("wordchar", 2)]), "wordchar"),
            .init("xpad", .int(0...8192), "25"), .init("ypad", .int(0...8192), "25"),
            .init("deltax", .int(-8192...8192), "0"), .init("deltay", .int(-8192...8192), "0"),
            .init("xpos", .double(0...1), "0.5"), .init("ypos", .double(0...1), "0.5"),
            .init("x-absolute", position, "0.5"), .init("y-absolute", position, "0.5"),
            .init("auto-resize", .boolean, "true"), .init("silent", .boolean, "false"),
        ]
    }

    private static func plan(_ values: GStreamerValues, _ content: TextOverlayPlan.Content) -> FilterPlan {
        var plan = TextOverlayPlan()
        plan.content = content
        plan.text = values.text("text")
        if values.flag("silent") || content == .plain && plan.text.isEmpty { return .nothing }
        plan.font = values.text("font-desc")
        plan.scalesWithWidth = values.flag("auto-resize")
        plan.colour = UInt32(clamping: values.int("color"))
        plan.outline = values.flag("draw-outline") ? UInt32(clamping: values.int("outline-color")) : nil
        plan.hasShadow = values.flag("draw-shadow")
        plan.shading = values.flag("shaded-background") ? values.int("shading-value") : nil
        plan.horizontal = .init(rawValue: values.text("halignment")) ?? .center
        plan.vertical = .init(rawValue: values.text("valignment")) ?? .baseline
        plan.lines = values.text("line-alignment")
        plan.wrapping = values.text("wrap-mode")
        (plan.padX, plan.padY) = (values.int("xpad"), values.int("ypad"))
        (plan.deltaX, plan.deltaY) = (values.int("deltax"), values.int("deltay"))
        plan.x = values.double(plan.horizontal == .absolute ? "x-absolute" : "xpos")
        plan.y = values.double(plan.vertical == .absolute ? "y-absolute" : "ypos")
        return .text(plan)
    }
}
