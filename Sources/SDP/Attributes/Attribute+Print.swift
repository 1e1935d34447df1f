extension Attribute: CustomStringConvertible {
    /// The line without `a=`.
    package var description: String {
        switch self {
        case .mid(let mid): "mid:\(mid)"
        case .group(let group): (["group:\(group.semantics)"] + group.mids).joined(separator: " ")
        case .direction(let direction): direction.rawValue
        case .rtpmap(let map): "rtpmap:\(map)"
        case .fmtp(let format, let parameters): "fmtp:\(format) \(parameters)"
        case .rtcpFeedback(let feedback):
            "rtcp-fb:\(feedback.payloadType.map { String($0) } ?? "*") \(feedback.value)"
        case .extmap(let map):
            "extmap:\(map.id)\(map.direction.map { "/\($0.rawValue)" } ?? "") \(map.uri)"
                + (map.parameters.map { " \($0)" } ?? "")
        case .ssrc(let source): "ssrc:\(source.ssrc) \(source.name)\(source.value.map { ":\($0)" } ?? "")"
        case .ssrcGroup(let group):
            (["ssrc-group:\(group.semantics)"] + group.ssrcs.map { String($0) }).joined(separator: " ")
        case .rid(let rid): "rid:\(rid)"
        case .simulcast(let simulcast): "simulcast:\(simulcast)"
        case .msid(let stream, let track): "msid:\(stream)\(track.map { " \($0)" } ?? "")"
        case .fingerprint(let fingerprint): "fingerprint:\(fingerprint.algorithm) \(fingerprint.text)"
        case .setup(let role): "setup:\(role.rawValue)"
        case .iceUfrag(let ufrag): "ice-ufrag:\(ufrag)"
        case .icePassword(let password): "ice-pwd:\(password)"
        case .iceOptions(let options): "ice-options:\(options.joined(separator: " "))"
        case .candidate(let text): text
        case .crypto(let crypto):
            (["crypto:\(crypto.tag)", crypto.suite, crypto.keyParameters] + crypto.sessionParameters)
                .joined(separator: " ")
        case .rtcp(let port, let connection): "rtcp:\(port)\(connection.map { " \($0)" } ?? "")"
        case .ptime(let milliseconds): "ptime:\(Attribute.number(milliseconds))"
        case .maxptime(let milliseconds): "maxptime:\(Attribute.number(milliseconds))"
        case .sctpPort(let port): "sctp-port:\(port)"
        case .maxMessageSize(let size): "max-message-size:\(size)"
        case .sctpmap(let port, let application, let streams):
            "sctpmap:\(port) \(application)\(streams.map { " \($0)" } ?? "")"
        case .other(let name, let value): name + (value.map { ":\($0)" } ?? "")
        }
    }

    private static func number(_ value: Double) -> String {
        Int(exactly: value).map { String($0) } ?? "\(value)"
    }
}

extension RTPMap: CustomStringConvertible {
    package var description: String {
        "\(payloadType) \(name)/\(clockRate)" + (channels > 1 ? "/\(channels)" : "")
    }
}

extension RestrictionIdentifier: CustomStringConvertible {
    package var description: String {
        var parts = restrictions.map { $0.name + ($0.value.map { "=\($0)" } ?? "") }
        if !payloadTypes.isEmpty {
            parts.insert("pt=" + payloadTypes.map { String($0) }.joined(separator: ","), at: 0)
        }
        return "\(id) \(sends ? "send" : "recv")" + (parts.isEmpty ? "" : " " + parts.joined(separator: ";"))
    }
}

extension SimulcastDescription: CustomStringConvertible {
    package var description: String {
        let list = { (streams: [[Alternative]]) in
            streams.map { $0.map { ($0.isPaused ? "~" : "") + $0.rid }.joined(separator: ",") }.joined(separator: ";")
        }
        var parts: [String] = []
        if !send.isEmpty { parts.append("send \(list(send))") }
        if !receive.isEmpty { parts.append("recv \(list(receive))") }
        return parts.joined(separator: " ")
    }
}
