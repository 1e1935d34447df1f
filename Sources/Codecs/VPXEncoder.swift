import CVpx
package import Core
package import Media

/// Encodes VP8 or VP9 through libvpx in real-time mode: one pass, constant bit rate, no look-ahead, one thread; every
/// picture given comes out at once as one frame, or is skipped because nothing in it changed.
///
/// Owned by one stage. The same pictures give the same bytes: speed is fixed (VP8's negative `cpu-used`; positive
/// values adapt to wall time) and libvpx sees a clock of its own, made from the pictures' times.
package final class VPXEncoder: VideoEncoder {
    /// Rate control's buffer in milliseconds: its size, where it starts, where it is held. The values of WebRTC's
    /// own encoders, made for conferences.
    private static let buffer = (size: UInt32(1000), initial: UInt32(500), optimal: UInt32(600))
    /// Quantisers on libvpx's scale of 0…63. Below 2 bits go where no eye follows.
    private static let quantizer = (finest: UInt32(2), coarsest: UInt32(56))
    /// Ticks per second of libvpx's clock.
    private static let clockRate: Int64 = 1_000_000
    /// Even a still picture is sent once in this time, so that streams and recordings stay alive.
    private static let silenceMax = MediaTime.milliseconds(1000)

    package let format: VideoFormat
    private let context: UnsafeMutablePointer<vpx_codec_ctx_t>
    private var configuration: vpx_codec_enc_cfg_t
    private let interval: MediaTime
    private let keyInterval: MediaTime?
    private var refinement: RefinementMap
    private var staticThreshold: UInt32 = 0
    private var lastKey: MediaTime?
    private var lastOutput: MediaTime?
    private var lastInput: MediaTime?
    /// libvpx's time of the next picture, in ticks.
    private var clock: Int64 = 0

    /// Pictures left out because they showed nothing new.
    package private(set) var skippedCount = 0
    /// Blocks of the last coded picture that were left as they were, of how many.
    package var restingBlocks: (count: Int, of: Int) { (refinement.restingCount, refinement.active.count) }

    /// Needs width, height and frame rate in the specification. Sizes up to 16383 pixels a side.
    package init(_ specification: VideoSpecification) throws(CodecError) {
        guard let width = specification.width, let height = specification.height, let rate = specification.frameRate,
            (1...16_383).contains(width), (1...16_383).contains(height)
        else {
            throw CodecError(
                call: "vpx_codec_enc_init", code: -1,
                text: "a VP8 or VP9 encoder needs a frame rate and a size of at most 16383 pixels a side")
        }
        let interface = specification.codec == .vp8 ? vpx_codec_vp8_cx() : vpx_codec_vp9_cx()
        var configuration = vpx_codec_enc_cfg_t()
        var result = vpx_codec_enc_config_default(interface, &configuration, 0)
        Self.configure(&configuration, specification, width, height)
        context = .allocate(capacity: 1)
        context.initialize(to: vpx_codec_ctx_t())
        if result == VPX_CODEC_OK { result = cvpx_encoder_init(context, interface, &configuration, 0) }
        guard result == VPX_CODEC_OK else {
            let error = CodecError(vpx: "vpx_codec_enc_init", result, context)
            context.deallocate()
            throw error
        }
        self.configuration = configuration
        format = VideoFormat(codec: specification.codec, width: width, height: height, frameRate: rate)
        interval = rate.interval
        keyInterval = specification.keyFrameInterval.map { MediaTime.seconds($0) }
        refinement = RefinementMap(width: width, height: height)
        try setControls(frameRate: rate)
    }

    deinit {
        vpx_codec_destroy(context)
        context.deallocate()
    }

    private static func configure(
        _ configuration: inout vpx_codec_enc_cfg_t, _ specification: VideoSpecification, _ width: Int, _ height: Int
    ) {
        configuration.g_w = UInt32(width)
        configuration.g_h = UInt32(height)
        configuration.g_threads = 1
        configuration.g_timebase = vpx_rational_t(num: 1, den: Int32(clockRate))
        configuration.g_pass = VPX_RC_ONE_PASS
        configuration.g_lag_in_frames = 0
        configuration.g_error_resilient = 0
        configuration.rc_end_usage = VPX_CBR
        configuration.rc_target_bitrate = kilobits(specification.bitrate)
        configuration.rc_min_quantizer = quantizer.finest
        configuration.rc_max_quantizer = quantizer.coarsest
        configuration.rc_undershoot_pct = 100
        configuration.rc_overshoot_pct = 15
        configuration.rc_buf_sz = buffer.size
        configuration.rc_buf_initial_sz = buffer.initial
        configuration.rc_buf_optimal_sz = buffer.optimal
        configuration.rc_dropframe_thresh = 0
        configuration.rc_resize_allowed = 0
        // Key frames are timed here, by presentation time; libvpx would count frames and guess at scene cuts.
        configuration.kf_mode = VPX_KF_DISABLED
    }

    private func setControls(frameRate: Rational) throws(CodecError) {
        // A key frame may take half the buffer's optimum, in percent of one frame's share; never below 300.
        let intraPercent = max(300, UInt32(Double(Self.buffer.optimal) * 0.5 * frameRate.value / 10))
        try check("VP8E_SET_MAX_INTRA_BITRATE_PCT", cvpx_set_max_intra_bitrate_percent(context, intraPercent))
        try check("VP8E_SET_STATIC_THRESHOLD", cvpx_set_static_threshold(context, staticThreshold))
        if format.codec == .vp8 {
            try check("VP8E_SET_CPUUSED", cvpx_set_cpu_used(context, -8))
            try check("VP8E_SET_NOISE_SENSITIVITY", cvpx_set_noise_sensitivity(context, 0))
            try check("VP8E_SET_TOKEN_PARTITIONS", cvpx_set_token_partitions(context, 0))  // log2: one partition
        } else {
            try check("VP8E_SET_CPUUSED", cvpx_set_cpu_used(context, 8))
            try check("VP9E_SET_ROW_MT", cvpx_vp9_set_row_mt(context, 0))
            try check("VP9E_SET_TILE_COLUMNS", cvpx_vp9_set_tile_columns(context, 0))
            try check("VP9E_SET_AQ_MODE", cvpx_vp9_set_aq_mode(context, 3))  // cyclic refresh, made for constant rate
            try check("VP9E_SET_COLOR_SPACE", cvpx_vp9_set_color_space(context, Int32(VPX_CS_BT_601.rawValue)))
        }
    }

    // MARK: Encoding

    package func encode(_ frame: VideoFrame, forceKeyFrame: Bool) throws(CodecError) -> [EncodedFrame] {
        guard frame.width == format.width, frame.height == format.height else {
            throw CodecError(
                call: "vpx_codec_encode", code: -1,
                text: "a picture of \(frame.width)×\(frame.height) pixels came to an encoder for "
                    + "\(format.width)×\(format.height)")
        }
        refinement.take(frame.changes)
        let start = advanceClock(to: frame.pts)
        let isKeyDue = forceKeyFrame || isKeyFrameDue(at: frame.pts)
        if refinement.isSettled, !isKeyDue, let lastOutput, frame.pts < lastOutput + Self.silenceMax {
            skippedCount += 1
            return []
        }
        try setActiveMap()
        var image = wrap(frame)
        let ticks = max(1, interval.count(per: Rational(Int(Self.clockRate), 1)))
        try check(
            "vpx_codec_encode",
            vpx_codec_encode(
                context, &image, start, UInt(ticks), isKeyDue ? vpx_enc_frame_flags_t(VPX_EFLAG_FORCE_KF) : 0,
                UInt(VPX_DL_REALTIME)))
        let frames = packets(pts: frame.pts)
        if let last = frames.last {
            lastOutput = last.pts
            if last.isKey { lastKey = last.pts }
            var quantizer: Int32 = 63
            cvpx_get_last_quantizer(context, &quantizer)
            refinement.coded(
                isKey: last.isKey, quantizer: quantizer, limit: Int32(Self.quantizer.finest))
        }
        return frames
    }

    package func flush() throws(CodecError) -> [EncodedFrame] { [] }  // nothing is ever held back

    package func setBitrate(_ bitrate: Int) throws(CodecError) {
        configuration.rc_target_bitrate = Self.kilobits(bitrate)
        try check("vpx_codec_enc_config_set", vpx_codec_enc_config_set(context, &configuration))
    }

    private static func kilobits(_ bitrate: Int) -> UInt32 { UInt32(clamping: max(1, (bitrate + 500) / 1000)) }

    private func isKeyFrameDue(at pts: MediaTime) -> Bool {
        guard let lastKey else { return true }
        return keyInterval.map { pts >= lastKey + $0 } ?? false
    }

    /// libvpx's time of this picture. After skipped or missing pictures it moves by four intervals at most: rate
    /// control would take a longer pause for a lower frame rate and spend a whole second's bits on one frame.
    private func advanceClock(to pts: MediaTime) -> Int64 {
        if let lastInput {
            let step = min(pts - lastInput, MediaTime(nanoseconds: interval.nanoseconds * 4))
            clock += max(1, step.count(per: Rational(Int(Self.clockRate), 1)))
        }
        lastInput = pts
        return clock
    }

    private func setActiveMap() throws(CodecError) {
        let threshold: UInt32 = refinement.isUsable ? 1 : 0
        if threshold != staticThreshold {
            try check("VP8E_SET_STATIC_THRESHOLD", cvpx_set_static_threshold(context, threshold))
            staticThreshold = threshold
        }
        // For every frame: VP9 forgets the map at a key frame. All ones where no map applies.
        var blocks = refinement.active
        let result = blocks.withUnsafeMutableBufferPointer { blocks in
            var map = vpx_active_map_t(
                active_map: blocks.baseAddress, rows: UInt32(refinement.rows), cols: UInt32(refinement.columns))
            return cvpx_set_active_map(context, &map)
        }
        try check("VP8E_SET_ACTIVEMAP", result)
    }

    /// The frame's own planes as libvpx sees them; it only reads them, during the call.
    private func wrap(_ frame: VideoFrame) -> vpx_image_t {
        let planes = frame.planes
        var image = vpx_image_t()
        vpx_img_wrap(&image, VPX_IMG_FMT_I420, UInt32(frame.width), UInt32(frame.height), 1, planes.y)
        image.planes = (planes.y, planes.u, planes.v, nil)
        image.stride = (Int32(planes.strideY), Int32(planes.strideUV), Int32(planes.strideUV), 0)
        image.cs = VPX_CS_BT_601
        image.range = VPX_CR_STUDIO_RANGE
        return image
    }

    private func packets(pts: MediaTime) -> [EncodedFrame] {
        var frames: [EncodedFrame] = []
        var iterator: vpx_codec_iter_t?
        while let packet = vpx_codec_get_cx_data(context, &iterator) {
            guard packet.pointee.kind == VPX_CODEC_CX_FRAME_PKT else { continue }
            let coded = packet.pointee.data.frame
            let bytes = UnsafeRawBufferPointer(start: coded.buf, count: coded.sz)
            frames.append(
                EncodedFrame(
                    payload: Payload(copying: bytes), pts: pts, duration: interval,
                    isKey: coded.flags & UInt32(VPX_FRAME_IS_KEY) != 0))
        }
        return frames
    }

    private func check(_ call: String, _ result: vpx_codec_err_t) throws(CodecError) {
        if result != VPX_CODEC_OK { throw CodecError(vpx: call, result, context) }
    }
}

extension CodecError {
    /// libvpx's words for a result, with the detail that the codec left in its context.
    fileprivate init(vpx call: String, _ result: vpx_codec_err_t, _ context: UnsafeMutablePointer<vpx_codec_ctx_t>) {
        var text = vpx_codec_err_to_string(result).map { String(cString: $0) } ?? "unknown error"
        if context.pointee.iface != nil, let detail = vpx_codec_error_detail(context) {
            text += ": " + String(cString: detail)
        }
        self.init(call: call, code: Int(result.rawValue), text: text)
    }
}
