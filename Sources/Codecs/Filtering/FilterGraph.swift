import CFFmpeg
import Core
import Media

/// Owns one graph of libavfilter: a source, a chain of steps, a sink. Owned by one stage; not thread-safe.
final class FilterGraph {
    private var graph: UnsafeMutablePointer<AVFilterGraph>?
    private let source: UnsafeMutablePointer<AVFilterContext>
    let sink: UnsafeMutablePointer<AVFilterContext>
    let frame: UnsafeMutablePointer<AVFrame>
    private var steps: [FilterStep]

    /// `end` brings whatever the steps make into the one form that is wanted.
    init(source: FilterStep, steps: [FilterStep], end: FilterStep, sink: String) throws(CodecError) {
        Self.silence
        guard let graph = avfilter_graph_alloc(), let frame = av_frame_alloc() else {
            fatalError("out of memory: a graph of libavfilter")
        }
        graph.pointee.nb_threads = 1
        var filters: [UnsafeMutablePointer<AVFilterContext>] = []
        do throws(CodecError) {
            for (index, step) in ([source] + steps + [end, FilterStep(sink)]).enumerated() {
                let made = try Self.make(step, named: "f\(index)", in: graph)
                if let last = filters.last {
                    let result = avfilter_link(last, 0, made, 0)
                    if result < 0 { throw CodecError(libav: "avfilter_link \(step.filter)", result) }
                }
                filters.append(made)
            }
            let result = avfilter_graph_config(graph, nil)
            if result < 0 { throw CodecError(libav: "avfilter_graph_config", result) }
        } catch {
            Self.free(graph, frame)
            throw error
        }
        self.graph = graph
        self.frame = frame
        self.source = filters[0]
        self.sink = filters[filters.count - 1]
        self.steps = steps
    }

    deinit { Self.free(graph, frame) }

    /// Errors come back as values, so the library itself prints nothing. Evaluated once.
    private static let silence: Void = av_log_set_level(AV_LOG_QUIET)

    private static func free(_ graph: UnsafeMutablePointer<AVFilterGraph>?, _ frame: UnsafeMutablePointer<AVFrame>) {
        var (graph, frame) = (graph, Optional(frame))
        avfilter_graph_free(&graph)
        av_frame_free(&frame)
    }

    private static func make(
        _ step: FilterStep, named name: String, in graph: UnsafeMutablePointer<AVFilterGraph>
    ) throws(CodecError) -> UnsafeMutablePointer<AVFilterContext> {
        guard let filter = avfilter_get_by_name(step.filter),
            let made = avfilter_graph_alloc_filter(graph, filter, name)
        else {
            throw CodecError(
                call: "avfilter_get_by_name", code: -1, text: "libavfilter here has no filter \(step.filter)")
        }
        var options: OpaquePointer?
        defer { av_dict_free(&options) }
        for option in step.options { av_dict_set(&options, option.name, option.value, 0) }
        let result = avfilter_init_dict(made, &options)
        if result < 0 { throw CodecError(libav: "avfilter_init_dict \(step.filter)", result) }
        if let unknown = av_dict_get(options, "", nil, AV_DICT_IGNORE_SUFFIX) {
            throw CodecError(
                call: "avfilter_init_dict", code: -1,
                text: "\(step.filter) has no option \(String(cString: unknown.pointee.key))")
        }
        return made
    }

    // MARK: Frames

    /// Hands `frame` in, nil: the end; and every frame that comes of it out, in `frame`, valid during the call.
    func run(
        _ input: UnsafeMutablePointer<AVFrame>?,
        each: (UnsafeMutablePointer<AVFrame>) throws(CodecError) -> Void
    ) throws(CodecError) {
        let sent = av_buffersrc_add_frame(source, input)
        if sent < 0 {
            if let input { av_frame_unref(input) }
            throw CodecError(libav: "av_buffersrc_add_frame", sent)
        }
        while true {
            let received = av_buffersink_get_frame(sink, frame)
            if received == cffmpeg_error_again || received == cffmpeg_error_end { return }
            if received < 0 { throw CodecError(libav: "av_buffersink_get_frame", received) }
            defer { av_frame_unref(frame) }
            try each(frame)
        }
    }

    // MARK: Changes

    /// Goes over to other options while running. False, with nothing changed that matters, where it cannot: other
    /// filters, or options that are read at the start only. Then a new graph is needed.
    func change(to new: [FilterStep]) -> Bool {
        guard new.count == steps.count else { return false }
        var commands: [(index: Int, option: FilterStep.Option)] = []
        for (index, (old, new)) in zip(steps, new).enumerated() where old != new {
            guard old.filter == new.filter, old.options.map(\.name) == new.options.map(\.name),
                let filter = avfilter_get_by_name(new.filter)
            else { return false }
            for (before, after) in zip(old.options, new.options) where before != after {
                guard cffmpeg_is_runtime_option(filter, after.name) != 0 else { return false }
                commands.append((index, after))
            }
        }
        for command in commands {
            let result = avfilter_graph_send_command(
                graph, "f\(command.index + 1)", command.option.name, command.option.value, nil, 0, 0)
            guard result >= 0 else { return false }
        }
        steps = new
        return true
    }
}
