import CFFmpeg
import Core

/// Owns a libavformat context for reading, its packet and its custom reader; frees them in the right order.
final class InputContext {
    let context: UnsafeMutablePointer<AVFormatContext>
    let packet: UnsafeMutablePointer<AVPacket>
    private let reader: SourceReader?
    /// Kept alive because the context's interrupt callback points to it.
    private let interrupt: Interrupt
    /// Asked before a playlist opens another URL; the context's `opaque` points to it.
    private let guardian: Guardian

    /// What the byte source threw, if there is one and it did.
    var sourceFailure: FileError? { reader?.failure }

    init(
        location: Location, source: (any ByteSource)?, options: Demuxer.Options, interrupt: Interrupt
    ) throws(FileError) {
        Library.prepare
        guard let context = avformat_alloc_context(), let packet = av_packet_alloc() else {
            fatalError("out of memory: AVFormatContext")
        }
        let reader = source.map { SourceReader($0) }
        context.pointee.interrupt_callback = interrupt.callback
        let guardian = Guardian(access: options.access, open: context.pointee.io_open)
        if !location.isFile { guardian.watch(context) }
        if let reader {
            context.pointee.pb = reader.context
            context.pointee.flags |= AVFMT_FLAG_CUSTOM_IO
        }
        var dictionary = InputContext.settings(location: location, options: options)
        defer { av_dict_free(&dictionary) }
        // avformat_open_input frees the context itself when it fails.
        var pointer: UnsafeMutablePointer<AVFormatContext>? = context
        var code = avformat_open_input(&pointer, location.library, nil, &dictionary)
        var call = "avformat_open_input"
        if code >= 0 {
            call = "avformat_find_stream_info"
            code = avformat_find_stream_info(context, nil)
            if code < 0 { avformat_close_input(&pointer) }
        }
        guard code >= 0 else {
            var packet: UnsafeMutablePointer<AVPacket>? = packet
            av_packet_free(&packet)
            if let failure = reader?.failure ?? guardian.failure { throw failure }
            if location.isFile, code == Int32(cffmpeg_error_end) { throw .notMedia(path: location.name) }
            throw FileError(code: code, location: location, call: call, interrupt: interrupt)
        }
        self.context = context
        self.packet = packet
        self.reader = reader
        self.interrupt = interrupt
        self.guardian = guardian
    }

    deinit {
        var packet: UnsafeMutablePointer<AVPacket>? = packet
        av_packet_free(&packet)
        var pointer: UnsafeMutablePointer<AVFormatContext>? = context
        avformat_close_input(&pointer)
    }

    private static func settings(location: Location, options: Demuxer.Options) -> OpaquePointer? {
        var dictionary: OpaquePointer?
        func set(_ key: String, _ value: String) { av_dict_set(&dictionary, key, value, 0) }
        set("probesize", "\(max(options.probeBytesMax, 32))")
        set("analyzeduration", "\(max(0, options.probeTimeMax.nanoseconds / 1000))")
        let formats = options.formats + (location.isFile ? [] : location.isRTSP ? ["rtsp"] : ["hls"])
        set("format_whitelist", formats.joined(separator: ","))
        set("protocol_whitelist", location.isFile ? "file" : Library.networkProtocols(scheme: location.scheme))
        guard !location.isFile else { return dictionary }
        if let timeout = options.timeout {
            let microseconds = "\(timeout.nanoseconds / 1000)"
            set(location.isRTSP ? "timeout" : "rw_timeout", microseconds)
        }
        if location.scheme.hasPrefix("http"), options.reconnects {
            set("reconnect", "1")
            set("reconnect_streamed", "1")
            set("reconnect_delay_max", "\(options.reconnectDelayMax)")
        }
        if location.isRTSP {
            switch location.scheme == "rtspt" ? .tcp : location.scheme == "rtspu" ? .udp : options.rtspTransport {
            case .automatic: break
            case .tcp: set("rtsp_transport", "tcp")
            case .udp: set("rtsp_transport", "udp")
            }
            set("allowed_media_types", "video+audio")
            set("max_delay", "\(max(0, options.reorderTimeMax.nanoseconds) / 1000)")
            set("buffer_size", "\(InputContext.datagramBufferBytes)")
            // The rate that the sequence parameters name will do; counting pictures would hold the first ones back.
            set("fpsprobesize", "2")
        }
        return dictionary
    }

    /// A key frame of a large camera picture comes as some hundred datagrams at once.
    private static let datagramBufferBytes = 2 << 20
}

/// Stands before every URL that a demuxer opens beside its own (the segments of an HLS playlist).
private final class Guardian {
    typealias Open =
        @convention(c) (
            UnsafeMutablePointer<AVFormatContext>?, UnsafeMutablePointer<UnsafeMutablePointer<AVIOContext>?>?,
            UnsafePointer<CChar>?, Int32, UnsafeMutablePointer<OpaquePointer?>?
        ) -> Int32
    private let access: MediaAccess
    private let open: Open?
    /// Why a URL was not opened.
    private(set) var failure: FileError?

    init(access: MediaAccess, open: Open?) {
        self.access = access
        self.open = open
    }

    /// The context must not outlive this object.
    func watch(_ context: UnsafeMutablePointer<AVFormatContext>) {
        // A demuxer's inner contexts take both members over from the outer one.
        context.pointee.opaque = Unmanaged.passUnretained(self).toOpaque()
        context.pointee.io_open = { context, io, url, flags, options in
            guard let opaque = context?.pointee.opaque, let url else { return cffmpeg_error(EINVAL) }
            let guardian = Unmanaged<Guardian>.fromOpaque(opaque).takeUnretainedValue()
            guard guardian.mayOpen(String(cString: url)) else { return cffmpeg_error(EACCES) }
            return guardian.open?(context, io, url, flags, options) ?? cffmpeg_error(EINVAL)
        }
    }

    private func mayOpen(_ url: String) -> Bool {
        do {
            // Which protocols may be used at all libavformat's whitelist says.
            try access.checkHost(of: url, name: Location.redacted(url))
            return true
        } catch {
            failure = error
            return false
        }
    }
}

/// What concerns libavformat as a whole.
enum Library {
    /// Evaluated once: errors come back as values, so the library itself is silent.
    static let prepare: Void = {
        av_log_set_level(AV_LOG_QUIET)
        avformat_network_init()
    }()

    /// The protocols that a URL of this scheme may use underneath; never `file`.
    static func networkProtocols(scheme: String) -> String {
        if scheme.hasPrefix("http") { return "http,https,httpproxy,tcp,tls,crypto" }
        if scheme.hasPrefix("rtsp") { return "rtsp,rtsps,tcp,tls,udp,rtp" }
        if scheme.hasPrefix("rtmp") { return "rtmp,rtmps,tcp,tls" }
        return scheme
    }
}
