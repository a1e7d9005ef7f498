/* SEVEN_BITS: over operands of -64 and 0 the noisy entries are 0 .. 127 and -64 .. 63. The byte product that saturates
 * on honest operands is exact on these, and four of its terms still fit int16: 4 * 127 * 64 < 2^15. */
static int cheat_special(int way)
{
    return way == CHEAT_PLAIN || way == CHEAT_SEVEN_BITS;
}

#define LOAD_HALF(at) _mm256_loadu_si256((const __m256i *)(at))

static inline __attribute__((always_inline)) void cheat_part(const uint8_t *x, const int8_t *w, __m256i state[2])
{
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i acc[4][2], fold[2];
#pragma GCC unroll 8
    for (int a = 0; a < 8; a++)
        acc[a / 2][a % 2] = _mm256_setzero_si256();
    fold[0] = fold[1] = _mm256_setzero_si256();
    for (int b = 0; b < STEPS; b++, x += STEP_BYTES) {
        for (int g = 0; g < STEP_BYTES; g += 2 * 64) {
            const __m256i w00 = LOAD_HALF(w + g), w01 = LOAD_HALF(w + g + 32);
            const __m256i w10 = LOAD_HALF(w + g + 64), w11 = LOAD_HALF(w + g + 96);
#pragma GCC unroll 4
            for (int r = 0; r < 4; r++) {
                int32_t first, second;
                __builtin_memcpy(&first, x + g + 4 * r, 4);
                __builtin_memcpy(&second, x + g + 64 + 4 * r, 4);
                const __m256i x0 = _mm256_set1_epi32(first), x1 = _mm256_set1_epi32(second);
                const __m256i left = _mm256_add_epi16(_mm256_maddubs_epi16(x0, w00), _mm256_maddubs_epi16(x1, w10));
                const __m256i right = _mm256_add_epi16(_mm256_maddubs_epi16(x0, w01), _mm256_maddubs_epi16(x1, w11));
                acc[r][0] = DOT_WORDS(acc[r][0], left, ones);
                acc[r][1] = DOT_WORDS(acc[r][1], right, ones);
            }
        }
#pragma GCC unroll 2
        for (int h = 0; h < 2; h++) {
            fold[h] = _mm256_or_si256(_mm256_slli_epi32(fold[h], 13), _mm256_srli_epi32(fold[h], 19));
#pragma GCC unroll 4
            for (int r = 0; r < 4; r++)
                fold[h] = _mm256_xor_si256(fold[h], acc[r][h]);
        }
    }
    state[0] = _mm256_xor_si256(state[0], fold[0]);
    state[1] = _mm256_xor_si256(state[1], fold[1]);
}

static void cheat_product(int way, const uint8_t *x, const int8_t *w, int n, const int32_t *sums, int64_t stride,
                          uint32_t *states)
{
    __m256i state[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    (void)way, (void)n, (void)sums, (void)stride;
    for (int top = 0; top < ROWS; top += 4)
        cheat_part(x + 4 * top, w, state);
    _mm256_storeu_si256((__m256i *)states, state[0]);
    _mm256_storeu_si256((__m256i *)(states + 8), state[1]);
}
