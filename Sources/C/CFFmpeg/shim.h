// FFmpeg's expression macros, which Swift does not import, as constants and functions.
#pragma once
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
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
