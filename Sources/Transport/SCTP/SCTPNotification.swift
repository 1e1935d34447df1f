import CSCTP

/// What usrsctp reports of an association, as far as we look at it.
enum SCTPNotification: Hashable {
    case up(outgoing: Int, incoming: Int)
    case down(String)
    case reset(incoming: Bool, outgoing: Bool, streams: [UInt16])
    case resetRefused(streams: [UInt16])
    case deliveryAborted(stream: UInt16)

    init?(_ bytes: [UInt8]) {
        let parsed: SCTPNotification? = bytes.withUnsafeBytes { memory in
            guard memory.count >= 8 else { return nil }
            switch Int32(memory.loadUnaligned(as: UInt16.self)) {
            case SCTP_ASSOC_CHANGE: return SCTPNotification.change(memory)
            case SCTP_STREAM_RESET_EVENT: return SCTPNotification.reset(memory)
            case SCTP_PARTIAL_DELIVERY_EVENT:
                guard memory.count >= MemoryLayout<sctp_pdapi_event>.size else { return nil }
                let event = memory.loadUnaligned(as: sctp_pdapi_event.self)
                return .deliveryAborted(stream: UInt16(truncatingIfNeeded: event.pdapi_stream))
            default: return nil
            }
        }
        guard let parsed else { return nil }
        self = parsed
    }

    private static func change(_ memory: UnsafeRawBufferPointer) -> SCTPNotification? {
        guard memory.count >= MemoryLayout<sctp_assoc_change>.size else { return nil }
        let event = memory.loadUnaligned(as: sctp_assoc_change.self)
        switch Int32(event.sac_state) {
        case SCTP_COMM_UP:
            return .up(outgoing: Int(event.sac_outbound_streams), incoming: Int(event.sac_inbound_streams))
        case SCTP_COMM_LOST: return .down("the peer is gone or aborted (error \(event.sac_error))")
        case SCTP_SHUTDOWN_COMP: return .down("the peer shut the association down")
        case SCTP_CANT_STR_ASSOC: return .down("the association could not be set up (error \(event.sac_error))")
        // A restart loses all streams' state; channels cannot go on.
        case SCTP_RESTART: return .down("the peer restarted the association")
        default: return nil
        }
    }

    private static func reset(_ memory: UnsafeRawBufferPointer) -> SCTPNotification? {
        let header = MemoryLayout<sctp_stream_reset_event>.size
        guard memory.count >= header else { return nil }
        let event = memory.loadUnaligned(as: sctp_stream_reset_event.self)
        let flags = Int32(event.strreset_flags)
        var streams: [UInt16] = []
        for offset in stride(from: header, to: memory.count - 1, by: 2) {
            streams.append(memory.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
        }
        let outgoing = flags & SCTP_STREAM_RESET_OUTGOING_SSN != 0
        if flags & (SCTP_STREAM_RESET_DENIED | SCTP_STREAM_RESET_FAILED) != 0 {
            return outgoing ? .resetRefused(streams: streams) : nil
        }
        return .reset(incoming: flags & SCTP_STREAM_RESET_INCOMING_SSN != 0, outgoing: outgoing, streams: streams)
    }
}
