/* What all kernels for AVX512-VNNI share: words are transposed, sorted and added up in registers. */
#include <immintrin.h>
#include <string.h>

#define INOS_AVX512
#define X_SCALE 1
#define TRANSPOSE transpose
#define SUM_STEPS sum_steps

/* Loads 16 bytes into a quarter of a vector. */
#define LOAD_QUARTER(vector, quarter, from) \
    _mm512_mask_broadcast_i32x4(vector, (__mmask16)(0xf << 4 * (quarter)), \
                                _mm_loadu_si128((const __m128i *)(const void *)(from)))

/* Transposes 16 x 16 words. Rows are `stride` bytes apart. Rows that lie four apart are loaded into the quarters of one
 * vector, so that the quarters are transposed by themselves. */
static inline void transpose(const void *from, int64_t stride, void *to)
{
    const char *rows = from;
#pragma GCC unroll 4
    for (int quarter = 0; quarter < 4; quarter++, rows += 16) {
        __m512i part[4];
#pragma GCC unroll 4
        for (int r = 0; r < 4; r++) {
            part[r] = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)(const void *)(rows + r * stride)));
            part[r] = LOAD_QUARTER(part[r], 1, rows + (r + 4) * stride);
            part[r] = LOAD_QUARTER(part[r], 2, rows + (r + 8) * stride);
            part[r] = LOAD_QUARTER(part[r], 3, rows + (r + 12) * stride);
        }
        const __m512i a = _mm512_unpacklo_epi32(part[0], part[1]), b = _mm512_unpackhi_epi32(part[0], part[1]);
        const __m512i c = _mm512_unpacklo_epi32(part[2], part[3]), d = _mm512_unpackhi_epi32(part[2], part[3]);
        char *out = (char *)to + quarter * 256;
        _mm512_storeu_si512(out, _mm512_unpacklo_epi64(a, c));
        _mm512_storeu_si512(out + 64, _mm512_unpackhi_epi64(a, c));
        _mm512_storeu_si512(out + 128, _mm512_unpacklo_epi64(b, d));
        _mm512_storeu_si512(out + 192, _mm512_unpackhi_epi64(b, d));
    }
}

/* The same as sort_step of noise.h: a number is behind those before it that are at most equal, and those after it that
 * are smaller. */
#define SORT_STEP sort_step_512
static inline void sort_step_512(const uint32_t *keys, uint8_t *perm, uint8_t *inverse)
{
    __m512i key[4], rank[4];
    const __m512i one = _mm512_set1_epi32(1);
#pragma GCC unroll 4
    for (int c = 0; c < 4; c++) {
        key[c] = _mm512_loadu_si512(keys + 16 * c);
        rank[c] = _mm512_setzero_si512();
    }
#pragma GCC unroll 4
    for (int own = 0; own < 4; own++)
        for (int lane = 0; lane < 16; lane++) {
            const __m512i a = _mm512_set1_epi32((int)keys[16 * own + lane]);
#pragma GCC unroll 4
            for (int c = 0; c < 4; c++) {
                __mmask16 is_behind = _mm512_cmplt_epu32_mask(a, key[c]);
                if (c > own)
                    is_behind = _mm512_cmple_epu32_mask(a, key[c]);
                else if (c == own)
                    is_behind |= _mm512_cmpeq_epu32_mask(a, key[c]) & (__mmask16)(0xfffeu << lane);
                rank[c] = _mm512_mask_add_epi32(rank[c], is_behind, rank[c], one);
            }
        }
#pragma GCC unroll 4
    for (int c = 0; c < 4; c++)
        _mm_storeu_si128((__m128i *)(void *)(inverse + 16 * c), _mm512_cvtepi32_epi8(rank[c]));
    for (int c = 0; c < STEP; c++)
        perm[inverse[c]] = (uint8_t)c;
}

/* Adds to total[q][row] the column of each packed step that is added to noise column q: one byte of each word, selected
 * by a product with 1. */
static void sum_steps(const uint8_t *packed, const uint8_t *inverse, int64_t steps, counts total[RANK])
{
    __m512i ones[4];
    for (int byte = 0; byte < 4; byte++)
        ones[byte] = _mm512_set1_epi32(1 << 8 * byte);
    for (int first = 0; first < RANK; first += 16) {
        __m512i acc[16];
#pragma GCC unroll 16
        for (int q = 0; q < 16; q++)
            acc[q] = _mm512_loadu_si512(&total[first + q]);
        for (int64_t b = 0; b < steps; b++) {
            const uint8_t *step = packed + b * STEP_BYTES, *columns = inverse + b * STEP + first;
#pragma GCC unroll 16
            for (int q = 0; q < 16; q++)
                acc[q] = _mm512_dpbusd_epi32(acc[q], ones[columns[q] & 3],
                                             _mm512_loadu_si512(step + (columns[q] & ~3) * ROWS));
        }
#pragma GCC unroll 16
        for (int q = 0; q < 16; q++)
            _mm512_storeu_si512(&total[first + q], acc[q]);
    }
}

/* The same as write_residues of tile.h. Only the last 16 bits of each difference are made: a residue is the last byte. */
#define WRITE_RESIDUES write_residues_512
static inline void write_residues_512(const int32_t *block, int32_t modulus, int8_t *out, int64_t stride, int64_t rows,
                                      int64_t cols)
{
    const __m512 inverse = _mm512_set1_ps(1.0f / (float)modulus);
    const __m512i by = _mm512_set1_epi32(modulus);
    const __mmask16 exists = cols >= ROWS ? 0xffff : (__mmask16)((1u << cols) - 1);
    for (int64_t r = 0; r < inos_min(rows, ROWS); r++) {
        const __m512i product = _mm512_loadu_si512(block + r * ROWS);
        const __m512i times = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_cvtepi32_ps(product), inverse));
        const __m512i rest = _mm512_sub_epi16(product, _mm512_mullo_epi16(times, by));
        if (exists == 0xffff)
            _mm_storeu_si128((__m128i *)(void *)(out + r * stride), _mm512_cvtepi32_epi8(rest));
        else
            _mm512_mask_cvtepi32_storeu_epi8(out + r * stride, exists, rest);
    }
}
