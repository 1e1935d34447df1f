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

typedef void columns_function(const uint8_t *from, uint8_t *to, const cscale_axis *axis);
typedef void rows_function(const uint8_t *const *from, uint8_t *to, int32_t count, const int8_t *weights, int32_t taps);

static void columns_plain(const uint8_t *from, uint8_t *to, const cscale_axis *axis) {
    for (int32_t i = 0; i < axis->count; i++) {
        int32_t sum = 0;
        for (int32_t t = 0; t < axis->taps; t++) {
            sum += axis->weights[i * axis->taps + t] * from[axis->starts[i] + t];
        }
        to[i] = clamped(sum);
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

// Two groups of four outputs each: sixteen sums of two products, output by output.
AVX2 static inline __m256i two_groups(const uint8_t *from, const cscale_axis *axis, int32_t group, int32_t quad) {
    int32_t quads = axis->taps / 4;
    __m256i pixels = _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(from + axis->bases[group]))),
        _mm_loadu_si128((const __m128i *)(from + axis->bases[group + 1])), 1);
    // Groups come in pairs: quad q of both lies side by side.
    ptrdiff_t entry = ((ptrdiff_t)(group / 2) * quads + quad) * 32;
    __m256i shuffle = _mm256_loadu_si256((const __m256i *)(axis->shuffles + entry));
    __m256i weights = _mm256_loadu_si256((const __m256i *)(axis->groupWeights + entry));
    return _mm256_maddubs_epi16(_mm256_shuffle_epi8(pixels, shuffle), weights);
}

AVX2 static void columns_avx2(const uint8_t *from, uint8_t *to, const cscale_axis *axis) {
    const __m256i round = _mm256_set1_epi16(ROUND);
    for (int32_t i = 0, group = 0; i < axis->count; i += 16, group += 4) {
        __m256i low = two_groups(from, axis, group, 0);
        __m256i high = two_groups(from, axis, group + 2, 0);
        if (axis->taps == 8) {
            low = _mm256_add_epi16(low, two_groups(from, axis, group, 1));
            high = _mm256_add_epi16(high, two_groups(from, axis, group + 2, 1));
        }
        // hadd works per 128-bit lane: groups 0 2 | 1 3, brought back into order.
        __m256i sums = _mm256_permute4x64_epi64(_mm256_hadd_epi16(low, high), 0xD8);
        sums = _mm256_srai_epi16(_mm256_add_epi16(sums, round), SHIFT);
        __m256i bytes = _mm256_permute4x64_epi64(_mm256_packus_epi16(sums, sums), 0xD8);
        _mm_storeu_si128((__m128i *)(to + i), _mm256_castsi256_si128(bytes));
    }
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
    for (int32_t y = 0; y < rows->count; y++) {
        int32_t start = rows->starts[y];
        if (done < start) done = start;
        for (; done < start + rows->taps; done++) {
            scale_columns(from + done * from_stride, scratch + (done & (RING - 1)) * stride, columns);
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
