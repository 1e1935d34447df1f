import Core

/// A checked element description: the element, and the values of its properties. A plain value.
package struct GStreamerValues: Sendable {
    package let element: GStreamerElement
    private var given: [String: GStreamerValue] = [:]

    init(_ element: GStreamerElement) { self.element = element }

    /// Sets a property from text, as `gst_util_set_object_arg` would.
    package mutating func set(_ name: String, _ text: String) throws(FilterCommandError) {
        let properties = element.properties
        guard let property = properties.first(where: { $0.name == name }) else {
            let known = properties.map(\.name).joined(separator: ", ")
            throw FilterCommandError(
                .unknownProperty,
                "\(element.name) has no property “\(name)”; it has \(known.isEmpty ? "none" : known)")
        }
        guard let value = property.type.parse(text) else {
            throw FilterCommandError(
                .badValue, "\(element.name).\(name) must be \(property.type.expectation), found “\(text)”")
        }
        given[name] = value
    }

    private func value(_ name: String) -> GStreamerValue? {
        if let value = given[name] { return value }
        guard let property = element.properties.first(where: { $0.name == name }) else { return nil }
        return property.type.parse(property.defaultText)
    }

    // What the translations read; a name that the table lacks is a mistake there, which a test would find.

    func int(_ name: String) -> Int { if case .int(let value) = value(name) { value } else { 0 } }
    func double(_ name: String) -> Double { if case .double(let value) = value(name) { value } else { 0 } }
    func flag(_ name: String) -> Bool { if case .flag(let value) = value(name) { value } else { false } }
    func text(_ name: String) -> String { if case .text(let value) = value(name) { value } else { "" } }
    func fraction(_ name: String) -> Rational? { if case .fraction(let value) = value(name) { value } else { nil } }
    func caps(_ name: String) -> GStreamerCaps? { if case .caps(let value) = value(name) { value } else { nil } }
    func isGiven(_ name: String) -> Bool { given[name] != nil }

    func plan(for form: MediaForm) -> FilterPlan { element.plan(self, form) }
    var frameRate: Rational? { element.frameRate(self) }
    /// The media it is for, which caps may decide.
    package var media: GStreamerElement.Media {
        if element.media == .any, let caps = caps("caps") { return caps.isVideo ? .video : .audio }
        return element.media
    }
}

/// Why a command or a property is refused. Clients get it as 40001 MARSHALL_ERROR.
package struct FilterCommandError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Reason: Hashable, Sendable {
        case empty
        /// Not written as an element description.
        case malformed
        /// More than one element.
        case bin
        case unknownElement, unknownProperty, badValue
        /// The element is for other media than `filterType` says.
        case wrongMedia
    }
    package let reason: Reason
    /// What was wrong and what is allowed.
    package let description: String

    init(_ reason: Reason, _ description: String) {
        self.reason = reason
        self.description = description
    }
}
