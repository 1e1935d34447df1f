import Core

/// Which frames are handed on, and when a hole is given up.
extension VideoReceiveStream {
    /// How long the way is blocked by a hole before a key frame is asked for: four attempts to repair it.
    var repairWait: MediaTime {
        let wait = MediaTime(nanoseconds: 4 * nacks.retry.nanoseconds + nacks.reorderWait.nanoseconds)
        return min(max(wait, VideoReceiveStream.repairWaits.lowerBound), VideoReceiveStream.repairWaits.upperBound)
    }

    /// When the hole at the head has been waited for long enough; nil without one, or if that is past.
    var repairDeadline: Instant? {
        guard assembler.isBlocked, isContinuous, !isRepairOverdue else { return nil }
        return nacks.noticed(assembler.cursor).map { $0 + repairWait }
    }

    /// Hands on all that is whole, and steps over holes where waiting has no point.
    func advance(at now: Instant) {
        while true {
            if let frame = assembler.next() {
                isRepairOverdue = false
                take(frame, at: now)
                assembler.consume(frame)
                nacks.forget(before: assembler.packets.base)
                continue
            }
            guard assembler.isBlocked, stepOver(at: now) else { return }
        }
    }

    /// Looks for a way around the hole at the head. True: there is something new at the head.
    private func stepOver(at now: Instant) -> Bool {
        let noticed = nacks.noticed(assembler.cursor)
        let isOverdue = !isContinuous || noticed.map { $0 + repairWait <= now } ?? true
        if isOverdue || lastInfo?.pictureID != nil,
            let frame = assembler.firstBehindHole(where: { canResume(with: $0, evenIfFramesAreMissing: isOverdue) })
        {
            statistics.holesAbandoned += 1
            isContinuous = false
            assembler.skip(to: frame)
            nacks.forget(before: assembler.packets.base)
            return true
        }
        guard isOverdue else { return false }
        isRepairOverdue = true
        keyRequests.request()
        guard noticed == nil else { return false }
        statistics.holesAbandoned += 1
        if assembler.skipHole() { statistics.framesDropped += 1 }
        isContinuous = false
        nacks.forget(before: assembler.packets.base)
        return true
    }

    /// Whether a frame can be decoded although packets before it are missing: it needs nothing, or its numbers show
    /// that nothing it needs was in them.
    private func canResume(with frame: FrameAssembler.Found, evenIfFramesAreMissing: Bool) -> Bool {
        guard frame.hasHead, !frame.isBroken, let packet = assembler.packets[frame.first] else { return false }
        let info = packet.info
        if let last = lastInfo, info.isNextPicture(after: last), packet.payloadType == lastPayloadType || frame.isKey {
            return true
        }
        if frame.isKey { return evenIfFramesAreMissing }
        guard let last = lastInfo, packet.payloadType == lastPayloadType else { return false }
        guard evenIfFramesAreMissing, let index = info.tl0PictureIndex, let lastIndex = last.tl0PictureIndex else {
            return false
        }
        // Layer 0 builds on layer 0 alone; a layer's sync frame builds on the layer 0 frame of its index.
        return info.temporalLayer == 0 ? index == lastIndex &+ 1 : info.isLayerSync && index == lastIndex
    }

    /// Hands on a whole frame if it can be decoded.
    private func take(_ frame: FrameAssembler.Found, at now: Instant) {
        guard let packet = assembler.packets[frame.first] else { return }
        statistics.framesReceived += 1
        if frame.isKey { statistics.keyFramesReceived += 1 }
        guard frame.hasHead, !frame.isBroken else { return lose(packet.info) }
        if !frame.isKey {
            if !isContinuous || packet.payloadType != lastPayloadType {
                guard canResume(with: frame, evenIfFramesAreMissing: true) else { return lose(packet.info) }
                let misses = lastInfo.map { !packet.info.isNextPicture(after: $0) } ?? true
                if misses { layerCeiling = packet.info.temporalLayer }
            } else if packet.info.temporalLayer > layerCeiling {
                guard packet.info.isLayerSync else {
                    statistics.framesDropped += 1
                    return
                }
                layerCeiling = packet.info.temporalLayer
            }
        } else {
            layerCeiling = .max
        }
        handOn(frame, packet, at: now)
    }

    private func lose(_ info: PayloadInfo) {
        statistics.framesDropped += 1
        isContinuous = false
        // The loss of a higher layer's frame harms only those like it; the next sync frame mends them.
        if info.temporalLayer == 0 { keyRequests.request() }
    }

    private func handOn(_ frame: FrameAssembler.Found, _ head: BufferedPacket, at now: Instant) {
        guard frames.count < VideoReceiveStream.frameQueueLimit else { return lose(head.info) }
        var (first, last, wasRepaired) = (head.arrival, head.arrival, false)
        scratch.removeAll(keepingCapacity: true)
        for sequence in frame.packets {
            guard let packet = assembler.packets[sequence], !packet.isPadding else { continue }
            first = min(first, packet.arrival)
            last = max(last, packet.arrival)
            wasRepaired = wasRepaired || packet.wasRetransmitted
            if let orientation = packet.hints.orientation { rotation = orientation.rotation }
            if let value = packet.hints.colorSpace { colour = value.colour }
            scratch.append(FramePacket(payload: assembler.packets.payload(packet), info: packet.info))
        }
        guard let codec = configuration.codecs[head.payloadType],
            let whole = try? depacketizers[head.payloadType]?.value.assemble(scratch)
        else {
            statistics.malformedPayloads += 1
            return lose(head.info)
        }
        // A key frame whose parameter sets were lost is none.
        guard whole.isKey || !frame.isKey || isContinuous else { return lose(head.info) }
        isContinuous = true
        if !isKeyWanted || whole.isKey { keyRequests.keyFrameArrived() }
        if whole.isKey { isKeyWanted = false }
        lastInfo = head.info
        lastPayloadType = head.payloadType
        count(whole, from: first, to: last, at: now)
        frames.append(
            ReceivedFrame(
                payload: whole.payload, codec: codec, payloadType: head.payloadType, timestamp: head.timestamp,
                isKey: whole.isKey, width: whole.size?.width, height: whole.size?.height,
                configuration: whole.configuration, rotation: rotation, colour: colour, firstArrival: first,
                lastArrival: last,
                wasRepaired: wasRepaired))
    }

    private func count(_ frame: AssembledFrame, from first: Instant, to last: Instant, at now: Instant) {
        statistics.framesAssembled += 1
        statistics.totalAssemblyTime += last - first
        if let size = frame.size { (statistics.frameWidth, statistics.frameHeight) = (size.width, size.height) }
        freezes.frame(at: now, in: &statistics)
    }
}

extension PayloadInfo {
    /// The picture ids show that no picture lies between: what is missing was padding.
    fileprivate func isNextPicture(after last: PayloadInfo) -> Bool {
        guard let pictureID, let lastID = last.pictureID, hasLongPictureID == last.hasLongPictureID else {
            return false
        }
        return pictureID == (lastID &+ 1) & (hasLongPictureID ? 0x7FFF : 0x7F)
    }
}

/// A value that would be copied out of its dictionary and back for every frame.
final class DepacketizerBox {
    var value: VideoDepacketizer
    init(_ value: VideoDepacketizer) { self.value = value }
}
