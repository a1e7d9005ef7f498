/* The kernel that a browser runs: a filler's operands drawn from a seed, or some strips of a piece's; their ids, noise,
 * products with folds, tickets, and exact rows of pieces (protocol, sections 2 and 3; docs/workers.md).
 *
 * It is compiled to WebAssembly with 128-bit vectors and imports nothing. All but the product is the code of the
 * native kernels, whose vectors the compiler splits.
 *   A filler: the caller writes its seed into `io` and calls reserve, draw_operand for X and W, then for each anchor
 * start, pack_w and, strip by strip, mine.
 *   A piece: the caller calls reserve_piece, writes rows of W to get_raw(1) and both ids into `io`, then for each anchor
 * start and pack_w. For each 8 strips of X it writes them to get_raw(0) and calls place_x and, panel by panel, mine.
 * After the last panel the rows are at get_rows. */
#include <wasm_simd128.h>

#include "inos_native.h"

/* X' is 0 .. 254, W' is -128 .. 126; both are widened to int16, of which one instruction multiplies and adds up pairs. */
#define X_SCALE 2
#define MAX_PANELS 16
#include "blake3.h"
#include "noise.h"
#include "pack.h"
#include "tickets.h"
#include "leaves.h"
#include "operands.h"

/* Packs strips [first, last) of one side as [group][strip][panel], and their sums for peeling as [group][strip]. */
static void pack_groups(inos_side side, int64_t first, int64_t last, uint8_t *packed, int16_t *peel)
{
    const int64_t panels = sides[1].panels;
    for (int64_t p = 0; p < panels; p += MAX_PANELS) {
        side.first_panel = p, side.last_panel = inos_min(p + MAX_PANELS, panels);
        pack(&side, first, last, packed, peel, 0);
        packed += (last - first) * (side.last_panel - p) * STRIP_BYTES * (side.is_x ? X_SCALE : 1);
        peel += peel ? (last - first) * PEEL_WORDS : 0;
    }
}

/* Packs W' for `mine`. A graphics card makes its own from the operands, the noise rows and the permutations. */
EXPORT void pack_w(void)
{
    const operand *w = &sides[1];
    pack_groups(slab.w, w->first, w->first + w->strips, packed_w, peel_w);
}

/* Widens a strip's panel of W' to int16, in two halves of 8 columns: [half][512 pairs of columns of W][8][2]. A pair is
 * an even and an odd byte's neighbour in a group of 4, as X' is packed. */
static void widen_w(const int8_t *w, int16_t *wide)
{
    for (int g = 0; g < STRIP_BYTES / 64; g++, w += 64, wide += 32)
        for (int quarter = 0; quarter < 4; quarter++) {
            const v128_t four = wasm_v128_load(w + 16 * quarter);
            int16_t *place = wide + quarter / 2 * STRIP_BYTES / 2 + quarter % 2 * 8;
            wasm_v128_store(place, wasm_i16x8_shr(wasm_i16x8_shl(four, 8), 8));
            wasm_v128_store(place + 16, wasm_i16x8_shr(four, 8));
        }
}

/* Cuts a packed panel of X' into four parts of 4 rows, [part][512 pairs][4][2], so that what is multiplied together lies
 * together and fits the first-level cache. */
static void cut_x(const int16_t *packed, int16_t *parts)
{
    for (int pair = 0; pair < PANEL / 2; pair++, packed += 2 * ROWS, parts += 8)
        for (int part = 0; part < 4; part++)
            wasm_v128_store(parts + part * STRIP_BYTES / 4, wasm_v128_load(packed + 8 * part));
}

/* Folds four rows of X' times eight of W' over a panel, and adds the product to `block` if there is one. Twelve vectors
 * suffice, so that all fit the registers of any processor; rotations and XOR commute, so that the parts of a state are
 * joined at the end. */
static __attribute__((noinline)) void fold_part(const int16_t *x, const int16_t *w, v128_t state[2], int32_t *block)
{
    v128_t acc[4][2], fold[2] = {wasm_i32x4_splat(0), wasm_i32x4_splat(0)};
#pragma unroll
    for (int r = 0; r < 4; r++)
        acc[r][0] = acc[r][1] = wasm_i32x4_splat(0);
    for (int b = 0; b < STEPS; b++) {
#pragma clang loop unroll(disable) /* V8 runs it an eighth slower if it is unrolled */
        for (int pair = 0; pair < STEP / 2; pair++, x += 8, w += 16) {
            const v128_t left = wasm_v128_load(w), right = wasm_v128_load(w + 8);
#pragma unroll
            for (int r = 0; r < 4; r++) {
                const v128_t row = wasm_v128_load32_splat(x + 2 * r);
                acc[r][0] = wasm_i32x4_add(acc[r][0], wasm_i32x4_dot_i16x8(row, left));
                acc[r][1] = wasm_i32x4_add(acc[r][1], wasm_i32x4_dot_i16x8(row, right));
            }
        }
#pragma unroll
        for (int h = 0; h < 2; h++) {
            fold[h] = wasm_v128_or(wasm_i32x4_shl(fold[h], 13), wasm_u32x4_shr(fold[h], 19));
#pragma unroll
            for (int r = 0; r < 4; r++)
                fold[h] = wasm_v128_xor(fold[h], acc[r][h]);
        }
    }
    for (int h = 0; h < 2; h++)
        state[h] = wasm_v128_xor(state[h], fold[h]);
#pragma unroll
    for (int at = 0; block && at < 8; at++) {
        int32_t *place = block + at / 2 * ROWS + at % 2 * 4;
        wasm_v128_store(place, wasm_i32x4_add(wasm_v128_load(place), acc[at / 2][at % 2]));
    }
}

static void fold_ticket(const int16_t *x, const int16_t *w, uint32_t *state, int32_t *block)
{
    for (int half = 0; half < 2; half++) {
        v128_t sums[2] = {wasm_i32x4_splat(0), wasm_i32x4_splat(0)};
        for (int part = 0; part < 4; part++)
            fold_part(x + part * STRIP_BYTES / 4, w + half * STRIP_BYTES / 2, sums,
                      block ? block + part * ROWS * ROWS / 4 + half * ROWS / 2 : 0);
        wasm_v128_store(state + 8 * half, sums[0]);
        wasm_v128_store(state + 8 * half + 4, sums[1]);
    }
}

static void fold_panel(int64_t panel)
{
    const int64_t panels = sides[1].panels, left = panel / MAX_PANELS * MAX_PANELS; /* the first panel of the group */
    const inos_tile *tile = &worker.tile;
    const int64_t here = inos_min(MAX_PANELS, panels - left);
    int16_t wide[STRIP_BYTES] __attribute__((aligned(64)));
    for (int64_t j = 0; j < tile->w_strips; j++) {
        const int64_t at = left * tile->w_strips + j * here + panel - left;
        widen_w((const int8_t *)packed_w + at * STRIP_BYTES, wide);
        for (int64_t i = 0; i < tile->x_strips; i++) {
            const int64_t ticket = i * tile->w_strips + j;
            fold_ticket(parts_x + (i * panels + panel) * STRIP_BYTES, wide, states + ticket * STATE_WORDS,
                        blocks ? blocks + ticket * ROWS * ROWS : 0);
        }
    }
    draw_tickets(&slab, &worker, states, panel);
}

static void pack_x(int64_t first, int64_t last)
{
    const int64_t peel_step = peel_x ? count_groups() * PEEL_WORDS : 0;
    int16_t *parts = parts_x, *peel = peel_x;
    for (int64_t strip = first; strip < last; strip++, peel += peel_step) {
        pack_groups(slab.x, strip, strip + 1, packed_x, peel);
        for (int64_t p = 0; p < sides[0].panels; p++, parts += STRIP_BYTES)
            cut_x((const int16_t *)(const void *)packed_x + p * STRIP_BYTES, parts);
    }
}

/* Adds the negated corrections of a group of panels to a block: a product of depth 128. */
static void peel_block(const int16_t *x, const int16_t *w, int32_t *block)
{
    for (int r = 0; r < ROWS; r++, x += PEEL_DEPTH, block += ROWS) {
        v128_t sums[4];
        for (int c = 0; c < 4; c++)
            sums[c] = wasm_v128_load(block + 4 * c);
        for (int pair = 0; pair < PEEL_DEPTH / 2; pair++) {
            const v128_t row = wasm_v128_load32_splat(x + 2 * pair);
            for (int c = 0; c < 4; c++)
                sums[c] = wasm_i32x4_add(sums[c], wasm_i32x4_dot_i16x8(row, wasm_v128_load(w + 2 * ROWS * pair + 8 * c)));
        }
        for (int c = 0; c < 4; c++)
            wasm_v128_store(block + 4 * c, sums[c]);
    }
}

/* Peels strip i by strip j of what was multiplied, and writes its rows without padding. */
static void finish_block(int64_t i, int64_t j)
{
    const int64_t strips = worker.tile.w_strips, groups = count_groups(), stride = sides[1].rows;
    int32_t *block = blocks + (i * strips + j) * ROWS * ROWS;
    for (int64_t g = 0; g < groups; g++)
        peel_block(peel_x + (i * groups + g) * PEEL_WORDS, peel_w + (g * strips + j) * PEEL_WORDS, block);
    const int64_t rows = inos_min(ROWS, sides[0].rows - i * ROWS), cols = inos_min(ROWS, stride - j * ROWS);
    for (int64_t r = 0; r < rows; r++)
        memcpy(rows_out + (i * ROWS + r) * stride + j * ROWS, block + r * ROWS, (size_t)(4 * cols));
}

static void finish_rows(void)
{
    for (int64_t j = 0; j < worker.tile.w_strips; j++)
        for (int64_t i = 0; i < worker.tile.x_strips; i++)
            finish_block(i, j);
}

/* Draws the tickets of `panel` of strips [first, last) of X, at most 8, and returns the number of wins. For panel 0 it
 * packs these strips; after the last panel of a piece, the rows are at get_rows. */
EXPORT int mine(int first, int last, int panel)
{
    const operand *w = &sides[1];
    worker.tile = (inos_tile){.i = first, .x_strips = last - first, .j = w->first, .w_strips = w->strips};
    worker.win_count = 0;
    if (!panel)
        pack_x(first, last);
    if (!panel && blocks)
        memset(blocks, 0, (size_t)((last - first) * w->strips * ROWS * ROWS * 4));
    fold_panel(panel);
    if (panel + 1 == w->panels && blocks)
        finish_rows();
    return (int)worker.win_count;
}

/* Exact rows of a piece, int32: those of X in memory by those of W in memory. */
EXPORT const int32_t *get_rows(void)
{
    return rows_out;
}

/* Each win has 11 words: i, j, panel and the digest. */
EXPORT uint32_t *get_wins(void)
{
    return worker.wins;
}
