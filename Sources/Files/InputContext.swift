import CFFmpeg
import Core

/// Owns a libavformat context for reading, its packet and its custom reader; frees them in the right order.
final class InputContext {
    let context: UnsafeMutablePointer<AVFormatContext>
    let packet: UnsafeMutablePointer<AVPacket>
    private let reader: SourceReader?
    /// Kept alive because the context's interrupt callback points to it.
    private let interrupt: Interrupt

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
            if let failure = reader?.failure { throw failure }
            if location.isFile, code == Int32(cffmpeg_error_end) { throw .notMedia(path: location.name) }
            throw FileError(code: code, location: location, call: call, interrupt: interrupt)
        }
        self.context = context
        self.packet = packet
        self.reader = reader
        self.interrupt = interrupt
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
        set("format_whitelist", options.formats.joined(separator: ","))
        set("protocol_whitelist", location.isFile ? "file" : Library.networkProtocols(scheme: location.scheme))
        guard !location.isFile else { return dictionary }
        if let timeout = options.timeout { set("rw_timeout", "\(timeout.nanoseconds / 1000)") }
        if options.reconnects, location.scheme.hasPrefix("http") {
            set("reconnect", "1")
            set("reconnect_streamed", "1")
            set("reconnect_delay_max", "\(options.reconnectDelayMax)")
        }
        return dictionary
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
        scheme.hasPrefix("http") ? "http,https,httpproxy,tcp,tls" : "\(scheme),tcp,tls,udp,rtp"
    }
}
