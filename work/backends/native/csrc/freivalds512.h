/* Freivalds' check with AVX512-VNNI, which multiplies bytes by bytes, four products per instruction and lane. R's bytes
 * are unsigned. W^T R uses W's bytes. X (W^T R) uses X + 128, and W^T R in signed digits to the base 256. Y R uses the
 * four bytes of each entry of Y, of which the lower three are reduced by 128 to make them signed. Column sums of R and
 * of W^T R correct these offsets. With AMX both of the latter are made by `freivalds_amx.h`. */
#define R_ROW_BYTES VECTORS
#define P_ROW_BYTES (5 * VECTORS)
#define PROJECT_COLUMNS 256
#define DOT_ROWS 16
#define X_BLOCK 1024
#define Y_BLOCK 512
/* 255 * 128 * 4 * 2^14 < 2^31, so the products of this many rows of W, or columns of X, are added up in int32. */
#define MAX_SUM 65536

/* Rows of 16 bytes as [row / 4][16][4], four rows at a time, against which values are broadcast. */
static inline void write_quad(const uint8_t *rows, int64_t count, uint8_t *out)
{
    __m128i row[4];
    for (int r = 0; r < 4; r++)
        row[r] = r < count ? _mm_loadu_si128((const __m128i *)(rows + VECTORS * r)) : _mm_setzero_si128();
    const __m128i a = _mm_unpacklo_epi8(row[0], row[1]), b = _mm_unpackhi_epi8(row[0], row[1]);
    const __m128i c = _mm_unpacklo_epi8(row[2], row[3]), d = _mm_unpackhi_epi8(row[2], row[3]);
    _mm_storeu_si128((__m128i *)out, _mm_unpacklo_epi16(a, c));
    _mm_storeu_si128((__m128i *)(out + 16), _mm_unpackhi_epi16(a, c));
    _mm_storeu_si128((__m128i *)(out + 32), _mm_unpacklo_epi16(b, d));
    _mm_storeu_si128((__m128i *)(out + 48), _mm_unpackhi_epi16(b, d));
}

static inline void add_wide(int64_t *sums, __m512i acc, int shift)
{
    const __m512i low = _mm512_cvtepi32_epi64(_mm512_castsi512_si256(acc));
    const __m512i high = _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(acc, 1));
    const __m128i by = _mm_cvtsi32_si128(shift);
    _mm512_storeu_si512(sums, _mm512_add_epi64(_mm512_loadu_si512(sums), _mm512_sll_epi64(low, by)));
    _mm512_storeu_si512(sums + 8, _mm512_add_epi64(_mm512_loadu_si512(sums + 8), _mm512_sll_epi64(high, by)));
}

#ifdef INOS_AMX
#include "freivalds_amx.h"
#else
static inline int64_t place_quad(int64_t quad)
{
    return quad;
}
#endif

static void form_r(inos_check *job)
{
    for (int64_t row = 0; row < job->n; row += 4)
        write_quad(job->vectors + row * VECTORS, job->n - row, job->form_r + place_quad(row / 4) * 4 * VECTORS);
    for (int64_t row = 0; row < job->n; row++)
        for (int v = 0; v < VECTORS; v++)
            job->sums_r[v] += job->vectors[row * VECTORS + v];
}

/* Digits to the base 256, -128 .. 127, as many as the largest number needs, as [digit][row / 4][16][4]. */
static void form_p(inos_check *job)
{
    const int64_t size = (job->k + 3) / 4 * 4 * VECTORS;
    int64_t largest = 0, limit = 127;
    for (int64_t at = 0; at < job->k * VECTORS; at++) {
        const int64_t value = job->projected[at], positive = value < 0 ? -value : value;
        largest = positive > largest ? positive : largest;
        job->sums_p[at % VECTORS] += value;
    }
    for (job->limbs = 1; limit < largest; job->limbs++)
        limit = limit * 256 + 127;
    for (int64_t row = 0; row < job->k; row += 4) {
        int64_t rest[4 * VECTORS] = {0};
        memcpy(rest, job->projected + row * VECTORS, (size_t)(8 * VECTORS * inos_min(4, job->k - row)));
        for (int64_t limb = 0; limb < job->limbs; limb++) {
            uint8_t digits[4 * VECTORS];
            for (int at = 0; at < 4 * VECTORS; at++) {
                digits[at] = (uint8_t)rest[at];
                rest[at] = (rest[at] - (int8_t)digits[at]) >> 8;
            }
            write_quad(digits, 4, job->form_p + limb * size + row * VECTORS);
        }
    }
}

/* 128 rows of W by 64 columns as [quad of rows][4 groups][16 columns][4 rows], zero beyond the matrix; a group has
 * columns 4g .. 4g + 3 of each 16. */
static inline void turn_rows(const int8_t *w, int64_t stride, int64_t rows, int64_t cols, __m512i block[32][4])
{
    const __mmask64 mask = cols >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << cols) - 1;
    for (int64_t quad = 0; quad < (rows + 3) / 4; quad++) {
        __m512i row[4];
        for (int r = 0; r < 4; r++) {
            const int64_t at = 4 * quad + r;
            __builtin_prefetch((const void *)((uintptr_t)w + (uintptr_t)((at + 128) * stride)));
            row[r] = _mm512_maskz_loadu_epi8(at < rows ? mask : 0, w + (at < rows ? at : 0) * stride);
        }
        const __m512i a = _mm512_unpacklo_epi8(row[0], row[1]), b = _mm512_unpackhi_epi8(row[0], row[1]);
        const __m512i c = _mm512_unpacklo_epi8(row[2], row[3]), d = _mm512_unpackhi_epi8(row[2], row[3]);
        block[quad][0] = _mm512_unpacklo_epi16(a, c);
        block[quad][1] = _mm512_unpackhi_epi16(a, c);
        block[quad][2] = _mm512_unpacklo_epi16(b, d);
        block[quad][3] = _mm512_unpackhi_epi16(b, d);
    }
}

/* Adds R^T times a block to sums[vector][group]. */
static inline void add_block(const uint8_t *vectors, __m512i block[32][4], int64_t quads, __m512i sums[VECTORS][4])
{
    for (int v = 0; v < VECTORS; v += 4) {
        __m512i acc[16];
#pragma GCC unroll 16
        for (int a = 0; a < 16; a++)
            acc[a] = sums[v + a / 4][a % 4];
        for (int64_t quad = 0; quad < quads; quad++)
#pragma GCC unroll 4
            for (int r = 0; r < 4; r++) {
                int32_t word;
                __builtin_memcpy(&word, vectors + place_quad(quad) * 64 + 4 * (v + r), 4);
                const __m512i row = _mm512_set1_epi32(word);
#pragma GCC unroll 4
                for (int g = 0; g < 4; g++)
                    acc[4 * r + g] = _mm512_dpbusd_epi32(acc[4 * r + g], row, block[quad][g]);
            }
#pragma GCC unroll 16
        for (int a = 0; a < 16; a++)
            sums[v + a / 4][a % 4] = acc[a];
    }
}

/* Computes W^T R for columns [first, last). */
static void project_columns(const inos_check *job, int64_t first, int64_t last)
{
    for (int64_t base = 0; base < job->n; base += MAX_SUM) {
        __m512i sums[PROJECT_COLUMNS / 64][VECTORS][4], block[32][4];
        const int64_t end = inos_min(base + MAX_SUM, job->n);
        memset(sums, 0, sizeof sums);
        for (int64_t top = base; top < end; top += 128) {
            const int64_t rows = inos_min(128, end - top);
            for (int64_t left = first; left < last; left += 64) {
                turn_rows(job->w + top * job->k + left, job->k, rows, last - left, block);
                add_block(job->form_r + top * VECTORS, block, (rows + 3) / 4, sums[(left - first) / 64]);
            }
        }
        for (int64_t c = first; c < last; c++)
            for (int v = 0; v < VECTORS; v++) {
                const int64_t at = c - first, lane = at % 64 / 16 * 4 + at % 4;
                int32_t group[16];
                memcpy(group, &sums[at / 64][v][at % 16 / 4], sizeof group);
                job->projected[c * VECTORS + v] += group[lane];
            }
    }
}

#ifndef INOS_AMX
/* Adds X (W^T R) to sums[row][v], for up to 16 rows. */
static void multiply_x(const inos_check *job, int64_t top, int64_t rows, int64_t *sums)
{
    const int64_t size = (job->k + 3) / 4 * 4 * VECTORS;
    uint8_t block[DOT_ROWS][X_BLOCK] __attribute__((aligned(64)));
    for (int64_t left = 0; left < job->k; left += X_BLOCK) {
        const int64_t cols = inos_min(X_BLOCK, job->k - left);
        for (int64_t r = 0; r < DOT_ROWS; r++) {
            const int8_t *row = job->x + (top + (r < rows ? r : 0)) * job->k + left;
            for (int64_t c = 0; c < cols; c++)
                block[r][c] = (uint8_t)row[c] ^ 0x80;
            for (int64_t c = cols; c < (cols + 3) / 4 * 4; c++)
                block[r][c] = 0;
        }
        for (int64_t limb = 0; limb < job->limbs; limb++) {
            const uint8_t *digits = job->form_p + limb * size + left * VECTORS;
            __m512i acc[DOT_ROWS];
#pragma GCC unroll 16
            for (int r = 0; r < DOT_ROWS; r++)
                acc[r] = _mm512_setzero_si512();
            for (int64_t quad = 0; quad < (cols + 3) / 4; quad++) {
                const __m512i columns = _mm512_loadu_si512(digits + quad * 64);
#pragma GCC unroll 16
                for (int r = 0; r < DOT_ROWS; r++) {
                    int32_t word;
                    __builtin_memcpy(&word, block[r] + 4 * quad, 4);
                    acc[r] = _mm512_dpbusd_epi32(acc[r], _mm512_set1_epi32(word), columns);
                }
            }
            for (int64_t r = 0; r < rows; r++)
                add_wide(sums + r * VECTORS, acc[r], (int)(8 * limb));
        }
    }
}

/* Adds Y R to sums[row][v], four rows at a time. Bytes of four neighbours are put together, lowest first. */
static void multiply_y(const inos_check *job, int64_t top, int64_t rows, int64_t *sums)
{
    const __m512i order = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    const __m512i half = _mm512_set1_epi32(0x00808080);
    int32_t block[4][Y_BLOCK] __attribute__((aligned(64)));
    for (int64_t left = 0; left < job->n; left += Y_BLOCK) {
        const int64_t cols = inos_min(Y_BLOCK, job->n - left);
        __m512i acc[16];
        for (int64_t r = 0; r < 4; r++) {
            const int32_t *row = job->y + (top + (r < rows ? r : 0)) * job->n + left;
            for (int64_t c = 0; c < cols; c += 16) {
                const __mmask16 mask = cols - c >= 16 ? 0xffff : (__mmask16)((1u << (cols - c)) - 1);
                __builtin_prefetch((const void *)((uintptr_t)(row + c) + 4 * Y_BLOCK));
                const __m512i entries = _mm512_xor_si512(_mm512_maskz_loadu_epi32(mask, row + c), half);
                _mm512_store_si512(block[r] + c, _mm512_shuffle_epi8(entries, order));
            }
        }
#pragma GCC unroll 16
        for (int a = 0; a < 16; a++)
            acc[a] = _mm512_setzero_si512();
        for (int64_t quad = 0; quad < (cols + 3) / 4; quad++) {
            const __m512i columns = _mm512_loadu_si512(job->form_r + (left + 4 * quad) * VECTORS);
#pragma GCC unroll 16
            for (int a = 0; a < 16; a++)
                acc[a] = _mm512_dpbusd_epi32(acc[a], columns, _mm512_set1_epi32(block[a / 4][4 * quad + a % 4]));
        }
        for (int64_t a = 0; a < 4 * rows && a < 16; a++)
            add_wide(sums + a / 4 * VECTORS, acc[a], (int)(8 * (a % 4)));
    }
}

/* Returns whether both sides are equal in rows [first, last). Both stay below 2^60, so the comparison is exact. */
static int compare_rows(const inos_check *job, int64_t first, int64_t last)
{
    for (int64_t top = first; top < last; top += DOT_ROWS) {
        const int64_t rows = inos_min(DOT_ROWS, last - top);
        int64_t left[DOT_ROWS * VECTORS] = {0}, right[DOT_ROWS * VECTORS] = {0};
        take_rows(job, top, rows);
        multiply_x(job, top, rows, left);
        for (int64_t r = 0; r < rows; r += 4)
            multiply_y(job, top + r, inos_min(4, rows - r), right + r * VECTORS);
        for (int64_t at = 0; at < rows * VECTORS; at++)
            if (left[at] - 128 * job->sums_p[at % VECTORS] != right[at] + 0x808080 * job->sums_r[at % VECTORS])
                return 0;
    }
    return 1;
}
#endif
