/* What AVX2 does better than the compiler: products of even and odd lanes, and gathers. */
#include <immintrin.h>

#define HAS_MUL_LONG
#define HAS_TABLES
#include "plain.h"

DEFINE_LONG(plain_mul_long_32, int32_t)

/* AVX2 has no arithmetic shift of 64 bits: the sign is moved into an offset that the shift does not change. */
static inline __m256i shift_right(__m256i x, __m256i sign, __m128i shift)
{
    return _mm256_sub_epi64(_mm256_srl_epi64(_mm256_xor_si256(x, sign), shift), _mm256_srl_epi64(sign, shift));
}

static void mul_long_32(const int32_t *restrict a, const int32_t *restrict b, int32_t *restrict out, int64_t n, int p,
                        int64_t q)
{
    int64_t i = 0;
    __m256i half = _mm256_set1_epi64x(q), sign = _mm256_set1_epi64x(INT64_MIN);
    __m128i shift = _mm_cvtsi32_si128(p);
    for (; i + 8 <= n; i += 8) {
        __m256i x = _mm256_loadu_si256((const __m256i *)(a + i)), y = _mm256_loadu_si256((const __m256i *)(b + i));
        __m256i even = _mm256_mul_epi32(x, y);
        __m256i odd = _mm256_mul_epi32(_mm256_srli_epi64(x, 32), _mm256_srli_epi64(y, 32));
        even = shift_right(_mm256_add_epi64(even, half), sign, shift);
        odd = shift_right(_mm256_add_epi64(odd, half), sign, shift);
        _mm256_storeu_si256((__m256i *)(out + i), _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa));
    }
    plain_mul_long_32(a + i, b + i, out + i, n - i, p, q);
}

/* A gather reads four bytes, so the last three entries are reached from the fourth last, and shifted. */
static void table_1(const int32_t *restrict at, int16_t *restrict out, int64_t n, const int8_t *restrict table,
                    int64_t size)
{
    int64_t i = 0;
    __m256i last = _mm256_set1_epi32((int)size - 4);
    for (; size >= 4 && i + 8 <= n; i += 8) {
        __m256i place = _mm256_loadu_si256((const __m256i *)(at + i)), near = _mm256_min_epi32(place, last);
        __m256i entry = _mm256_i32gather_epi32((const int *)table, near, 1);
        entry = _mm256_srlv_epi32(entry, _mm256_slli_epi32(_mm256_sub_epi32(place, near), 3));
        entry = _mm256_srai_epi32(_mm256_slli_epi32(entry, 24), 24);
        entry = _mm256_permute4x64_epi64(_mm256_packs_epi32(entry, entry), 0x08);
        _mm_storeu_si128((__m128i *)(out + i), _mm256_castsi256_si128(entry));
    }
    plain_table_1(at + i, out + i, n - i, table, size);
}

static void table_4(const int32_t *restrict at, int32_t *restrict out, int64_t n, const int32_t *restrict table,
                    int64_t size)
{
    int64_t i = 0;
    (void)size;
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_si256((__m256i *)(out + i),
                            _mm256_i32gather_epi32(table, _mm256_loadu_si256((const __m256i *)(at + i)), 4));
    for (; i < n; i++)
        out[i] = table[at[i]];
}
