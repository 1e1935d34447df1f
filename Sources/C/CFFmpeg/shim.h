// FFmpeg's expression macros, which Swift does not import, as constants and functions.
#pragma once
#include <libavcodec/avcodec.h>
#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavformat/avformat.h>
#include <libavutil/base64.h>
#include <libavutil/channel_layout.h>
#include <libavutil/display.h>
#include <libavutil/error.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswresample/swresample.h>
#include <libswscale/swscale.h>
#include <errno.h>

static const int cffmpeg_error_again = AVERROR(EAGAIN);
static const int cffmpeg_error_end = AVERROR_EOF;
static const int cffmpeg_error_invalid_data = AVERROR_INVALIDDATA;
static const int cffmpeg_error_exit = AVERROR_EXIT;
static const int cffmpeg_error_unauthorized = AVERROR_HTTP_UNAUTHORIZED;
static const int cffmpeg_error_forbidden = AVERROR_HTTP_FORBIDDEN;
static const int64_t cffmpeg_no_pts = AV_NOPTS_VALUE;

static inline int cffmpeg_error(int posix) { return AVERROR(posix); }
static inline void cffmpeg_describe_error(int code, char *text, size_t size) { av_strerror(code, text, size); }

// The planes of a frame that is decoded into memory of our own (AVCodecContext.get_buffer2).
static inline void cffmpeg_set_planes(AVFrame *frame, uint8_t *y, uint8_t *u, uint8_t *v, int stride_y,
                                      int stride_uv) {
    frame->data[0] = y;
    frame->data[1] = u;
    frame->data[2] = v;
    frame->linesize[0] = stride_y;
    frame->linesize[1] = stride_uv;
    frame->linesize[2] = stride_uv;
    frame->extended_data = frame->data;
}
static inline int cffmpeg_scale_frame(struct SwsContext *scaler, const AVFrame *from, uint8_t *const to[4],
                                      const int strides[4]) {
    return sws_scale(scaler, (const uint8_t *const *)from->data, from->linesize, 0, from->height, to, strides);
}
static inline int cffmpeg_resample(struct SwrContext *converter, uint8_t **to, int room, uint8_t *const *from,
                                   int count) {
    return swr_convert(converter, to, room, (const uint8_t **)from, count);
}

// Makes a frame show memory of somebody else, who is told by `release` when nobody looks any more.
static inline int cffmpeg_lend_picture(AVFrame *frame, uint8_t *y, uint8_t *u, uint8_t *v, int stride_y, int stride_uv,
                                       size_t size, void (*release)(void *owner, uint8_t *memory), void *owner) {
    AVBufferRef *reference = av_buffer_create(y, size, release, owner, AV_BUFFER_FLAG_READONLY);
    if (!reference) return AVERROR(ENOMEM);
    frame->buf[0] = reference;
    frame->format = AV_PIX_FMT_YUV420P;
    frame->color_range = AVCOL_RANGE_MPEG;
    frame->colorspace = AVCOL_SPC_SMPTE170M;
    cffmpeg_set_planes(frame, y, u, v, stride_y, stride_uv);
    return 0;
}
static inline void cffmpeg_set_sound_layout(AVFrame *frame, int channels) {
    av_channel_layout_default(&frame->ch_layout, channels);
}
// The time of a frame that left a graph, in units of 1/`per_second` s.
static inline int64_t cffmpeg_sink_time(const AVFilterContext *sink, const AVFrame *frame, int per_second) {
    if (frame->pts == AV_NOPTS_VALUE) return AV_NOPTS_VALUE;
    return av_rescale_q(frame->pts, av_buffersink_get_time_base(sink), (AVRational){1, per_second});
}
// Whether an option of a filter may be changed while it runs.
static inline int cffmpeg_is_runtime_option(const AVFilter *filter, const char *option) {
    const AVClass *class = filter->priv_class;
    if (!class) return 0;
    const AVOption *found = av_opt_find(&class, option, NULL, 0, AV_OPT_SEARCH_FAKE_OBJ);
    return found && (found->flags & AV_OPT_FLAG_RUNTIME_PARAM);
}
