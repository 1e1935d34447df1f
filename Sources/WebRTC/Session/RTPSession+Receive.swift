package import Core
import RTP
import SDP

extension RTPSession {
    /// Takes one decrypted RTP packet; false: it belongs to nothing that was agreed on.
    @discardableResult
    package func receiveRTP(_ packet: RawSpan, at now: Instant) -> Bool {
        let header: RTPHeader
        do { header = try RTPHeader(packet) } catch {
            counters.malformedRTP += 1
            return false
        }
        let values = RTPHeaderExtensions(packet, header: header, map: extensions)
        if let number = values.transportSequenceNumber {
            feedbackGenerator.receive(number, size: packet.byteCount, at: now)
        }
        guard let route = routes[header.ssrc] ?? findRoute(header, values) else {
            counters.unknownSource += 1
            return false
        }
        let track = route.track
        if let layer = route.layer {
            layer.rate.add(packet.byteCount, at: now)
            layer.receive(packet, header, track.media.receive, hints: values.pictureHints, at: now)
            collect(track, layer, at: now)
        } else if let sound = track.sound {
            track.soundRate.add(packet.byteCount, at: now)
            let level = values.audioLevel.map { VoiceLevel(attenuation: $0.level, isVoice: $0.isVoice) }
            sound.receive(packet, header, level: level, at: now)
            while let packet = sound.pollPacket() {
                let due = track.soundPlayout.due(timestamp: packet.timestamp, arrival: packet.arrival)
                push(.sound(track, packet, due: due))
            }
            while let key = sound.pollKey() { push(.key(track, key.event)) }
        }
        return true
    }

    /// Hands on what a layer has finished, if it is the one that is wanted.
    func collect(_ track: IncomingTrack, _ layer: IncomingTrack.Layer, at now: Instant) {
        while let frame = layer.stream.pollFrame() {
            layer.lastFrame = now
            let due = layer.playout.due(timestamp: frame.timestamp, arrival: now)
            choose(track, offered: layer, isKey: frame.isKey, at: now)
            if track.current === layer { push(.picture(track, layer, frame, due: due)) }
        }
    }

    /// Which layer is handed on: the one asked for, or the largest that lives; changed at a key frame only.
    private func choose(_ track: IncomingTrack, offered layer: IncomingTrack.Layer, isKey: Bool, at now: Instant) {
        guard track.current !== layer else { return }
        guard let current = track.current, current.isAlive(at: now) else {
            if isKey { track.current = layer }
            return
        }
        guard let target = target(of: track, at: now), target === layer else { return }
        if isKey { track.current = layer } else { layer.stream.requestKeyFrame() }
    }

    private func target(of track: IncomingTrack, at now: Instant) -> IncomingTrack.Layer? {
        let alive = track.layers.filter { $0.isAlive(at: now) }
        if let rid = track.wantedRID, let layer = alive.first(where: { $0.rid == rid }) { return layer }
        return alive.max { pixels($0) < pixels($1) }
    }

    private func pixels(_ layer: IncomingTrack.Layer) -> Int {
        (layer.stream.statistics.frameWidth ?? 0) * (layer.stream.statistics.frameHeight ?? 0)
    }

    // MARK: Sources

    /// Of an SSRC seen for the first time: by its mid and rid, by the description, at last by its payload type
    /// (RFC 9143, section 9.2; RFC 8852).
    private func findRoute(_ header: RTPHeader, _ values: RTPHeaderExtensions) -> Route? {
        guard let track = track(of: header, values) else { return nil }
        guard routes.count < RTPSession.routesMax else {
            counters.tooManySources += 1
            return nil
        }
        let route =
            track.kind == .audio ? soundRoute(track, header) : pictureRoute(track, header, values)
        if let route { routes[header.ssrc] = route }
        return route
    }

    private func track(of header: RTPHeader, _ values: RTPHeaderExtensions) -> IncomingTrack? {
        if let mid = values.mid?.description, let track = incoming.first(where: { $0.media.mid == mid }) {
            return track
        }
        if let track = incoming.first(where: { $0.media.remoteSources.contains { $0.ssrc == header.ssrc } }) {
            return track
        }
        let fitting = incoming.filter { $0.media.receive[header.payloadType] != nil }
        return fitting.count == 1 ? fitting[0] : fitting.first { $0.layers.isEmpty && $0.sound == nil }
    }

    private func soundRoute(_ track: IncomingTrack, _ header: RTPHeader) -> Route? {
        guard let format = track.media.receive[header.payloadType] else { return nil }
        if case .retransmission = format.role, track.sound != nil { return Route(track: track, layer: nil) }
        if track.sound == nil || format.role != .events {
            let formats = track.media.receive.compactMapValues { format -> AudioPacketQueue.Format? in
                switch format.role {
                case .media, .comfortNoise: .sound
                case .redundancy: .redundancy
                case .events: .telephoneEvent
                case .retransmission(let original): .retransmission(of: original)
                case .forwardErrorCorrection: nil
                }
            }
            // A new SSRC on the line takes over: the peer has restarted its sound.
            routes = routes.filter { $0.value.track !== track }
            track.soundPlayout = PlayoutClock(clockRate: format.clockRate)
            track.sound = AudioPacketQueue(
                .init(
                    ssrc: header.ssrc, formats: formats, clockRate: format.clockRate,
                    sendsNACK: track.knowsFeedback("nack")))
        }
        return Route(track: track, layer: nil)
    }

    private func pictureRoute(_ track: IncomingTrack, _ header: RTPHeader, _ values: RTPHeaderExtensions) -> Route? {
        guard let format = track.media.receive[header.payloadType] else { return nil }
        if case .retransmission = format.role {
            guard let layer = layer(repairedBy: header.ssrc, of: track, values) else { return nil }
            layer.retransmissionSSRC = header.ssrc
            return Route(track: track, layer: layer)
        }
        if format.role == .forwardErrorCorrection {
            return track.layers.count == 1 ? Route(track: track, layer: track.layers[0]) : nil
        }
        guard format.role == .media || format.role == .redundancy else { return nil }
        let stream = VideoReceiveStream(
            .init(
                ssrc: header.ssrc, codecs: track.videoCodecs, retransmissions: track.retransmissions,
                sendsNACK: track.knowsFeedback("nack"), sendsPLI: track.knowsFeedback("nack pli"),
                sendsFIR: track.knowsFeedback("ccm fir")), pool: pool)
        if let time = roundTripTime { stream.roundTrip = time }
        for codec in track.media.codecs {
            for set in codec.announcedParameterSets {
                stream.learn(parameterSet: set, payloadType: codec.receivePayloadType)
            }
        }
        let rid = values.rid
        if let old = track.layers.firstIndex(where: { $0.rid == rid }) {
            // The same layer from another source: the peer has restarted it.
            let ssrc = track.layers[old].ssrc
            routes = routes.filter { $0.key != ssrc }
            bitrateLimit.ssrcs.removeAll { $0 == ssrc }
            if track.current === track.layers[old] { track.current = nil }
            track.layers.remove(at: old)
        }
        let layer = IncomingTrack.Layer(rid: rid, stream: stream)
        track.layers.append(layer)
        bitrateLimit.ssrcs.append(header.ssrc)
        return Route(track: track, layer: layer)
    }

    private func layer(
        repairedBy ssrc: UInt32, of track: IncomingTrack, _ values: RTPHeaderExtensions
    ) -> IncomingTrack.Layer? {
        if let rid = values.repairedRID ?? values.rid, let layer = track.layers.first(where: { $0.rid == rid }) {
            return layer
        }
        for group in track.media.remoteSourceGroups where group.semantics == "FID" && group.ssrcs.contains(ssrc) {
            if let layer = track.layers.first(where: { group.ssrcs.contains($0.ssrc) }) { return layer }
        }
        return track.layers.count == 1 ? track.layers[0] : nil
    }

    /// The best knowledge of the round trip.
    package var roundTripTime: MediaTime? {
        if sender.estimator.hasFeedback { return sender.estimator.roundTrip }
        return roundTrip.smoothed
    }
}
