import Codecs
import Core

/// One GStreamer element that a `GStreamerFilter` can be: its properties with their ranges and defaults, and what it
/// comes to here. From this description come the checks, the texts of errors and docs/gstreamer-filter.md.
package struct GStreamerElement: Sendable {
    package enum Media: String, Sendable { case video = "VIDEO", audio = "AUDIO", any = "AUTODETECT" }

    package struct Property: Sendable {
        package let name: String
        package let type: GStreamerType
        /// As text, the way it would be written.
        package let defaultText: String

        init(_ name: String, _ type: GStreamerType, _ defaultText: String) {
            self.name = name
            self.type = type
            self.defaultText = defaultText
        }
    }

    package let name: String
    package let media: Media
    /// What it does, and where it differs from the original. A sentence.
    package let doc: String
    package let properties: [Property]
    /// What the values come to for media of a form.
    let plan: @Sendable (GStreamerValues, MediaForm) -> FilterPlan
    /// Pictures per second at most, or exactly; nil: as many as come in.
    let frameRate: @Sendable (GStreamerValues) -> Rational?

    init(
        _ name: String, _ media: Media, _ doc: String, _ properties: [Property] = [],
        frameRate: @escaping @Sendable (GStreamerValues) -> Rational? = { _ in nil },
        plan: @escaping @Sendable (GStreamerValues, MediaForm) -> FilterPlan
    ) {
        self.name = name
        self.media = media
        self.doc = doc
        self.properties = properties
        self.frameRate = frameRate
        self.plan = plan
    }

    /// All there are, video first, each part in alphabetical order.
    package static let all: [GStreamerElement] =
        (videoElements + overlayElements).sorted { $0.name < $1.name }
        + audioElements.sorted { $0.name < $1.name } + plainElements.sorted { $0.name < $1.name }

    package static func named(_ name: String) -> GStreamerElement? { all.first { $0.name == name } }
}

/// What an element sees: pixels of its pictures, channels of its sound.
struct MediaForm: Hashable, Sendable {
    var width = 0
    var height = 0
    var channels = 2
}

/// What is to be done with the media.
enum FilterPlan: Hashable, Sendable {
    case nothing
    case steps([FilterStep])
    case text(TextOverlayPlan)
}
