import Core
package import Media

/// One GStreamer element by its description (`videoflip method=4`), translated to libavfilter. Media of the kind that
/// the element is for is decoded and put through it; other kinds pass through.
package final class GStreamerFilter: Filter {
    /// As it was given.
    package let command: String
    private var values: GStreamerValues
    private var line: FilterLine<GStreamerValues, Never>?

    /// Throws a `FilterCommandError` for what is not exactly one element description with known properties, and where
    /// the element is not for the media that `filterType` says.
    package init(
        _ context: PipelineContext, name: String, command: String,
        filterType: GStreamerElement.Media = .any
    ) throws(FilterCommandError) {
        let values = try GStreamerCommand.parse(command)
        let media = values.media
        guard media == .any || filterType == .any || media == filterType else {
            throw FilterCommandError(
                .wrongMedia,
                "\(values.element.name) is an element for \(media.rawValue), and filterType is \(filterType.rawValue)")
        }
        self.command = command
        self.values = values
        super.init(context, name: name, className: "GStreamerFilter")
        let pool = context.configuration.pool
        let detail = values.element.name
        switch media == .any ? filterType : media {
        case .video:
            line = FilterLine(self, .video, mode: mode(.video), detail: detail, greeting: greeting) {
                PictureFilterWork(pool: pool)
            }
            line?.frameRate = { [unowned self] incoming in
                guard let rate = self.values.frameRate else { return incoming }
                return self.values.element.name == "videorate" && incoming.value < rate.value ? incoming : rate
            }
        case .audio:
            line = FilterLine(self, .audio, mode: mode(.audio), detail: detail, greeting: greeting) {
                SoundFilterWork()
            }
        case .any: break
        }
        passOthers()
    }

    private var greeting: () -> [GStreamerValues] { { [unowned self] in [values] } }

    /// Values that change nothing let the source through as it is.
    private func mode(_ kind: MediaKind) -> FilterLine<GStreamerValues, Never>.Mode {
        // A plan that is nothing for this form is nothing for any.
        values.plan(for: MediaForm(width: 1280, height: 720, channels: 2)) == .nothing ? .pass : .filter
    }

    /// Sets a property of the element while it runs. Throws a `FilterCommandError` for a name or value that it does
    /// not have; then everything stays as it was.
    package func setElementProperty(_ property: String, _ value: String) throws(FilterCommandError) {
        try values.set(property, value)
        guard let line else { return }
        line.tell(values)
        line.mode = mode(values.media == .audio ? .audio : .video)
    }

    override func lineOriginChanged(_ pad: InputPad) -> Bool {
        guard let line, pad.kind == line.kind else { return false }
        line.originChanged()
        return true
    }

    public override func release() {
        guard !isReleased else { return }
        line?.release()
        super.release()
    }
}
