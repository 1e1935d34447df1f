import Core

/// Gives payload types and extension numbers to our offers. What a number meant once in a session, it means to the end
/// (RFC 3264, section 8.3.2; RFC 8285, section 6); lines of a bundle share both spaces (RFC 9143, section 9.1).
struct NumberAllocator {
    private var usedTypes: Set<UInt8> = []
    private var usedExtensions: [Int: String] = [:]
    /// By kind and place in our codecs.
    private var types: [MediaKind: [Int: (payloadType: UInt8, rtx: UInt8?)]] = [:]

    init(_ local: LocalCapabilities, previous: Agreement?) {
        for description in [previous?.local, previous?.remote] {
            for (line, media) in (description?.media ?? []).enumerated() where media.media != "application" {
                usedTypes.formUnion(media.formats.compactMap { UInt8($0) })
                for map in description?.extensions(of: line) ?? [] { usedExtensions[map.id] = map.uri }
            }
        }
    }

    /// The formats of one line: every codec with its retransmissions, then the helpers.
    mutating func formats(
        _ capabilities: MediaCapabilities, _ kind: MediaKind, old: MediaDescription?, usesFeedback: Bool
    ) -> [FormatTable.Entry] {
        let before = old.map { FormatTable($0) } ?? FormatTable(entries: [])
        var entries: [FormatTable.Entry] = []
        for (index, codec) in capabilities.codecs.enumerated() where codec.isPrimary {
            let known = before.entries.first { CodecMatcher.matches($0, codec) }?.map.payloadType
            let (payloadType, rtx) = numbers(of: codec, index, kind, known, known.flatMap(before.retransmission))
            guard let payloadType else { continue }
            let entry = entry(codec, payloadType, codec.parameters, usesFeedback)
            entries.append(entry)
            if let rtx { entries.append(.retransmission(rtx, of: entry.map)) }
        }
        for (index, codec) in capabilities.codecs.enumerated() where !codec.isPrimary {
            let known = before.entries.first { CodecMatcher.matches($0, codec) }?.map.payloadType
            guard let payloadType = numbers(of: codec, index, kind, known, nil).0 else { continue }
            var parameters = codec.parameters
            if codec.name.isSame(as: "red"), kind == .audio {
                let inside = entries.first {
                    $0.map.clockRate == codec.clockRate && $0.map.channels == codec.channels
                        && PayloadFormat.helper(named: $0.map.name) == nil
                }
                guard let inside else { continue }
                parameters = FormatParameters("\(inside.map.payloadType)/\(inside.map.payloadType)")
            }
            entries.append(entry(codec, payloadType, parameters, usesFeedback))
        }
        return entries
    }

    private func entry(
        _ codec: CodecCapability, _ payloadType: UInt8, _ parameters: FormatParameters, _ usesFeedback: Bool
    ) -> FormatTable.Entry {
        FormatTable.Entry(
            map: RTPMap(
                payloadType: payloadType, name: codec.name, clockRate: codec.clockRate, channels: codec.channels),
            parameters: parameters, feedback: usesFeedback ? codec.feedback : [])
    }

    private mutating func numbers(
        of codec: CodecCapability, _ index: Int, _ kind: MediaKind, _ known: UInt8?, _ knownRTX: UInt8?
    ) -> (UInt8?, UInt8?) {
        if let known {
            let rtx = codec.rtxPayloadType == nil ? nil : knownRTX ?? take(codec.rtxPayloadType)
            return (known, rtx)
        }
        if let shared = types[kind]?[index] { return (shared.payloadType, shared.rtx) }
        guard let payloadType = take(codec.payloadType) else { return (nil, nil) }
        let rtx = codec.rtxPayloadType == nil ? nil : take(codec.rtxPayloadType)
        types[kind, default: [:]][index] = (payloadType, rtx)
        return (payloadType, rtx)
    }

    /// This number or, where it means something else already, the next free one: 96–127, then 35–63 (RFC 8829, section
    /// 5.2.1, refers to RFC 3551 and 5761). Nil when all are used up.
    private mutating func take(_ wanted: UInt8?) -> UInt8? {
        let isStatic = wanted.map { $0 < 35 } ?? false
        let choices = [wanted].compactMap(\.self) + (isStatic ? [] : Array(96...127) + Array(35...63))
        guard let free = choices.first(where: { isStatic || !usedTypes.contains($0) }) else { return nil }
        usedTypes.insert(free)
        return free
    }

    /// The extensions of one line.
    mutating func extensions(
        _ capabilities: MediaCapabilities, line: Int, old: MediaDescription?
    ) -> [ExtensionMap] {
        var maps: [ExtensionMap] = []
        for wanted in capabilities.extensions where !maps.contains(where: { $0.uri == wanted.uri }) {
            let before = old?.first { attribute -> Int? in
                if case .extmap(let map) = attribute, map.uri == wanted.uri { map.id } else { nil }
            }
            let choices =
                [before ?? wanted.id] + usedExtensions.filter { $0.value == wanted.uri }.keys.sorted()
                + Array(1...14)
            guard
                let id = choices.first(where: { id in
                    usedExtensions[id] ?? wanted.uri == wanted.uri && !maps.contains { $0.id == id }
                })
            else { continue }
            usedExtensions[id] = wanted.uri
            maps.append(ExtensionMap(id: id, direction: wanted.direction, uri: wanted.uri))
        }
        return maps
    }
}
