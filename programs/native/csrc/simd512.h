/* What AVX512 does better than the compiler: products of even and odd lanes, and gathers. */
#include <immintrin.h>

#define HAS_MUL_LONG
#define HAS_TABLES
#include "plain.h"

static void mul_long_32(const int32_t *restrict a, const int32_t *restrict b, int32_t *restrict out, int64_t n, int p,
                        int64_t q)
{
    __m512i half = _mm512_set1_epi64(q);
    __m128i shift = _mm_cvtsi32_si128(p);
    for (int64_t i = 0; i < n; i += 16) {
        __mmask16 some = n - i < 16 ? (__mmask16)((1 << (n - i)) - 1) : 0xffff;
        __m512i x = _mm512_maskz_loadu_epi32(some, a + i), y = _mm512_maskz_loadu_epi32(some, b + i);
        __m512i even = _mm512_mul_epi32(x, y);
        __m512i odd = _mm512_mul_epi32(_mm512_srli_epi64(x, 32), _mm512_srli_epi64(y, 32));
        even = _mm512_sra_epi64(_mm512_add_epi64(even, half), shift);
        odd = _mm512_sra_epi64(_mm512_add_epi64(odd, half), shift);
        _mm512_mask_storeu_epi32(out + i, some, _mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64(odd, 32)));
    }
}

/* A gather reads four bytes, so the last three entries are reached from the fourth last, and shifted. */
static void table_1(const int32_t *restrict at, int16_t *restrict out, int64_t n, const int8_t *restrict table,
                    int64_t size)
{
    int64_t i = 0;
    __m512i last = _mm512_set1_epi32((int)size - 4);
    for (; size >= 4 && i + 16 <= n; i += 16) {
        __m512i place = _mm512_loadu_si512(at + i), near = _mm512_min_epi32(place, last);
        __m512i entry = _mm512_i32gather_epi32(near, table, 1);
        entry = _mm512_srlv_epi32(entry, _mm512_slli_epi32(_mm512_sub_epi32(place, near), 3));
        entry = _mm512_srai_epi32(_mm512_slli_epi32(entry, 24), 24);
        _mm256_storeu_si256((__m256i *)(out + i), _mm512_cvtepi32_epi16(entry));
    }
    plain_table_1(at + i, out + i, n - i, table, size);
}

static void table_4(const int32_t *restrict at, int32_t *restrict out, int64_t n, const int32_t *restrict table,
                    int64_t size)
{
    int64_t i = 0;
    (void)size;
    for (; i + 16 <= n; i += 16)
        _mm512_storeu_si512(out + i, _mm512_i32gather_epi32(_mm512_loadu_si512(at + i), table, 4));
    for (; i < n; i++)
        out[i] = table[at[i]];
}
