/* 256-bit kernels. AVX-VNNI multiplies bytes directly. AVX2 alone has no exact product of bytes (vpmaddubsw saturates),
 * so both operands are widened to int16, with even and odd bytes of each group separated. */
#include <immintrin.h>
#include <string.h>

#define TILE_W 1
#define PEEL_W 1

#ifdef INOS_AVXVNNI
#define X_SCALE 1
typedef int8_t w_item;
#define GROUP_W 64
#else
#define X_SCALE 2
#define WIDEN_W widen_w
typedef int16_t w_item;
#define GROUP_W 64
#endif

#define DOT_WORDS(acc, a, b) _mm256_add_epi32(acc, _mm256_madd_epi16(a, b))

#ifndef INOS_AVXVNNI
/* A group of 64 bytes becomes 64 int16: even bytes of its 16 words, then odd ones. */
static inline void widen_w(const int8_t *w, int16_t *wide)
{
    for (int g = 0; g < STRIP_BYTES / 64; g++, w += 64, wide += 64)
        for (int half = 0; half < 2; half++) {
            const __m256i words = _mm256_loadu_si256((const __m256i *)(w + 32 * half));
            const __m256i even = _mm256_srai_epi16(_mm256_slli_epi16(words, 8), 8);
            _mm256_storeu_si256((__m256i *)(wide + 16 * half), even);
            _mm256_storeu_si256((__m256i *)(wide + 32 + 16 * half), _mm256_srai_epi16(words, 8));
        }
}
#endif

static inline __attribute__((always_inline)) void multiply_group(
    const uint8_t *x, const w_item *w, __m256i acc[][2], const int rows)
{
#ifdef INOS_AVXVNNI
    const __m256i left = _mm256_loadu_si256((const __m256i *)w), right = _mm256_loadu_si256((const __m256i *)(w + 32));
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++) {
        int32_t word;
        __builtin_memcpy(&word, x + 4 * r, 4);
        const __m256i row = _mm256_set1_epi32(word);
        acc[r][0] = _mm256_dpbusd_avx_epi32(acc[r][0], row, left);
        acc[r][1] = _mm256_dpbusd_avx_epi32(acc[r][1], row, right);
    }
#else
#pragma GCC unroll 2
    for (int odd = 0; odd < 2; odd++) {
        const __m256i left = _mm256_loadu_si256((const __m256i *)(w + 32 * odd));
        const __m256i right = _mm256_loadu_si256((const __m256i *)(w + 32 * odd + 16));
#pragma GCC unroll 6
        for (int r = 0; r < rows; r++) {
            int32_t word;
            __builtin_memcpy(&word, x + 64 * odd + 4 * r, 4);
            const __m256i row = _mm256_set1_epi32(word);
            acc[r][0] = DOT_WORDS(acc[r][0], row, left);
            acc[r][1] = DOT_WORDS(acc[r][1], row, right);
        }
    }
#endif
}

static inline __attribute__((always_inline)) void product_part(
    const uint8_t *x, const w_item *w, const int rows, int32_t *out, int is_new, __m256i state[2], int bare)
{
    __m256i acc[6][2], fold[2];
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
        acc[r][0] = acc[r][1] = _mm256_setzero_si256();
    fold[0] = fold[1] = _mm256_setzero_si256();
    for (int b = 0; b < STEPS; b++) {
        for (int g = 0; g < 16; g++, x += 64 * X_SCALE, w += GROUP_W)
            multiply_group(x, w, acc, rows);
        if (bare)
            continue;
#pragma GCC unroll 2
        for (int h = 0; h < 2; h++) {
            fold[h] = _mm256_or_si256(_mm256_slli_epi32(fold[h], 13), _mm256_srli_epi32(fold[h], 19));
#pragma GCC unroll 6
            for (int r = 0; r < rows; r++)
                fold[h] = _mm256_xor_si256(fold[h], acc[r][h]);
        }
    }
#pragma GCC unroll 2
    for (int h = 0; h < 2; h++) {
        state[h] = _mm256_xor_si256(state[h], fold[h]);
#pragma GCC unroll 6
        for (int r = 0; r < rows; r++) {
            __m256i *place = (__m256i *)(out + r * ROWS + 8 * h);
            __m256i sum = acc[r][h];
            if (!is_new)
                sum = _mm256_add_epi32(sum, _mm256_loadu_si256(place));
            _mm256_storeu_si256(place, sum);
        }
    }
}

/* The rows are processed as 6, 6 and 4: 12 accumulators, two registers of W' and one of X' fill the 16 registers. */
static void product(const uint8_t *x, const w_item *w, int64_t stride, int n, int32_t *acc, int is_new,
                    uint32_t *states, int bare, const ahead *next)
{
    (void)next;
    __m256i state[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    (void)stride, (void)n;
    product_part(x, w, 6, acc, is_new, state, bare);
    product_part(x + 24, w, 6, acc + 6 * ROWS, is_new, state, bare);
    product_part(x + 48, w, 4, acc + 12 * ROWS, is_new, state, bare);
    _mm256_storeu_si256((__m256i *)states, state[0]);
    _mm256_storeu_si256((__m256i *)(states + 8), state[1]);
}

static void peel(const int16_t *x, const int16_t *w, int64_t stride, int n, const int32_t *block, int32_t *start,
                 int64_t row, int64_t strip)
{
    place out = {start, row, strip};
    (void)stride, (void)n;
    for (int top = 0; top < ROWS; top += 4, x += 4 * PEEL_DEPTH, block += 4 * ROWS, out.start += 4 * out.row) {
        __m256i acc[4][2];
        for (int r = 0; r < 8; r++)
            acc[r / 2][r % 2] = _mm256_loadu_si256((const __m256i *)(block + 8 * r));
        for (int pair = 0; pair < PEEL_DEPTH / 2; pair++)
#pragma GCC unroll 8
            for (int r = 0; r < 8; r++) {
                int32_t word;
                __builtin_memcpy(&word, x + r / 2 * PEEL_DEPTH + 2 * pair, 4);
                const __m256i columns = _mm256_loadu_si256((const __m256i *)(w + (2 * pair + r % 2) * ROWS));
                acc[r / 2][r % 2] = DOT_WORDS(acc[r / 2][r % 2], _mm256_set1_epi32(word), columns);
            }
        for (int r = 0; r < 8; r++)
            _mm256_storeu_si256((__m256i *)(out.start + r / 2 * out.row + 8 * (r % 2)), acc[r / 2][r % 2]);
    }
}

/* out[row][v] += sum over pairs of a[row] . b[pair][v], for up to DOT_PAIRS pairs. */
static void dot(const int16_t *a, int64_t rows, int64_t stride, const int16_t *b, int64_t pairs, int64_t *out)
{
    for (int64_t top = 0; top < rows; top += 4) {
        const int here = (int)inos_min(4, rows - top);
        const int16_t *row[4];
        __m256i acc[4][2];
        for (int r = 0; r < 4; r++) {
            row[r] = a + (top + (r < here ? r : 0)) * stride;
            acc[r][0] = acc[r][1] = _mm256_setzero_si256();
        }
        for (int64_t pair = 0; pair < pairs; pair++)
#pragma GCC unroll 8
            for (int r = 0; r < 8; r++) {
                int32_t word;
                __builtin_memcpy(&word, row[r / 2] + 2 * pair, 4);
                const __m256i columns = _mm256_loadu_si256((const __m256i *)(b + (2 * pair + r % 2) * VECTORS));
                acc[r / 2][r % 2] = DOT_WORDS(acc[r / 2][r % 2], _mm256_set1_epi32(word), columns);
            }
        for (int r = 0; r < here; r++) {
            int32_t sums[VECTORS];
            memcpy(sums, acc[r], sizeof sums);
            for (int v = 0; v < VECTORS; v++)
                out[(top + r) * VECTORS + v] += sums[v];
        }
    }
}

/* Twelve sums hide the latency of a dot product. The sums are made opaque, so that no round is left out. */
static int64_t run_limit(int64_t rounds)
{
    __m256i sums[12], ones = _mm256_set1_epi8(1);
#pragma GCC unroll 12
    for (int s = 0; s < 12; s++)
        sums[s] = _mm256_setzero_si256();
    for (int64_t round = 0; round < rounds; round++) {
#pragma GCC unroll 12
        for (int s = 0; s < 12; s++) {
#ifdef INOS_AVXVNNI
            sums[s] = _mm256_dpbusd_avx_epi32(sums[s], ones, ones);
#else
            sums[s] = DOT_WORDS(sums[s], ones, ones);
            __asm__ volatile("" : "+x"(ones)); /* so that no product is made once for all sums */
#endif
        }
#pragma GCC unroll 12
        for (int s = 0; s < 12; s++)
            __asm__ volatile("" : "+x"(sums[s]));
    }
#ifdef INOS_AVXVNNI
    return rounds * 12 * 32;
#else
    return rounds * 12 * 16;
#endif
}
