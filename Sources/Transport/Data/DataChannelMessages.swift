import Core

/// How a data channel is to behave (RFC 8831, section 6.4; RFC 8832, section 5.1).
package struct DataChannelParameters: Hashable, Sendable {
    package var label: String
    /// The subprotocol's name; usually empty.
    package var subprotocol: String
    package var isOrdered: Bool
    package var reliability: SCTPMessage.Reliability
    /// Only carried to the peer; we send in the order we are asked to.
    package var priority: UInt16
    /// Agreed on by the applications: no message opens the channel. nil: the next free stream.
    package var negotiatedStream: UInt16?

    package init(
        label: String = "", subprotocol: String = "", isOrdered: Bool = true,
        reliability: SCTPMessage.Reliability = .reliable, priority: UInt16 = 256, negotiatedStream: UInt16? = nil
    ) {
        self.label = label
        self.subprotocol = subprotocol
        self.isOrdered = isOrdered
        self.reliability = reliability
        self.priority = priority
        self.negotiatedStream = negotiatedStream
    }
}

/// Payload protocol identifiers (RFC 8831, section 8).
enum DataPPID {
    static let control: UInt32 = 50
    static let text: UInt32 = 51
    /// Not the last piece of a binary or text message; sent by old peers only.
    static let binaryPart: UInt32 = 52
    static let binary: UInt32 = 53
    static let textPart: UInt32 = 54
    static let emptyText: UInt32 = 56
    static let emptyBinary: UInt32 = 57
}

/// A message of the Data Channel Establishment Protocol (RFC 8832, section 5).
enum DCEPMessage: Hashable {
    case open(DataChannelParameters)
    case acknowledge

    private static let openType: UInt8 = 3
    private static let acknowledgeType: UInt8 = 2
    private static let unorderedBit: UInt8 = 0x80

    init(_ bytes: [UInt8]) throws(TruncatedError) {
        var reader = ByteReader(bytes.span.bytes)
        switch try reader.u8() {
        case DCEPMessage.acknowledgeType: self = .acknowledge
        case DCEPMessage.openType:
            let type = try reader.u8()
            let priority = try reader.u16()
            let value = UInt16(clamping: try reader.u32())
            let labelCount = Int(try reader.u16())
            let subprotocolCount = Int(try reader.u16())
            let label = try reader.bytes(labelCount)
            let subprotocol = try reader.bytes(subprotocolCount)
            let reliability: SCTPMessage.Reliability
            switch type & ~DCEPMessage.unorderedBit {
            case 0: reliability = .reliable
            case 1: reliability = .maxRetransmits(value)
            case 2: reliability = .maxLifetime(milliseconds: value)
            default: throw TruncatedError()
            }
            self = .open(
                DataChannelParameters(
                    label: String(decoding: label, as: UTF8.self),
                    subprotocol: String(decoding: subprotocol, as: UTF8.self),
                    isOrdered: type & DCEPMessage.unorderedBit == 0, reliability: reliability, priority: priority))
        default: throw TruncatedError()
        }
    }

    /// Labels and subprotocols beyond 65 535 bytes are cut.
    var bytes: [UInt8] {
        guard case .open(let parameters) = self else { return [DCEPMessage.acknowledgeType] }
        let (type, value): (UInt8, UInt32) =
            switch parameters.reliability {
            case .reliable: (0, 0)
            case .maxRetransmits(let count): (1, UInt32(count))
            case .maxLifetime(let milliseconds): (2, UInt32(milliseconds))
            }
        let label = parameters.label.utf8.prefix(0xFFFF)
        let subprotocol = parameters.subprotocol.utf8.prefix(0xFFFF)
        var writer = ByteWriter(capacity: 12 + label.count + subprotocol.count)
        writer.u8(DCEPMessage.openType)
        writer.u8(type | (parameters.isOrdered ? 0 : DCEPMessage.unorderedBit))
        writer.u16(parameters.priority)
        writer.u32(value)
        writer.u16(UInt16(label.count))
        writer.u16(UInt16(subprotocol.count))
        writer.append(label)
        writer.append(subprotocol)
        return writer.bytes
    }
}
