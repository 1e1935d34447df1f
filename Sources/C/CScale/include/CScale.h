#pragma once
// Scales planes of 8-bit samples by separable filters whose tables the caller makes (Mixing/Scaler.swift).
// Integer arithmetic throughout: the vector code and the plain code give the same bytes on every machine.
#include <stddef.h>
#include <stdint.h>

// One axis. Output sample i is the sum over t of weights[i * taps + t] * input[starts[i] + t], divided by 64 and
// rounded. Weights of one sample add up to 64 and their magnitudes to at most 128, so sums fit 16 bits.
// starts never fall and 0 <= starts[i] <= input length - taps. taps is 4 or 8, the input no shorter.
typedef struct {
    int32_t count;
    int32_t taps;
    const int32_t *starts;
    const int8_t *weights;
    // For columns only, per group of four outputs (the last one padded to full groups of sixteen outputs):
    // where its input begins, and for each tap quad 16 byte indices from there and 16 weights, output by output.
    // The inputs of a group lie within 16 bytes.
    const int32_t *bases;
    const uint8_t *shuffles;
    const int8_t *groupWeights;
} cscale_axis;

// Bytes of scratch memory that cscale_plane needs for an output of the given width.
size_t cscale_scratch_bytes(int32_t width);

// Writes columns->count x rows->count bytes to `to`. Reads up to 15 bytes beyond the end of a row of `from`.
// Strides are in bytes. `scratch` has cscale_scratch_bytes.
void cscale_plane(
    const uint8_t *from, ptrdiff_t from_stride, uint8_t *to, ptrdiff_t to_stride,
    const cscale_axis *columns, const cscale_axis *rows, uint8_t *scratch);

// The same without vector code, so that a test can compare.
void cscale_plane_plain(
    const uint8_t *from, ptrdiff_t from_stride, uint8_t *to, ptrdiff_t to_stride,
    const cscale_axis *columns, const cscale_axis *rows, uint8_t *scratch);
