#include "CScale.h"
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

// Rows of the intermediate picture (already of the final width) that are kept: a power of two, at least the taps.
enum { RING = 16, ROUND = 32, SHIFT = 6 };

static ptrdiff_t ring_stride(int32_t width) { return (width + 63 + 32) & ~63; }

size_t cscale_scratch_bytes(int32_t width) { return (size_t)ring_stride(width) * RING; }

static uint8_t clamped(int32_t sum) {
    int32_t value = (sum + ROUND) >> SHIFT;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

// One or two rows.
typedef void columns_function(
    const uint8_t *from, ptrdiff_t from_stride, uint8_t *to, ptrdiff_t to_stride, int32_t rows,
    const cscale_axis *axis);
typedef void rows_function(const uint8_t *const *from, uint8_t *to, int32_t count, const int8_t *weights, int32_t taps);

static void columns_plain(
    const uint8_t *from, ptrdiff_t from_stride, uint8_t *to, ptrdiff_t to_stride, int32_t rows,
    const cscale_axis *axis
) {
    for (int32_t row = 0; row < rows; row++, from += from_stride, to += to_stride) {
        for (int32_t i = 0; i < axis->count; i++) {
            int32_t sum = 0;
            for (int32_t t = 0; t < axis->taps; t++) {
                sum += axis->weights[i * axis->taps + t] * from[axis->starts[i] + t];
            }
            to[i] = clamped(sum);
        }
    }
}

static void rows_plain(const uint8_t *const *from, uint8_t *to, int32_t count, const int8_t *weights, int32_t taps) {
    for (int32_t i = 0; i < count; i++) {
        int32_t sum = 0;
        for (int32_t t = 0; t < taps; t++) sum += weights[t] * from[t][i];
        to[i] = clamped(sum);
    }
}

#if defined(__x86_64__)
#define AVX2 __attribute__((target("avx2")))

// Two groups of four outputs each: sixteen sums of pairs of products, output by output.
AVX2 static inline __m256i two_groups(
    const uint8_t *from, const int32_t *bases, const __m256i *shuffles, const __m256i *weights, int32_t quads
) {
    __m256i pixels = _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(from + bases[0]))),
        _mm_loadu_si128((const __m128i *)(from + bases[1])), 1);
    __m256i sums = _mm256_maddubs_epi16(_mm256_shuffle_epi8(pixels, shuffles[0]), weights[0]);
    if (quads == 1) return sums;
    return _mm256_add_epi16(sums, _mm256_maddubs_epi16(_mm256_shuffle_epi8(pixels, shuffles[1]), weights[1]));
}

// Loading the tables is most of the work, so two rows share it.
AVX2 static inline void columns_quads(
    const uint8_t *from, ptrdiff_t from_stride, uint8_t *to, ptrdiff_t to_stride, int32_t rows,
    const cscale_axis *axis, int32_t quads
) {
    const __m256i round = _mm256_set1_epi16(ROUND);
    const int32_t *bases = axis->bases;
    const __m256i *table_shuffles = (const __m256i *)axis->shuffles;
    const __m256i *table_weights = (const __m256i *)axis->groupWeights;
    for (int32_t i = 0; i < axis->count; i += 16, bases += 4) {
        __m256i shuffles[4], weights[4];
        for (int32_t k = 0; k < 2 * quads; k++) {
            shuffles[k] = _mm256_loadu_si256(table_shuffles++);
            weights[k] = _mm256_loadu_si256(table_weights++);
        }
        for (int32_t row = 0; row < rows; row++) {
            const uint8_t *line = from + row * from_stride;
            __m256i low = two_groups(line, bases, shuffles, weights, quads);
            __m256i high = two_groups(line, bases + 2, shuffles + quads, weights + quads, quads);
            // hadd works per 128-bit lane: groups 0 2 | 1 3, brought back into order.
            __m256i sums = _mm256_permute4x64_epi64(_mm256_hadd_epi16(low, high), 0xD8);
            sums = _mm256_srai_epi16(_mm256_add_epi16(sums, round), SHIFT);
            __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
            _mm_storeu_si128((__m128i *)(to + row * to_stride + i), bytes);
        }
    }
}

AVX2 static void columns_avx2(
    const uint8_t *from, ptrdiff_t from_stride, uint8_t *to, ptrdiff_t to_stride, int32_t rows,
    const cscale_axis *axis
) {
    int32_t quads = axis->taps / 4;
    if (rows == 2 && quads == 2) columns_quads(from, from_stride, to, to_stride, 2, axis, 2);
    else if (rows == 2) columns_quads(from, from_stride, to, to_stride, 2, axis, 1);
    else if (quads == 2) columns_quads(from, from_stride, to, to_stride, 1, axis, 2);
    else columns_quads(from, from_stride, to, to_stride, 1, axis, 1);
}

AVX2 static inline __m256i weighted_rows(
    const uint8_t *const *from, int32_t i, const __m256i *weights, int32_t pairs
) {
    __m256i low = _mm256_set1_epi16(ROUND), high = low;
    for (int32_t p = 0; p < pairs; p++) {
        __m256i a = _mm256_loadu_si256((const __m256i *)(from[2 * p] + i));
        __m256i b = _mm256_loadu_si256((const __m256i *)(from[2 * p + 1] + i));
        low = _mm256_add_epi16(low, _mm256_maddubs_epi16(_mm256_unpacklo_epi8(a, b), weights[p]));
        high = _mm256_add_epi16(high, _mm256_maddubs_epi16(_mm256_unpackhi_epi8(a, b), weights[p]));
    }
    return _mm256_packus_epi16(_mm256_srai_epi16(low, SHIFT), _mm256_srai_epi16(high, SHIFT));
}

AVX2 static void rows_avx2(
    const uint8_t *const *from, uint8_t *to, int32_t count, const int8_t *weights, int32_t taps
) {
    __m256i pairs[4];
    for (int32_t p = 0; p < taps / 2; p++) {
        int16_t pair;
        memcpy(&pair, weights + 2 * p, 2);
        pairs[p] = _mm256_set1_epi16(pair);
    }
    int32_t i = 0;
    if (taps == 4) {
        for (; i + 32 <= count; i += 32) _mm256_storeu_si256((__m256i *)(to + i), weighted_rows(from, i, pairs, 2));
    } else {
        for (; i + 32 <= count; i += 32) _mm256_storeu_si256((__m256i *)(to + i), weighted_rows(from, i, pairs, 4));
    }
    if (i < count) {
        // What is right of the output belongs to somebody else.
        uint8_t rest[32];
        _mm256_storeu_si256((__m256i *)rest, weighted_rows(from, i, pairs, taps / 2));
        memcpy(to + i, rest, (size_t)(count - i));
    }
}
#endif

static inline void scale(
    const uint8_t *from, ptrdiff_t from_stride, uint8_t *to, ptrdiff_t to_stride,
    const cscale_axis *columns, const cscale_axis *rows, uint8_t *scratch,
    columns_function *scale_columns, rows_function *scale_rows
) {
    ptrdiff_t stride = ring_stride(columns->count);
    int32_t done = rows->starts[0];
    int32_t end = rows->starts[rows->count - 1] + rows->taps;
    for (int32_t y = 0; y < rows->count; y++) {
        int32_t start = rows->starts[y];
        // Rows that no output needs, as with a ratio above the taps, are passed over.
        if (done < start) done = start;
        while (done < start + rows->taps) {
            // A pair begins on an even row, so that it does not wrap around the ring.
            int32_t step = (done & 1) == 0 && done + 1 < end ? 2 : 1;
            scale_columns(
                from + done * from_stride, from_stride, scratch + (done & (RING - 1)) * stride, stride, step, columns);
            done += step;
        }
        const uint8_t *taps[8];
        for (int32_t t = 0; t < rows->taps; t++) taps[t] = scratch + ((start + t) & (RING - 1)) * stride;
        scale_rows(taps, to + y * to_stride, columns->count, rows->weights + y * rows->taps, rows->taps);
    }
}

void cscale_plane_plain(
    const uint8_t *from, ptrdiff_t from_stride, uint8_t *to, ptrdiff_t to_stride,
    const cscale_axis *columns, const cscale_axis *rows, uint8_t *scratch
) {
    scale(from, from_stride, to, to_stride, columns, rows, scratch, columns_plain, rows_plain);
}

void cscale_plane(
    const uint8_t *from, ptrdiff_t from_stride, uint8_t *to, ptrdiff_t to_stride,
    const cscale_axis *columns, const cscale_axis *rows, uint8_t *scratch
) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        scale(from, from_stride, to, to_stride, columns, rows, scratch, columns_avx2, rows_avx2);
        return;
    }
#endif
    cscale_plane_plain(from, from_stride, to, to_stride, columns, rows, scratch);
}
