/* Kernels in plain C, for any little-endian processor: int16 operands, loops the compiler can vectorise. */
#include <string.h>

#define TILE_W 1
#define PEEL_W 1
#define X_SCALE 2
#define WIDEN_W widen_w

/* A group's 16 words of four bytes become four rows of 16 int16, by column of the group, even ones first. */
static inline void widen_w(const int8_t *w, int16_t *wide)
{
    static const int order[4] = {0, 2, 1, 3};
    for (int g = 0; g < STRIP_BYTES / 64; g++, w += 64, wide += 64)
        for (int t = 0; t < 4; t++)
            for (int c = 0; c < ROWS; c++)
                wide[t * ROWS + c] = w[4 * c + order[t]];
}

/* Multiplies two columns of a group: one row of X' times 16 rows of W'. */
static inline void multiply_pair(const int16_t *x, const int16_t *w, int32_t *acc)
{
    const int16_t first = x[0], second = x[1];
    for (int c = 0; c < ROWS; c++)
        acc[c] += (int32_t)first * w[c] + (int32_t)second * w[ROWS + c];
}

static void product(const uint8_t *x, const int16_t *w, int64_t stride, int n, int32_t *out, int is_new,
                    uint32_t *states, int bare, const ahead *next)
{
    (void)next;
    const int16_t *words = (const int16_t *)(const void *)x;
    int32_t acc[ROWS][ROWS];
    (void)stride, (void)n;
    memset(acc, 0, sizeof acc);
    memset(states, 0, 4 * STATE_WORDS);
    for (int b = 0; b < STEPS; b++, words += 16 * 64, w += 16 * 64) {
        for (int r = 0; r < ROWS; r++)
            for (int g = 0; g < 16; g++) {
                multiply_pair(words + g * 64 + 2 * r, w + g * 64, acc[r]);
                multiply_pair(words + g * 64 + 32 + 2 * r, w + g * 64 + 2 * ROWS, acc[r]);
            }
        if (bare)
            continue;
        for (int c = 0; c < ROWS; c++) {
            uint32_t fold = states[c] << 13 | states[c] >> 19;
            for (int r = 0; r < ROWS; r++)
                fold ^= (uint32_t)acc[r][c];
            states[c] = fold;
        }
    }
    for (int r = 0; r < ROWS; r++)
        for (int c = 0; c < ROWS; c++)
            out[r * ROWS + c] = acc[r][c] + (is_new ? 0 : out[r * ROWS + c]);
}

/* Plain C has no instruction that would be its limit. */
static int64_t run_limit(int64_t rounds)
{
    (void)rounds;
    return 0;
}
