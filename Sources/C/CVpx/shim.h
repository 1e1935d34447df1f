// Swift sees neither libvpx's init macros nor its variadic control call: one named function for each.
#pragma once
#include <vpx/vpx_encoder.h>
#include <vpx/vpx_decoder.h>
#include <vpx/vp8cx.h>
#include <vpx/vp8dx.h>

static inline vpx_codec_err_t cvpx_encoder_init(vpx_codec_ctx_t *context, vpx_codec_iface_t *interface,
                                                const vpx_codec_enc_cfg_t *config, vpx_codec_flags_t flags) {
    return vpx_codec_enc_init(context, interface, config, flags);
}
static inline vpx_codec_err_t cvpx_set_cpu_used(vpx_codec_ctx_t *context, int value) {
    return vpx_codec_control(context, VP8E_SET_CPUUSED, value);
}
static inline vpx_codec_err_t cvpx_set_static_threshold(vpx_codec_ctx_t *context, unsigned value) {
    return vpx_codec_control(context, VP8E_SET_STATIC_THRESHOLD, value);
}
static inline vpx_codec_err_t cvpx_set_noise_sensitivity(vpx_codec_ctx_t *context, unsigned value) {
    return vpx_codec_control(context, VP8E_SET_NOISE_SENSITIVITY, value);
}
static inline vpx_codec_err_t cvpx_set_token_partitions(vpx_codec_ctx_t *context, int value) {
    return vpx_codec_control(context, VP8E_SET_TOKEN_PARTITIONS, value);
}
static inline vpx_codec_err_t cvpx_set_max_intra_bitrate_percent(vpx_codec_ctx_t *context, unsigned value) {
    return vpx_codec_control(context, VP8E_SET_MAX_INTRA_BITRATE_PCT, value);
}
static inline vpx_codec_err_t cvpx_set_active_map(vpx_codec_ctx_t *context, vpx_active_map_t *map) {
    return vpx_codec_control(context, VP8E_SET_ACTIVEMAP, map);
}
static inline vpx_codec_err_t cvpx_get_last_quantizer(vpx_codec_ctx_t *context, int *quantizer) {
    return vpx_codec_control(context, VP8E_GET_LAST_QUANTIZER_64, quantizer);
}
static inline vpx_codec_err_t cvpx_vp9_set_aq_mode(vpx_codec_ctx_t *context, unsigned value) {
    return vpx_codec_control(context, VP9E_SET_AQ_MODE, value);
}
static inline vpx_codec_err_t cvpx_vp9_set_row_mt(vpx_codec_ctx_t *context, unsigned value) {
    return vpx_codec_control(context, VP9E_SET_ROW_MT, value);
}
static inline vpx_codec_err_t cvpx_vp9_set_tile_columns(vpx_codec_ctx_t *context, int log2) {
    return vpx_codec_control(context, VP9E_SET_TILE_COLUMNS, log2);
}
static inline vpx_codec_err_t cvpx_vp9_set_color_space(vpx_codec_ctx_t *context, int value) {
    return vpx_codec_control(context, VP9E_SET_COLOR_SPACE, value);
}
