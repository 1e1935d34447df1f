// Swift sees neither variadic functions nor the OPUS_SET_* macros: one named function for each.
#pragma once
#include <opus/opus.h>
#include <opus/opus_multistream.h>

static inline int copus_set_bitrate(OpusEncoder *encoder, int bps) {
    return opus_encoder_ctl(encoder, OPUS_SET_BITRATE(bps));
}
static inline int copus_set_complexity(OpusEncoder *encoder, int complexity) {
    return opus_encoder_ctl(encoder, OPUS_SET_COMPLEXITY(complexity));
}
static inline int copus_set_inband_fec(OpusEncoder *encoder, int on) {
    return opus_encoder_ctl(encoder, OPUS_SET_INBAND_FEC(on));
}
static inline int copus_set_packet_loss_percent(OpusEncoder *encoder, int percent) {
    return opus_encoder_ctl(encoder, OPUS_SET_PACKET_LOSS_PERC(percent));
}
// What the encoder cannot tell by itself at low complexity.
static inline int copus_set_signal_is_voice(OpusEncoder *encoder) {
    return opus_encoder_ctl(encoder, OPUS_SET_SIGNAL(OPUS_SIGNAL_VOICE));
}
static inline int copus_set_dtx(OpusEncoder *encoder, int on) {
    return opus_encoder_ctl(encoder, OPUS_SET_DTX(on));
}
static inline int copus_get_lookahead(OpusEncoder *encoder, int *samples) {
    return opus_encoder_ctl(encoder, OPUS_GET_LOOKAHEAD(samples));
}
static inline int copus_reset_encoder(OpusEncoder *encoder) { return opus_encoder_ctl(encoder, OPUS_RESET_STATE); }
static inline int copus_reset_plain_decoder(OpusDecoder *decoder) {
    return opus_decoder_ctl(decoder, OPUS_RESET_STATE);
}
// Gain in 1/256 dB, as OpusHead has it.
static inline int copus_set_plain_gain(OpusDecoder *decoder, int gain) {
    return opus_decoder_ctl(decoder, OPUS_SET_GAIN(gain));
}
static inline int copus_set_gain(OpusMSDecoder *decoder, int gain) {
    return opus_multistream_decoder_ctl(decoder, OPUS_SET_GAIN(gain));
}
static inline int copus_reset_decoder(OpusMSDecoder *decoder) {
    return opus_multistream_decoder_ctl(decoder, OPUS_RESET_STATE);
}
