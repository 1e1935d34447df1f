import COpus
import Media

/// Owns one of libopus's decoders at 48 kHz: the plain one for one or two channels, the multistream one for more.
/// Freed with the last reference; confined to its codec.
final class OpusHandle {
    private enum Kind {
        case plain(OpaquePointer)
        case multistream(OpaquePointer)
    }
    private let kind: Kind

    init(_ head: OpusHead) throws(CodecError) {
        let rate = Int32(AudioFrame.sampleRate)
        var result: Int32 = 0
        if head.isPlain {
            guard let made = opus_decoder_create(rate, Int32(head.channels), &result) else {
                throw CodecError(opus: "opus_decoder_create", result)
            }
            kind = .plain(made)
            copus_set_plain_gain(made, Int32(head.gain))
            return
        }
        let made = opus_multistream_decoder_create(
            rate, Int32(head.channels), Int32(head.streams), Int32(head.coupled), head.mapping, &result)
        guard let made else { throw CodecError(opus: "opus_multistream_decoder_create", result) }
        kind = .multistream(made)
        copus_set_gain(made, Int32(head.gain))
    }

    deinit {
        switch kind {
        case .plain(let decoder): opus_decoder_destroy(decoder)
        case .multistream(let decoder): opus_multistream_decoder_destroy(decoder)
        }
    }

    /// Writes at most `count` samples per channel; no bytes: what was lost is made up. Returns how many were written,
    /// or libopus's refusal.
    func decode(
        _ bytes: UnsafeRawBufferPointer, into target: UnsafeMutablePointer<Float>, count: Int, fec: Bool
    ) -> Int32 {
        let packet = bytes.bindMemory(to: UInt8.self).baseAddress
        let length = Int32(clamping: bytes.count)
        return switch kind {
        case .plain(let decoder): opus_decode_float(decoder, packet, length, target, Int32(count), fec ? 1 : 0)
        case .multistream(let decoder):
            opus_multistream_decode_float(decoder, packet, length, target, Int32(count), fec ? 1 : 0)
        }
    }

    func reset() {
        switch kind {
        case .plain(let decoder): _ = copus_reset_plain_decoder(decoder)
        case .multistream(let decoder): _ = copus_reset_decoder(decoder)
        }
    }
}
