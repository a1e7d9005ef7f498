/* Arm kernels, 128-bit. With i8mm, signed bytes are multiplied by unsigned ones. dotprod alone has only signed bytes,
 * so X' is taken 128 lower, and 128 times W' is added back once per step. */
#include <arm_neon.h>
#include <string.h>

#define TILE_W 1
#define PEEL_W 1
#define X_SCALE 1

#ifdef INOS_I8MM
#define DOT_BYTES(acc, x, w) vusdotq_s32(acc, vreinterpretq_u8_u32(x), w)
#else
#define DOT_BYTES(acc, x, w) vdotq_s32(acc, veorq_s8(vreinterpretq_s8_u32(x), vdupq_n_s8(-128)), w)
#endif

/* Four rows of X' times 16 of W' use 16 of the 32 registers. */
static inline void product_part(const uint8_t *x, const int8_t *w, int32_t *out, int is_new, uint32x4_t state[4],
                                int bare)
{
    int32x4_t acc[4][4] = {{{0}}};
    uint32x4_t fold[4] = {{0}};
    for (int b = 0; b < STEPS; b++) {
#ifndef INOS_I8MM
        int32x4_t base[4] = {{0}};
#endif
        for (int g = 0; g < 16; g++, x += 64, w += 64)
            for (int q = 0; q < 4; q++) {
                const int8x16_t columns = vld1q_s8(w + 16 * q);
                for (int r = 0; r < 4; r++) {
                    uint32_t word;
                    memcpy(&word, x + 4 * r, 4);
                    acc[r][q] = DOT_BYTES(acc[r][q], vdupq_n_u32(word), columns);
                }
#ifndef INOS_I8MM
                base[q] = vdotq_s32(base[q], vdupq_n_s8(64), columns);
#endif
            }
#ifndef INOS_I8MM
        for (int r = 0; r < 4; r++)
            for (int q = 0; q < 4; q++)
                acc[r][q] = vaddq_s32(acc[r][q], vshlq_n_s32(base[q], 1));
#endif
        for (int q = 0; !bare && q < 4; q++) {
            fold[q] = vorrq_u32(vshlq_n_u32(fold[q], 13), vshrq_n_u32(fold[q], 19));
            for (int r = 0; r < 4; r++)
                fold[q] = veorq_u32(fold[q], vreinterpretq_u32_s32(acc[r][q]));
        }
    }
    for (int q = 0; q < 4; q++) {
        state[q] = veorq_u32(state[q], fold[q]);
        for (int r = 0; r < 4; r++) {
            int32_t *place = out + r * ROWS + 4 * q;
            vst1q_s32(place, is_new ? acc[r][q] : vaddq_s32(acc[r][q], vld1q_s32(place)));
        }
    }
}

static void product(const uint8_t *x, const int8_t *w, int64_t stride, int n, int32_t *acc, int is_new,
                    uint32_t *states, int bare, const ahead *next)
{
    (void)next;
    uint32x4_t state[4] = {{0}};
    (void)stride, (void)n;
    for (int top = 0; top < ROWS; top += 4)
        product_part(x + 4 * top, w, acc + top * ROWS, is_new, state, bare);
    for (int q = 0; q < 4; q++)
        vst1q_u32(states + 4 * q, state[q]);
}

/* Sixteen sums hide the latency of a dot product. The sums are made opaque, so that no round is left out. */
static int64_t run_limit(int64_t rounds)
{
    const int8x16_t ones = vdupq_n_s8(1);
    int32x4_t sums[16] = {{0}};
    for (int64_t round = 0; round < rounds; round++) {
#pragma GCC unroll 16
        for (int s = 0; s < 16; s++)
#ifdef INOS_I8MM
            sums[s] = vusdotq_s32(sums[s], vreinterpretq_u8_s8(ones), ones);
#else
            sums[s] = vdotq_s32(sums[s], ones, ones);
#endif
#pragma GCC unroll 16
        for (int s = 0; s < 16; s++)
            __asm__ volatile("" : "+w"(sums[s]));
    }
    return rounds * 16 * 16;
}
