// What the libraries alone take, called bare: the floor that a mixing run is compared with (Benchmarks/grid.py).
//
//     bench-floor VIDEO.yuv WIDTH HEIGHT FPS BITRATE SOUND.f32 TILE-WIDTH TILE-HEIGHT INPUT...
//
// Decodes each INPUT (video through libavcodec, Opus through libopus), scales its pictures to the size of a tile
// (libyuv, box filter), encodes the raw pictures of VIDEO.yuv (I420) as VP8 and the raw samples of SOUND.f32 (48 kHz,
// stereo, float) as Opus. Reading files is not counted. Prints one line of JSON: CPU seconds of each part.
import CFFmpeg
import COpus
import CVpx
import CYUV
import Glibc

struct Failure: Error { let what: String }

/// CPU time of all threads of this process, in seconds.
func processTime() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// The packets of one stream of a file, all in memory.
struct Stream {
    var parameters: UnsafeMutablePointer<AVCodecParameters>
    var packets: [UnsafeMutablePointer<AVPacket>] = []
}

func streams(of path: String) throws -> [Stream] {
    var context: UnsafeMutablePointer<AVFormatContext>?
    guard avformat_open_input(&context, path, nil, nil) == 0, let context,
        avformat_find_stream_info(context, nil) >= 0
    else { throw Failure(what: "cannot read \(path)") }
    var found: [Stream] = []
    for index in 0..<Int(context.pointee.nb_streams) {
        guard let stream = context.pointee.streams[index], let parameters = stream.pointee.codecpar else { continue }
        found.append(Stream(parameters: parameters))
    }
    while let packet = av_packet_alloc(), av_read_frame(context, packet) >= 0 {
        found[Int(packet.pointee.stream_index)].packets.append(packet)
    }
    return found
}

/// CPU seconds of decoding and of scaling, and how many pictures there were.
struct DecodingCost {
    var decoding = 0.0
    var scaling = 0.0
    var count = 0
}

/// Decodes with one thread, scales each picture to the tile, and throws it away.
func decodeVideo(_ stream: Stream, tileWidth: Int, tileHeight: Int) throws -> DecodingCost {
    guard let codec = avcodec_find_decoder(stream.parameters.pointee.codec_id),
        let context = avcodec_alloc_context3(codec), let frame = av_frame_alloc()
    else { throw Failure(what: "no decoder") }
    avcodec_parameters_to_context(context, stream.parameters)
    context.pointee.thread_count = 1
    guard avcodec_open2(context, codec, nil) == 0 else { throw Failure(what: "the decoder does not open") }
    let chromaWidth = (tileWidth + 1) / 2
    let chromaSize = chromaWidth * ((tileHeight + 1) / 2)
    let luma = UnsafeMutablePointer<UInt8>.allocate(capacity: tileWidth * tileHeight + 2 * chromaSize)
    var cost = DecodingCost()
    for packet in stream.packets.map(Optional.some) + [nil] {
        var start = processTime()
        avcodec_send_packet(context, packet)
        while avcodec_receive_frame(context, frame) == 0 {
            cost.count += 1
            cost.decoding += processTime() - start
            start = processTime()
            let (planes, strides) = (frame.pointee.data, frame.pointee.linesize)
            I420Scale(
                planes.0, strides.0, planes.1, strides.1, planes.2, strides.2, frame.pointee.width,
                frame.pointee.height, luma, Int32(tileWidth), luma + tileWidth * tileHeight, Int32(chromaWidth),
                luma + tileWidth * tileHeight + chromaSize, Int32(chromaWidth), Int32(tileWidth), Int32(tileHeight),
                kFilterBox)
            cost.scaling += processTime() - start
            start = processTime()
        }
        cost.decoding += processTime() - start
    }
    return cost
}

/// Decodes Opus with libopus to float and throws the samples away; returns CPU seconds and packets.
func decodeOpus(_ stream: Stream) throws -> (seconds: Double, count: Int) {
    guard stream.parameters.pointee.codec_id == AV_CODEC_ID_OPUS else { throw Failure(what: "an input without Opus") }
    var result: Int32 = 0
    let channels = stream.parameters.pointee.ch_layout.nb_channels
    guard let decoder = opus_decoder_create(48_000, channels, &result) else {
        throw Failure(what: "opus_decoder_create")
    }
    var samples = [Float](repeating: 0, count: 5760 * Int(channels))
    let start = processTime()
    for packet in stream.packets {
        if opus_decode_float(decoder, packet.pointee.data, packet.pointee.size, &samples, 5760, 0) < 0 {
            throw Failure(what: "opus_decode_float")
        }
    }
    return (processTime() - start, stream.packets.count)
}

/// The settings of `Codecs.VPXEncoder`, and those given to the other tools.
func configuration(width: Int, height: Int, rate: Int, bitrate: Int) -> vpx_codec_enc_cfg_t {
    var configuration = vpx_codec_enc_cfg_t()
    vpx_codec_enc_config_default(vpx_codec_vp8_cx(), &configuration, 0)
    configuration.g_w = UInt32(width)
    configuration.g_h = UInt32(height)
    configuration.g_threads = 1
    configuration.g_timebase = vpx_rational_t(num: 1, den: Int32(rate))
    configuration.g_pass = VPX_RC_ONE_PASS
    configuration.g_lag_in_frames = 0
    configuration.rc_end_usage = VPX_CBR
    configuration.rc_target_bitrate = UInt32(bitrate / 1000)
    configuration.rc_min_quantizer = 2
    configuration.rc_max_quantizer = 56
    configuration.rc_undershoot_pct = 100
    configuration.rc_overshoot_pct = 15
    configuration.rc_buf_sz = 1000
    configuration.rc_buf_initial_sz = 500
    configuration.rc_buf_optimal_sz = 600
    configuration.rc_dropframe_thresh = 0
    configuration.kf_mode = VPX_KF_AUTO
    configuration.kf_min_dist = UInt32(4 * rate)
    configuration.kf_max_dist = UInt32(4 * rate)
    return configuration
}

func encodeVP8(_ path: String, width: Int, height: Int, rate: Int, bitrate: Int) throws -> (Double, Int) {
    guard let file = fopen(path, "rb") else { throw Failure(what: "cannot read \(path)") }
    var context = vpx_codec_ctx_t()
    var settings = configuration(width: width, height: height, rate: rate, bitrate: bitrate)
    guard cvpx_encoder_init(&context, vpx_codec_vp8_cx(), &settings, 0) == VPX_CODEC_OK else {
        throw Failure(what: "vpx_codec_enc_init")
    }
    cvpx_set_cpu_used(&context, -8)
    cvpx_set_static_threshold(&context, 0)
    cvpx_set_noise_sensitivity(&context, 0)
    cvpx_set_token_partitions(&context, 0)
    let size = width * height + 2 * ((width + 1) / 2) * ((height + 1) / 2)
    let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: size)
    var image = vpx_image_t()
    vpx_img_wrap(&image, VPX_IMG_FMT_I420, UInt32(width), UInt32(height), 1, memory)
    var (seconds, count) = (0.0, 0)
    while fread(memory, 1, size, file) == size {
        let start = processTime()
        let result = vpx_codec_encode(&context, &image, Int64(count), 1, 0, UInt(VPX_DL_REALTIME))
        guard result == VPX_CODEC_OK else { throw Failure(what: "vpx_codec_encode") }
        var iterator: vpx_codec_iter_t?
        while vpx_codec_get_cx_data(&context, &iterator) != nil {}
        seconds += processTime() - start
        count += 1
    }
    return (seconds, count)
}

func encodeOpus(_ path: String, bitrate: Int32) throws -> (Double, Int) {
    guard let file = fopen(path, "rb") else { throw Failure(what: "cannot read \(path)") }
    var result: Int32 = 0
    guard let encoder = opus_encoder_create(48_000, 2, OPUS_APPLICATION_AUDIO, &result) else {
        throw Failure(what: "opus_encoder_create")
    }
    copus_set_bitrate(encoder, bitrate)
    copus_set_complexity(encoder, 9)
    var samples = [Float](repeating: 0, count: 1920)
    var packet = [UInt8](repeating: 0, count: 4000)
    var (seconds, count) = (0.0, 0)
    while fread(&samples, 4, 1920, file) == 1920 {
        let start = processTime()
        if opus_encode_float(encoder, samples, 960, &packet, 4000) < 0 { throw Failure(what: "opus_encode_float") }
        seconds += processTime() - start
        count += 1
    }
    return (seconds, count)
}

let arguments = CommandLine.arguments
guard arguments.count >= 10, let width = Int(arguments[2]), let height = Int(arguments[3]),
    let rate = Int(arguments[4]), let bitrate = Int(arguments[5]), let tileWidth = Int(arguments[7]),
    let tileHeight = Int(arguments[8])
else {
    throw Failure(
        what: "usage: bench-floor VIDEO.yuv WIDTH HEIGHT FPS BITRATE SOUND.f32 TILE-WIDTH TILE-HEIGHT INPUT...")
}

var video = DecodingCost()
var sound = (seconds: 0.0, count: 0)
for path in arguments[9...] {
    for stream in try streams(of: path) {
        if stream.parameters.pointee.codec_type == AVMEDIA_TYPE_VIDEO {
            let cost = try decodeVideo(stream, tileWidth: tileWidth, tileHeight: tileHeight)
            video.decoding += cost.decoding
            video.scaling += cost.scaling
            video.count += cost.count
        } else if stream.parameters.pointee.codec_type == AVMEDIA_TYPE_AUDIO {
            let (seconds, count) = try decodeOpus(stream)
            sound = (sound.seconds + seconds, sound.count + count)
        }
    }
}
let encodedVideo = try encodeVP8(arguments[1], width: width, height: height, rate: rate, bitrate: bitrate)
let encodedAudio = try encodeOpus(arguments[6], bitrate: 96_000)
print(
    """
    {"decodeVideo": \(video.decoding), "scaleVideo": \(video.scaling), "picturesDecoded": \(video.count), \
    "decodeAudio": \(sound.seconds), "packetsDecoded": \(sound.count), \
    "encodeVideo": \(encodedVideo.0), "picturesEncoded": \(encodedVideo.1), \
    "encodeAudio": \(encodedAudio.0), "packetsEncoded": \(encodedAudio.1)}
    """)
