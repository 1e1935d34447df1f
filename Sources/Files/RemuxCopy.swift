import CFFmpeg
import Core
import Glibc

/// Copies all tracks of a file, as libavformat understands them and as far as they go, into a new file of the same
/// kind that then takes the old one's place.
final class RemuxCopy {
    private let location: Location
    private let interrupt: Interrupt
    private let input: InputContext
    private let output: UnsafeMutablePointer<AVFormatContext>

    init(location: Location, muxerName: String, interrupt: Interrupt) throws(FileError) {
        self.location = location
        self.interrupt = interrupt
        input = try InputContext(
            location: location, source: nil, options: Demuxer.Options(), interrupt: interrupt)
        var pointer: UnsafeMutablePointer<AVFormatContext>?
        avformat_alloc_output_context2(&pointer, nil, muxerName, nil)
        guard let pointer else { fatalError("libavformat has no \(muxerName) muxer") }
        output = pointer
        output.pointee.flags |= AVFMT_FLAG_BITEXACT | AVFMT_FLAG_CUSTOM_IO
    }

    deinit {
        output.pointee.pb = nil
        avformat_free_context(output)
    }

    /// Makes the copy and puts it in place, with the permissions of the open file `mode`.
    func run(mode descriptor: Int32) throws(FileError) -> (frames: Int, duration: MediaTime) {
        guard let path = location.path else { throw .notAFile(path: location.name) }
        let neighbour = path + ".repair"
        // A copy that an earlier, interrupted repair left behind.
        unlink(neighbour)
        let file = try OutputFile(
            try Location("file:" + neighbour, schemes: ["file"]), interrupt: interrupt, timeout: nil)
        do throws(FileError) {
            let result = try copy(to: file)
            var status = stat()
            if fstat(descriptor, &status) == 0 { fchmod(file.descriptor, status.st_mode & 0o7777) }
            guard fsync(file.descriptor) == 0, rename(neighbour, path) == 0 else {
                throw FileError(errno: errno, path: path, call: "rename")
            }
            return result
        } catch {
            file.remove()
            throw error
        }
    }

    private func copy(to file: OutputFile) throws(FileError) -> (frames: Int, duration: MediaTime) {
        let source = input.context
        for index in 0..<Int(source.pointee.nb_streams) {
            guard let from = source.pointee.streams[index], let to = avformat_new_stream(output, nil) else { continue }
            avcodec_parameters_copy(to.pointee.codecpar, from.pointee.codecpar)
            to.pointee.codecpar.pointee.codec_tag = 0
            to.pointee.time_base = from.pointee.time_base
            to.pointee.avg_frame_rate = from.pointee.avg_frame_rate
            to.pointee.sample_aspect_ratio = from.pointee.sample_aspect_ratio
            to.pointee.disposition = from.pointee.disposition
            av_dict_copy(&to.pointee.metadata, from.pointee.metadata, 0)
        }
        av_dict_copy(&output.pointee.metadata, source.pointee.metadata, 0)
        output.pointee.pb = file.context
        try check(avformat_write_header(output, nil), file, call: "avformat_write_header")
        var frames = 0
        var end = MediaTime.zero
        while av_read_frame(source, input.packet) >= 0 {
            defer { av_packet_unref(input.packet) }
            let index = Int(input.packet.pointee.stream_index)
            // A packet of which the end is missing.
            guard input.packet.pointee.flags & AV_PKT_FLAG_CORRUPT == 0, index < Int(output.pointee.nb_streams),
                let from = source.pointee.streams[index], let to = output.pointee.streams[index]
            else { continue }
            let base = from.pointee.time_base
            let time = StreamReader.nanoseconds(input.packet.pointee.pts, base) ?? .zero
            end = max(end, time + (StreamReader.nanoseconds(input.packet.pointee.duration, base) ?? .zero))
            av_packet_rescale_ts(input.packet, base, to.pointee.time_base)
            try check(av_write_frame(output, input.packet), file, call: "av_write_frame")
            frames += 1
        }
        if interrupt.shouldStop { throw .cancelled(path: location.name) }
        guard frames > 0 else { throw .truncated(path: location.name, what: "it holds not one whole frame") }
        try check(av_write_trailer(output), file, call: "av_write_trailer")
        try file.flush()
        return (frames, end)
    }

    private func check(_ code: Int32, _ file: OutputFile, call: String) throws(FileError) {
        try file.check(call: call)
        guard code < 0 else { return }
        throw FileError(code: code, location: location, call: call, interrupt: interrupt)
    }
}
