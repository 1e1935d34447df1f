/// Whether a format of a description is a codec of ours, and what we then say about it.
enum CodecMatcher {
    /// The first of our codecs that this format is, with its place in our order.
    static func capability(
        for entry: FormatTable.Entry, in codecs: [CodecCapability]
    ) -> (index: Int, capability: CodecCapability)? {
        for (index, codec) in codecs.enumerated() where matches(entry, codec) { return (index, codec) }
        return nil
    }

    static func matches(_ entry: FormatTable.Entry, _ codec: CodecCapability) -> Bool {
        guard entry.map.name.isSame(as: codec.name), entry.map.clockRate == codec.clockRate,
            entry.map.channels == codec.channels
        else { return false }
        return haveSameConfiguration(codec.name, entry.parameters, codec.parameters)
    }

    /// Whether both formats are one: names and clock equal, and the parameters that both sides must share.
    static func areSame(_ one: FormatTable.Entry, _ other: FormatTable.Entry) -> Bool {
        one.map.name.isSame(as: other.map.name) && one.map.clockRate == other.map.clockRate
            && one.map.channels == other.map.channels
            && haveSameConfiguration(one.map.name, one.parameters, other.parameters)
    }

    private static func haveSameConfiguration(
        _ name: String, _ one: FormatParameters, _ other: FormatParameters
    ) -> Bool {
        switch name.lowercased() {
        case "h264":
            // RFC 6184, section 8.2.2: profile and packetization mode are symmetric, the level is not looked at.
            guard let first = H264ProfileLevel(of: one), let second = H264ProfileLevel(of: other) else { return false }
            return first.profile == second.profile
                && one["packetization-mode"] ?? "0" == other["packetization-mode"] ?? "0"
        case "h265":
            // RFC 7798, section 7.2.2; interleaving is not supported.
            func key(_ parameters: FormatParameters) -> [String] {
                [
                    parameters["profile-id"] ?? "1", parameters["tier-flag"] ?? "0",
                    (parameters["tx-mode"] ?? "SRST").uppercased(), parameters["sprop-max-don-diff"] ?? "0",
                ]
            }
            return key(one) == key(other)
        case "vp9": return one["profile-id"] ?? "0" == other["profile-id"] ?? "0"
        case "av1": return one["profile"] ?? "0" == other["profile"] ?? "0"
        default: return true
        }
    }

    /// Our `a=fmtp` in the answer to a format that matches.
    static func answerParameters(
        to entry: FormatTable.Entry, _ codec: CodecCapability
    ) -> FormatParameters {
        switch codec.name.lowercased() {
        case "h264":
            guard let offered = H264ProfileLevel(of: entry.parameters),
                let own = H264ProfileLevel(of: codec.parameters)
            else { return codec.parameters }
            let isAsymmetric =
                entry.parameters.bool("level-asymmetry-allowed") && codec.parameters.bool("level-asymmetry-allowed")
            let profile = isAsymmetric || own.level <= offered.level ? own : offered
            var parameters = codec.parameters.setting("profile-level-id", profile.text)
            if !isAsymmetric { parameters = parameters.removing("level-asymmetry-allowed") }
            return parameters
        case "h265": return lowest("level-id", entry.parameters, codec.parameters, standard: 93)
        case "av1": return lowest("level-idx", entry.parameters, codec.parameters, standard: 5)
        default: return codec.parameters
        }
    }

    private static func lowest(
        _ key: String, _ offered: FormatParameters, _ own: FormatParameters, standard: Int
    ) -> FormatParameters {
        own.setting(key, "\(min(offered.int(key) ?? standard, own.int(key) ?? standard))")
    }
}

/// `profile-level-id` of H.264 (RFC 6184, section 8.1).
package struct H264ProfileLevel: Hashable, Sendable {
    package enum Profile: Hashable, Sendable {
        case constrainedBaseline, baseline, extended, main, constrainedHigh, high, predictiveHigh444
    }
    package var profile: Profile
    /// A hundred times the number of the level; 1b, between 1 and 1.1, is 105.
    package var level: Int
    /// Six hexadecimal digits.
    package var text: String

    /// Nil for what RFC 6184, table 5, does not know.
    package init?(_ text: String) {
        guard text.utf8.count == 6, let value = UInt32(text, radix: 16), text.utf8.first != 0x2B else { return nil }
        let (idc, constraints) = (value >> 16, value >> 8 & 0xFF)
        // Bits that must be as given; the others do not matter.
        let table: [(idc: UInt32, mask: UInt32, bits: UInt32, Profile)] = [
            (0x42, 0x4F, 0x40, .constrainedBaseline), (0x4D, 0x8F, 0x80, .constrainedBaseline),
            (0x58, 0xCF, 0xC0, .constrainedBaseline), (0x42, 0x4F, 0x00, .baseline),
            (0x58, 0xCF, 0x80, .baseline), (0x58, 0xCF, 0x00, .extended), (0x4D, 0xAF, 0x00, .main),
            (0x64, 0xFF, 0x0C, .constrainedHigh), (0x64, 0xFF, 0x00, .high), (0xF4, 0xFF, 0x00, .predictiveHigh444),
        ]
        guard let row = table.first(where: { $0.idc == idc && constraints & $0.mask == $0.bits }) else { return nil }
        profile = row.3
        let isOneB = value & 0xFF == 11 && constraints & 0x10 != 0 && [0x42, 0x4D, 0x58].contains(idc)
        level = isOneB || value & 0xFF == 9 ? 105 : 10 * Int(value & 0xFF)
        self.text = text.lowercased()
    }

    /// Of a format's parameters. Without any the RFC says Baseline at level 1; but who writes none takes what
    /// everybody takes.
    package init?(of parameters: FormatParameters) {
        self.init(parameters["profile-level-id"] ?? "42e01f")
    }
}

extension FormatParameters {
    func removing(_ key: String) -> FormatParameters {
        let rest = pairs.filter { $0.key != key }
        return FormatParameters(
            rest.map { $0.value.isEmpty ? $0.key : "\($0.key)=\($0.value)" }.joined(separator: ";"))
    }
}
