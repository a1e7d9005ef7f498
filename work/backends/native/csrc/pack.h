/* Noise, packing, and the sums with which the noise is peeled off, in plain C that the compiler vectorises for the
 * including file's processor. A file with a permutation of bytes packs panels by itself (PACK_PANEL). */

/* Copies 16 rows x 64 columns, zero beyond the matrix, as [group][row] words of 4 columns. Memory `ahead` bytes further
 * is fetched into the second-level cache, because the processor's prefetcher cannot follow sixteen distant rows. */
static inline void load_step(const int8_t *raw, int64_t stride, int64_t rows, int64_t cols, int64_t ahead, words *step)
{
    int8_t edge[ROWS][STEP];
    if (rows < ROWS || cols < STEP) {
        memset(edge, 0, sizeof edge);
        for (int64_t r = 0; r < rows && cols > 0; r++)
            memcpy(edge[r], raw + r * stride, (size_t)inos_min(cols, STEP));
        raw = edge[0];
        stride = STEP;
    }
    for (int r = 0; r < ROWS; r++)
        __builtin_prefetch((const void *)((uintptr_t)(raw + r * stride) + (uintptr_t)ahead), 0, 2);
    turn(raw, stride, step);
}

/* Adds columns that share a noise column: sums[q][row] += step[row][inverse[q]]. */
static inline void sum_step(const words *step, const uint8_t *inverse, counts *sums)
{
    for (int q = 0; q < RANK; q++)
        sums[q] += (counts)(step[inverse[q] >> 2] << (24 - 8 * (inverse[q] & 3))) >> 24;
}

/* One panel of one strip that is being packed: where its rows and columns begin, and how many there are. */
typedef struct {
    const int8_t *raw;
    int64_t stride, rows, cols;
    const uint8_t *perms, *inverse; /* permutations of its 16 steps */
    int is_x;
    uintptr_t next; /* begin of what is packed next, to fetch it in time */
} panel_view;

#ifdef INOS_VBMI
#include "vbmi.h"
#else
#define PACK_PANEL pack_panel

/* Computes out[g][row] = step + noise of the four columns' noise columns, from table[q][row]. */
static inline void add_noise(const words *step, const words *table, const uint8_t *perm, words *out)
{
    for (int g = 0; g < 16; g++, perm += 4) {
        const words noise = table[perm[0]] | table[perm[1]] << 8 | table[perm[2]] << 16 | table[perm[3]] << 24;
        out[g] = (words)((bytes)step[g] + (bytes)noise);
    }
}

static inline void store_step(const words *step, int is_x, uint8_t *out)
{
#if X_SCALE == 2
    /* For kernels that multiply 16-bit numbers: stores the even bytes of a group's 16 words as pairs of int16, then the
     * odd ones. */
    for (int g = 0; is_x && g < 16; g++, out += 128) {
        const words even = step[g] & 0x00ff00ffu, odd = step[g] >> 8 & 0x00ff00ffu;
        memcpy(out, &even, 64);
        memcpy(out + 64, &odd, 64);
    }
    if (is_x)
        return;
#else
    (void)is_x;
#endif
    memcpy(out, step, STEP_BYTES);
}

static void pack_panel(const panel_view *view, uint8_t noise[ROWS][RANK], uint8_t *out, int16_t (*sums)[RANK])
{
    words step[16], noisy[16], table[RANK];
    counts total[RANK];
    for (int q = 0; q < RANK; q++)
        for (int r = 0; r < ROWS; r++)
            table[q][r] = noise[r][q];
    memset(total, 0, sizeof total);
    for (int64_t b = 0; b < STEPS; b++, out += STEP_BYTES * (view->is_x ? X_SCALE : 1)) {
        const int64_t left = b * STEP;
        /* A pointer must not even point to a step beyond the matrix. */
        load_step(view->raw + (left < view->cols ? left : 0), view->stride, view->rows, view->cols - left,
                  (int64_t)(view->next - (uintptr_t)view->raw), step);
        add_noise(step, table, view->perms + left, noisy);
        store_step(noisy, view->is_x, out);
        if (sums)
            sum_step(view->is_x ? step : noisy, view->inverse + left, total);
    }
    for (int q = 0; sums && q < RANK; q++)
        for (int r = 0; r < ROWS; r++)
            sums[r][q] = (int16_t)(sums[r][q] + total[q][r]);
}
#endif

#ifndef WRITE_PEEL
#define WRITE_PEEL write_peel
/* Computes a strip's side of the peeling: X's rows of 128 are negated, and W's are stored in pairs, [64 pairs][16
 * rows][2]. */
static void write_peel(int is_x, uint8_t noise[ROWS][RANK], int16_t (*sums)[RANK], int16_t *peel)
{
    int16_t wide[ROWS][RANK] __attribute__((aligned(64)));
    words pairs[PEEL_DEPTH / 2];
    if (is_x) {
        for (int r = 0; r < ROWS; r++)
            for (int q = 0; q < RANK; q++) {
                peel[r * PEEL_DEPTH + q] = (int16_t)-sums[r][q];
                peel[r * PEEL_DEPTH + RANK + q] = (int16_t)-(int32_t)noise[r][q];
            }
        return;
    }
    for (int r = 0; r < ROWS; r++)
        for (int q = 0; q < RANK; q++)
            wide[r][q] = (int8_t)noise[r][q];
    for (int half = 0; half < 2; half++) {
        turn(wide[0] + half * RANK / 2, sizeof wide[0], pairs + half * 16);
        turn(sums[0] + half * RANK / 2, sizeof sums[0], pairs + RANK / 2 + half * 16);
    }
    memcpy(peel, pairs, sizeof pairs);
}
#endif

/* The offset that is added to seven random bits: 64 + E is 64 .. 191, F is -64 .. 63. */
static void draw_strip_noise(const inos_side *side, int64_t strip, uint8_t noise[ROWS][RANK])
{
    if (side->is_bare)
        memset(noise, side->is_x ? 64 : 0, ROWS * RANK);
    else
        draw_rows(side->seed, strip, side->is_x ? 64 : 192, noise);
}

static void pack(const inos_side *side, int64_t first, int64_t last, uint8_t *packed, int16_t *peel, const int *stop)
{
    const int64_t size = STRIP_BYTES * (side->is_x ? X_SCALE : 1);
    for (int64_t strip = first; strip < last; strip++) {
        uint8_t noise[ROWS][RANK] __attribute__((aligned(64)));
        int16_t sums[ROWS][RANK] __attribute__((aligned(64)));
        draw_strip_noise(side, strip, noise);
        memset(sums, 0, sizeof sums);
        for (int64_t p = side->first_panel; p < side->last_panel; p++, packed += size) {
            const int64_t left = p * PANEL;
            const int8_t *raw = side->raw + strip * ROWS * side->cols + left;
            const int64_t ahead = p + 1 < side->last_panel ? PANEL : (side->first_panel - p) * PANEL + ROWS * side->cols;
            const panel_view view = {raw, side->cols, inos_min(ROWS, side->rows - strip * ROWS),
                                     inos_min(PANEL, side->cols - left), side->perms + left, side->inverse + left,
                                     side->is_x, (uintptr_t)raw + (uintptr_t)ahead};
            if (inos_is_stopped(stop))
                return;
            PACK_PANEL(&view, noise, packed, peel ? sums : 0);
        }
        if (peel) {
            WRITE_PEEL(side->is_x, noise, sums, peel);
            peel += PEEL_WORDS;
        }
    }
}

#ifndef SUM_STEPS
#define SUM_STEPS sum_steps
static void sum_steps(const uint8_t *packed, const uint8_t *inverse, int64_t steps, counts total[RANK])
{
    for (int64_t b = 0; b < steps; b++) {
        words step[16];
        memcpy(step, packed + b * STEP_BYTES, STEP_BYTES);
        sum_step(step, inverse + b * STEP, total);
    }
}
#endif

/* Computes W's side of the peeling from strips that were packed before, under another X's noise. */
static void sum_w(const inos_side *side, int64_t first, int64_t last, const uint8_t *packed, int16_t *peel,
                  const int *stop)
{
    const int64_t steps = (side->last_panel - side->first_panel) * STEPS;
    for (int64_t strip = first; strip < last; strip++, peel += PEEL_WORDS) {
        uint8_t noise[ROWS][RANK];
        int16_t sums[ROWS][RANK];
        counts total[RANK];
        draw_strip_noise(side, strip, noise);
        memset(total, 0, sizeof total);
        if (inos_is_stopped(stop))
            return;
        SUM_STEPS(packed, side->inverse + side->first_panel * PANEL, steps, total);
        packed += steps * STEP_BYTES;
        for (int q = 0; q < RANK; q++)
            for (int r = 0; r < ROWS; r++)
                sums[r][q] = (int16_t)total[q][r];
        WRITE_PEEL(0, noise, sums, peel);
    }
}
