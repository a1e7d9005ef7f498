/* Products by AVX512-VNNI. R rows of X' times N strips of W' are held in registers. The state of a ticket is linear over
 * XOR, so the rows' parts are kept apart and combined at the end. */

/* 8 x 32 and 4 x 64 were the fastest for the product and the peeling, since the processor loads two registers and
 * multiplies two per cycle. */
#define PART_ROWS 8
#define TILE_W 2
#define PEEL_ROWS 4
#define PEEL_W 4

static inline __attribute__((always_inline)) void product_part(
    const uint8_t *x, const int8_t *w, int64_t stride, const int n, const int rows, int32_t *acc_out,
    const int is_new, uint32_t *states, const int is_first, const int bare, const ahead *next)
{
    const int64_t past = is_first ? 0 : AHEAD_BYTES / 2;
    __m512i acc[PART_ROWS * TILE_W], state[TILE_W];
#pragma GCC unroll 32
    for (int a = 0; a < n * rows; a++)
        acc[a] = _mm512_setzero_si512();
#pragma GCC unroll 4
    for (int s = 0; s < n; s++)
        state[s] = _mm512_setzero_si512();
    for (int b = 0; b < STEPS; b++) {
#pragma GCC unroll 4
        for (int g = 0; g < 16; g++) {
            __m512i columns[TILE_W];
#pragma GCC unroll 4
            for (int s = 0; s < n; s++)
                columns[s] = _mm512_loadu_si512(w + s * stride + g * 64);
#pragma GCC unroll 16
            for (int r = 0; r < rows; r++) {
                int32_t word;
                __builtin_memcpy(&word, x + g * 64 + r * 4, 4);
                const __m512i row = _mm512_set1_epi32(word);
#pragma GCC unroll 4
                for (int s = 0; s < n; s++)
                    acc[r * n + s] = _mm512_dpbusd_epi32(acc[r * n + s], row, columns[s]);
            }
        }
        x += STEP_BYTES;
        w += STEP_BYTES;
        __builtin_prefetch((const void *)(next->x + (uintptr_t)(past + b * 64)), 0, 2);
        __builtin_prefetch((const void *)(next->w + (uintptr_t)(past + b * 64)), 0, 2);
        if (!bare) {
#pragma GCC unroll 4
            for (int s = 0; s < n; s++) {
                __m512i fold = _mm512_rol_epi32(state[s], 13);
#pragma GCC unroll 16
                for (int r = 0; r < rows; r += 2)
                    fold = _mm512_ternarylogic_epi32(fold, acc[r * n + s], acc[(r + 1) * n + s], 0x96);
                state[s] = fold;
            }
        }
    }
#pragma GCC unroll 4
    for (int s = 0; s < n; s++) {
        if (!bare) {
            if (!is_first)
                state[s] = _mm512_xor_si512(state[s], _mm512_loadu_si512(states + s * STATE_WORDS));
            _mm512_storeu_si512(states + s * STATE_WORDS, state[s]);
        }
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++) {
            int32_t *place = acc_out + s * ROWS * ROWS + r * ROWS;
            __m512i sum = acc[r * n + s];
            if (!is_new)
                sum = _mm512_add_epi32(sum, _mm512_loadu_si512(place));
            _mm512_storeu_si512(place, sum);
        }
    }
}

static __attribute__((noinline)) void product_full(
    const uint8_t *x, const int8_t *w, int64_t stride, int32_t *acc, int is_new, uint32_t *states,
    const ahead *next)
{
    for (int top = 0; top < ROWS; top += PART_ROWS)
        product_part(x + 4 * top, w, stride, TILE_W, PART_ROWS, acc + top * ROWS, is_new, states, top == 0, 0,
                     next);
}

static __attribute__((noinline)) void product_bare(
    const uint8_t *x, const int8_t *w, int64_t stride, int32_t *acc, int is_new, const ahead *next)
{
    for (int top = 0; top < ROWS; top += PART_ROWS)
        product_part(x + 4 * top, w, stride, TILE_W, PART_ROWS, acc + top * ROWS, is_new, 0, top == 0, 1, next);
}

static __attribute__((noinline)) void product_one(
    const uint8_t *x, const int8_t *w, int32_t *acc, int is_new, uint32_t *states, int bare,
    const ahead *next)
{
    for (int top = 0; top < ROWS; top += PART_ROWS)
        product_part(x + 4 * top, w, 0, 1, PART_ROWS, acc + top * ROWS, is_new, states, top == 0, bare, next);
}

static inline void product(const uint8_t *x, const int8_t *w, int64_t stride, int n, int32_t *acc, int is_new,
                           uint32_t *states, int bare, const ahead *next)
{
    if (n < TILE_W)
        for (int s = 0; s < n; s++)
            product_one(x, w + s * stride, acc + s * ROWS * ROWS, is_new, states + s * STATE_WORDS, bare, next);
    else if (bare)
        product_bare(x, w, stride, acc, is_new, next);
    else
        product_full(x, w, stride, acc, is_new, states, next);
}

static inline __attribute__((always_inline)) void peel_part(
    const int16_t *x, const int16_t *w, int64_t stride, const int n, const int32_t *block, const place *out)
{
    __m512i acc[PEEL_ROWS * PEEL_W];
#pragma GCC unroll 32
    for (int a = 0; a < n * PEEL_ROWS; a++)
        acc[a] = _mm512_loadu_si512(block + (a % n) * ROWS * ROWS + (a / n) * ROWS);
#pragma GCC unroll 4
    for (int pair = 0; pair < PEEL_DEPTH / 2; pair++) {
        __m512i columns[PEEL_W];
#pragma GCC unroll 4
        for (int s = 0; s < n; s++)
            columns[s] = _mm512_loadu_si512(w + s * stride + pair * 2 * ROWS);
#pragma GCC unroll 16
        for (int r = 0; r < PEEL_ROWS; r++) {
            int32_t word;
            __builtin_memcpy(&word, x + r * PEEL_DEPTH + pair * 2, 4);
            const __m512i row = _mm512_set1_epi32(word);
#pragma GCC unroll 4
            for (int s = 0; s < n; s++)
                acc[r * n + s] = _mm512_dpwssd_epi32(acc[r * n + s], row, columns[s]);
        }
    }
#pragma GCC unroll 32
    for (int a = 0; a < n * PEEL_ROWS; a++)
        _mm512_storeu_si512(out->start + (a % n) * out->strip + (a / n) * out->row, acc[a]);
}

static void peel(const int16_t *x, const int16_t *w, int64_t stride, int n, const int32_t *block, int32_t *start,
                 int64_t row, int64_t strip)
{
    place out = {start, row, strip};
    for (int top = 0; top < ROWS; top += PEEL_ROWS) {
        if (n == PEEL_W)
            peel_part(x, w, stride, PEEL_W, block, &out);
        else
            for (int s = 0; s < n; s++) {
                const place here = {out.start + s * out.strip, out.row, 0};
                peel_part(x, w + s * stride, 0, 1, block + s * ROWS * ROWS, &here);
            }
        x += PEEL_ROWS * PEEL_DEPTH;
        block += PEEL_ROWS * ROWS;
        out.start += PEEL_ROWS * out.row;
    }
}

/* Sixteen sums hide the latency of a dot product. The sums are made opaque, so that no round is left out. */
static int64_t run_limit(int64_t rounds)
{
    const __m512i ones = _mm512_set1_epi8(1);
    __m512i sums[16];
#pragma GCC unroll 16
    for (int s = 0; s < 16; s++)
        sums[s] = _mm512_setzero_si512();
    for (int64_t round = 0; round < rounds; round++) {
#pragma GCC unroll 16
        for (int s = 0; s < 16; s++)
            sums[s] = _mm512_dpbusd_epi32(sums[s], ones, ones);
#pragma GCC unroll 16
        for (int s = 0; s < 16; s++)
            __asm__ volatile("" : "+v"(sums[s]));
    }
    return rounds * 16 * 64;
}
