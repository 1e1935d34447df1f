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
