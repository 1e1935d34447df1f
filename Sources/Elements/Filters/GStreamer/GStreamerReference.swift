extension GStreamerElement {
    /// The text of docs/gstreamer-filter.md, generated so that it cannot differ from what is checked.
    package static var markdown: String {
        var out = """
            # GStreamerFilter

            Generated from the table in `Sources/Elements/Filters/GStreamer`; edits here are overwritten \
            (`swift test --filter GStreamerReferenceTests` says how). A `GStreamerFilter`'s command is exactly one \
            element with properties, written as for `gst-launch-1.0`: `videoflip method=4`, \
            `textoverlay text="Hello world" valignment=top`. There is no GStreamer inside: each of these elements is \
            translated to filters of libavfilter, or drawn here. Words may also be given by their number, booleans \
            as true or false, numbers also as 0x…. `name=` and `qos=` are accepted and ignored. Other elements, \
            properties and values are refused with an error that says what there is.


            """
        for media in [Media.video, .audio, .any] {
            let title = media == .video ? "Pictures" : media == .audio ? "Sound" : "Both"
            out += "## \(title)\n\n| element | what it does | properties (default) |\n| --- | --- | --- |\n"
            for element in all where element.media == media {
                let properties = element.properties.map { property in
                    let initial = property.defaultText.isEmpty ? "" : " (\(property.defaultText))"
                    return "`\(property.name)`: \(property.type.expectation)\(initial)"
                }
                out += "| `\(element.name)` | \(element.doc) | \(properties.joined(separator: "; ")) |\n"
            }
            out += "\n"
        }
        out.removeLast()
        return out
    }
}
