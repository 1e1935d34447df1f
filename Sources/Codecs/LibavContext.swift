import CFFmpeg
import Core
import Media

extension CodecError {
    /// libav's words for one of its negative return values.
    init(libav call: String, _ code: Int32) {
        let text = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { buffer in
            buffer.initialize(repeating: 0)
            guard let start = buffer.baseAddress else { return "" }
            cffmpeg_describe_error(code, start, buffer.count - 1)
            return String(cString: start)
        }
        self.init(call: call, code: Int(code), text: text)
    }
}

/// Owns one libavcodec context with the packet and the frame it works with; frees them with the last reference.
/// Confined to its codec, like everything here.
final class LibavContext {
    let codec: UnsafePointer<AVCodec>
    let pointer: UnsafeMutablePointer<AVCodecContext>
    let packet: UnsafeMutablePointer<AVPacket>
    let frame: UnsafeMutablePointer<AVFrame>

    /// One thread, and times in nanoseconds, so that `AVPacket.pts` and `AVFrame.pts` are `MediaTime`s.
    init(_ codec: UnsafePointer<AVCodec>) {
        guard let pointer = avcodec_alloc_context3(codec), let packet = av_packet_alloc(), let frame = av_frame_alloc()
        else { fatalError("out of memory: a libavcodec context") }
        self.codec = codec
        self.pointer = pointer
        self.packet = packet
        self.frame = frame
        pointer.pointee.thread_count = 1
        pointer.pointee.pkt_timebase = AVRational(num: 1, den: 1_000_000_000)
    }

    deinit {
        var (context, packet, frame) = (
            Optional(self.pointer), Optional(self.packet), Optional(self.frame)
        )
        avcodec_free_context(&context)
        av_packet_free(&packet)
        av_frame_free(&frame)
    }

    /// The out-of-band configuration; libavcodec wants it padded and frees it itself.
    func setConfiguration(_ bytes: [UInt8]) {
        guard !bytes.isEmpty, let memory = av_mallocz(bytes.count + Payload.padding) else { return }
        UnsafeMutableRawBufferPointer(start: memory, count: bytes.count).copyBytes(from: bytes)
        pointer.pointee.extradata = memory.assumingMemoryBound(to: UInt8.self)
        pointer.pointee.extradata_size = Int32(bytes.count)
    }

    /// What the codec has written there itself (encoders).
    var configuration: [UInt8] {
        guard let start = pointer.pointee.extradata else { return [] }
        return [UInt8](UnsafeBufferPointer(start: start, count: Int(pointer.pointee.extradata_size)))
    }

    /// Sets a private option of the codec, such as x264's `preset`.
    func set(_ option: String, _ value: String) throws(CodecError) {
        let result = av_opt_set(pointer.pointee.priv_data, option, value, 0)
        if result < 0 { throw CodecError(libav: "av_opt_set \(option)=\(value)", result) }
    }

    func open() throws(CodecError) {
        let result = avcodec_open2(pointer, codec, nil)
        if result < 0 { throw CodecError(libav: "avcodec_open2", result) }
    }

    /// Hands one coded frame in and every decoded one out. All output is taken even where the input was refused;
    /// the first refusal is thrown at the end. `nil` ends the stream and makes the decoder ready for another.
    func decode(
        _ input: EncodedFrame?, payload: Payload?, each: (UnsafeMutablePointer<AVFrame>) throws(CodecError) -> Void
    ) throws(CodecError) {
        var failure: CodecError?
        if let input, let payload {
            let sent = send(input, payload)
            if sent < 0 { failure = CodecError(libav: "avcodec_send_packet", sent) }
        } else {
            avcodec_send_packet(pointer, nil)
        }
        defer { if input == nil { avcodec_flush_buffers(pointer) } }
        // A packet cannot make more pictures than this; the bound only keeps a confused decoder from looping.
        for _ in 0..<1024 {
            let received = avcodec_receive_frame(pointer, frame)
            if received == cffmpeg_error_again || received == cffmpeg_error_end { break }
            if received < 0 {
                if failure == nil { failure = CodecError(libav: "avcodec_receive_frame", received) }
                continue
            }
            defer { av_frame_unref(frame) }
            do throws(CodecError) {
                try each(frame)
            } catch {
                if failure == nil { failure = error }
            }
        }
        if let failure { throw failure }
    }

    private func send(_ input: EncodedFrame, _ payload: Payload) -> Int32 {
        payload.withUnsafeBytes { bytes in
            packet.pointee.data = UnsafeMutablePointer(mutating: bytes.bindMemory(to: UInt8.self).baseAddress)
            packet.pointee.size = Int32(clamping: bytes.count)
            packet.pointee.pts = input.pts.nanoseconds  // `.distantPast` is libav's "unknown" too
            packet.pointee.dts = input.dts.nanoseconds
            packet.pointee.flags = input.isKey ? AV_PKT_FLAG_KEY : 0
            defer { av_packet_unref(packet) }
            if input.skipStart > 0 || input.skipEnd > 0,
                let side = av_packet_new_side_data(packet, AV_PKT_DATA_SKIP_SAMPLES, 10)
            {
                let skips = [UInt32(clamping: input.skipStart), UInt32(clamping: input.skipEnd)]
                for (place, skip) in skips.enumerated() {
                    UnsafeMutableRawPointer(side).storeBytes(
                        of: skip.littleEndian, toByteOffset: place * 4, as: UInt32.self)
                }
                side[8] = 0
                side[9] = 0
            }
            return avcodec_send_packet(pointer, packet)
        }
    }
}
