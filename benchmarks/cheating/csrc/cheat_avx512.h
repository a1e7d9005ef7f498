/* FACTORS: W' of two strips is the same 2 KiB at every step and stays in the first cache.
 * REUSE: the sums of the operands themselves are read, and only the noise is multiplied. */
static int cheat_special(int way)
{
    return way == CHEAT_PLAIN || way == CHEAT_FACTORS || way == CHEAT_REUSE;
}

static inline __attribute__((always_inline)) void cheat_part(
    const uint8_t *x, const int8_t *w, const int n, const int is_reuse, const int32_t *sums, int64_t stride,
    int64_t w_strip, uint32_t *states, const int is_first)
{
    __m512i acc[PART_ROWS * TILE_W], state[TILE_W];
#pragma GCC unroll 32
    for (int a = 0; a < n * PART_ROWS; a++)
        acc[a] = _mm512_setzero_si512();
#pragma GCC unroll 4
    for (int s = 0; s < n; s++)
        state[s] = _mm512_setzero_si512();
    for (int b = 0; b < STEPS; b++, x += STEP_BYTES) {
#pragma GCC unroll 4
        for (int g = 0; g < 16; g++) {
            __m512i columns[TILE_W];
#pragma GCC unroll 4
            for (int s = 0; s < n; s++)
                columns[s] = _mm512_loadu_si512(w + s * w_strip + (is_reuse ? b * STEP_BYTES : 0) + g * 64);
#pragma GCC unroll 16
            for (int r = 0; r < PART_ROWS; r++) {
                int32_t word;
                __builtin_memcpy(&word, x + g * 64 + r * 4, 4);
                const __m512i row = _mm512_set1_epi32(word);
#pragma GCC unroll 4
                for (int s = 0; s < n; s++)
                    acc[r * n + s] = _mm512_dpbusd_epi32(acc[r * n + s], row, columns[s]);
            }
        }
#pragma GCC unroll 4
        for (int s = 0; s < n; s++) {
            __m512i fold = _mm512_rol_epi32(state[s], 13);
#pragma GCC unroll 16
            for (int r = 0; r < PART_ROWS; r++) {
                __m512i sum = acc[r * n + s];
                if (is_reuse)
                    sum = _mm512_add_epi32(sum, _mm512_loadu_si512(sums + s * stride + (b * ROWS + r) * ROWS));
                fold = _mm512_xor_si512(fold, sum);
            }
            state[s] = fold;
        }
    }
#pragma GCC unroll 4
    for (int s = 0; s < n; s++) {
        if (!is_first)
            state[s] = _mm512_xor_si512(state[s], _mm512_loadu_si512(states + s * STATE_WORDS));
        _mm512_storeu_si512(states + s * STATE_WORDS, state[s]);
    }
}

static __attribute__((noinline)) void cheat_factors(const uint8_t *x, const int8_t *w, uint32_t *states)
{
    for (int top = 0; top < ROWS; top += PART_ROWS)
        cheat_part(x + 4 * top, w, TILE_W, 0, 0, 0, STEP_BYTES, states, top == 0);
}

static __attribute__((noinline)) void cheat_reuse(const uint8_t *x, const int8_t *w, const int32_t *sums,
                                                  int64_t stride, uint32_t *states)
{
    for (int top = 0; top < ROWS; top += PART_ROWS)
        cheat_part(x + 4 * top, w, TILE_W, 1, sums + top * ROWS, stride, STRIP_BYTES, states, top == 0);
}

/* Multiplies two strips of W at once, and a last odd one alone. */
static void cheat_product(int way, const uint8_t *x, const int8_t *w, int n, const int32_t *sums, int64_t stride,
                          uint32_t *states)
{
    const int is_reuse = way == CHEAT_REUSE;
    if (n == TILE_W && is_reuse)
        cheat_reuse(x, w, sums, stride, states);
    else if (n == TILE_W)
        cheat_factors(x, w, states);
    else
        for (int top = 0; top < ROWS; top += PART_ROWS)
            cheat_part(x + 4 * top, w, 1, is_reuse, sums ? sums + top * ROWS : 0, 0, 0, states, top == 0);
}
