/* The kernel that a browser runs: a filler's operands drawn from a seed, their ids, noise, products with folds, and
 * tickets (protocol, sections 2 and 3; docs/workers.md, fillers). Nothing is peeled, since nobody wants a filler's
 * product.
 *
 * It is compiled to WebAssembly with 128-bit vectors and imports nothing. All but the product is the code of the
 * native kernels, whose vectors the compiler splits. The caller writes seeds into `io` and calls, in this order:
 *   reserve once for a shape, draw_operand for X and W, then for each anchor start, pack_w and, strip by strip, mine. */
#include <wasm_simd128.h>

#include "inos_native.h"

/* X' is 0 .. 254, W' is -128 .. 126; both are widened to int16, of which one instruction multiplies and adds up pairs. */
#define X_SCALE 2
#include "blake3.h"
#include "noise.h"
#include "pack.h"
#include "tickets.h"
#include "leaves.h"

#define PAGE 65536
#define BATCH 8 /* W' is widened once for so many strips of X */
#define EXPORT __attribute__((visibility("default"), used))

typedef struct {
    uint8_t seed[32];    /* in: the filler's seed */
    uint8_t anchor[32];  /* in */
    uint8_t target[32];  /* in: big-endian */
    uint8_t id[2][32];   /* out: ids of X and W */
    uint8_t root[2][32]; /* out: roots of X and W */
    uint8_t seed_x[32], seed_w[32]; /* out, by start */
} exchange;

typedef struct {
    int8_t *raw;
    int64_t rows, cols, strips, panels;
    uint8_t *perms, *inverse;
} operand;

exchange io;
static operand sides[2]; /* X, W */
static uint8_t *leaves, *noise, *packed_w, *packed_x;
static int16_t *parts_x;
static uint32_t *states;
static inos_slab slab;
static inos_worker worker;

static int64_t round_up(int64_t value, int64_t step)
{
    return (value + step - 1) / step * step;
}

/* Returns the next `size` bytes of memory, aligned to 64, which grows as needed; 0 if it cannot. */
static void *take(uintptr_t *end, int64_t size)
{
    const uintptr_t start = (*end + 63) & ~(uintptr_t)63;
    if (size > 0x7fff0000 || start + (uintptr_t)size < start)
        return 0;
    *end = start + (uintptr_t)size;
    const uintptr_t pages = (*end + PAGE - 1) / PAGE, now = __builtin_wasm_memory_size(0);
    if (pages > now && __builtin_wasm_memory_grow(0, pages - now) == (uintptr_t)-1)
        return 0;
    return (void *)start;
}

static int reserve_side(operand *side, int64_t rows, int64_t cols, uintptr_t *end)
{
    side->rows = rows, side->cols = cols;
    side->strips = round_up(rows, ROWS) / ROWS, side->panels = round_up(cols, PANEL) / PANEL;
    side->raw = take(end, round_up(rows * cols, LANES * 64));
    side->perms = take(end, side->panels * PANEL);
    side->inverse = take(end, side->panels * PANEL);
    return side->raw && side->perms && side->inverse;
}

/* Makes room for X (rows_x x cols) and W (rows_w x cols), in place of what was there. Returns 0 if there is none. */
EXPORT int reserve(uint32_t rows_x, uint32_t rows_w, uint32_t cols)
{
    extern uint8_t __heap_base;
    uintptr_t end = (uintptr_t)&__heap_base;
    if (!reserve_side(&sides[0], rows_x, cols, &end) || !reserve_side(&sides[1], rows_w, cols, &end))
        return 0;
    const operand *w = &sides[1];
    const int64_t most = sides[0].strips > w->strips ? sides[0].strips : w->strips;
    leaves = take(&end, 32 * most * w->panels);
    noise = take(&end, most * ROWS * RANK);
    packed_w = take(&end, w->strips * w->panels * STRIP_BYTES);
    packed_x = take(&end, w->panels * STRIP_BYTES * X_SCALE);
    parts_x = take(&end, BATCH * w->panels * STRIP_BYTES * X_SCALE);
    states = take(&end, round_up(BATCH * w->strips, 2 * LANES) * STATE_WORDS * 4);
    worker.wins = take(&end, BATCH * w->strips * WIN_WORDS * 4);
    return leaves && noise && packed_w && packed_x && parts_x && states && worker.wins;
}

static void read_words(const uint8_t *data, uint32_t *out)
{
    memcpy(out, data, 32);
}

/* Hashes at most 64 bytes under a context. */
static void hash_block(const char *context, const uint8_t *data, uint32_t length, uint8_t out[32])
{
    words value[8], block[16];
    uint32_t line[16] = {0};
    memcpy(line, data, length);
    for (int w = 0; w < 16; w++)
        block[w] = (words){0} + line[w];
    derive_key(context, value);
    compress(value, block, &(words){0}, length, CHUNK_START | CHUNK_END | ROOT | MATERIAL);
    for (int w = 0; w < DIGEST_WORDS; w++)
        memcpy(out + 4 * w, &value[w], 4);
}

/* Byte t of the seed's stream, AND 127, less 64, is entry t, row by row. */
static void draw_entries(operand *side, const char *purpose)
{
    uint32_t seed[8];
    read_words(io.seed, seed);
    for (int64_t at = 0; at < side->rows * side->cols; at += LANES * 64) {
        const words counter = noise_lane + (uint32_t)(at / 64);
        words out[16];
        uint32_t lanes[16][LANES], lines[LANES][16];
        stream(seed, purpose, &counter, out);
        memcpy(lanes, out, sizeof lanes);
        for (int l = 0; l < LANES; l++)
            for (int w = 0; w < 16; w++)
                lines[l][w] = lanes[w][l];
        int8_t *place = side->raw + at;
        memcpy(place, lines, sizeof lines);
        for (int t = 0; t < LANES * 64; t++)
            place[t] = (int8_t)((place[t] & 0x7f) - 64);
    }
}

/* Computes the root of a matrix's tree over its leaves, level by level in place. */
static void compute_root(int64_t count, uint8_t root[32])
{
    for (; count > 1; count = (count + 1) / 2)
        hash_parents(leaves, count, "inos v1 matrix node", leaves);
    memcpy(root, leaves, 32);
}

/* Draws X (0) or W (1) from io.seed, and leaves its id and root in io. */
EXPORT void draw_operand(int which)
{
    operand *side = &sides[which];
    inos_leaves job = {side->raw, side->rows, side->cols, "inos v1 matrix strip", leaves, 0, 0, 0};
    uint8_t head[41] = {1};
    const uint32_t rows = (uint32_t)side->rows, cols = (uint32_t)side->cols;
    draw_entries(side, which ? "filler w" : "filler x");
    hash_leaves(&job);
    compute_root(side->strips * side->panels, io.root[which]);
    memcpy(head + 1, &rows, 4);
    memcpy(head + 5, &cols, 4);
    memcpy(head + 9, io.root[which], 32);
    hash_block("inos v1 matrix", head, sizeof head, io.id[which]);
}

static inos_side view_side(int which, const uint8_t *seed)
{
    const operand *side = &sides[which];
    inos_side view = {.raw = side->raw, .rows = side->rows, .cols = side->cols, .last_panel = side->panels,
                      .perms = side->perms, .inverse = side->inverse, .is_x = !which};
    read_words(seed, view.seed);
    draw_perms(view.seed, 0, side->panels * STEPS, side->perms, side->inverse);
    return view;
}

/* Computes the seeds of io.anchor and draws the permutations. Wins are measured by io.target from now on. */
EXPORT void start(void)
{
    uint8_t both[64];
    memcpy(both, io.anchor, 32);
    memcpy(both + 32, io.id[1], 32);
    hash_block("inos v1 noise w", both, 64, io.seed_w);
    memcpy(both, io.seed_w, 32);
    memcpy(both + 32, io.id[0], 32);
    hash_block("inos v1 noise x", both, 64, io.seed_x);
    slab.x = view_side(0, io.seed_x);
    slab.w = view_side(1, io.seed_w);
    for (int w = 0; w < DIGEST_WORDS; w++) {
        memcpy(&slab.target[w], io.target + 4 * w, 4);
        slab.target[w] = __builtin_bswap32(slab.target[w]);
    }
}

/* Packs W' for `mine`. A graphics card makes its own from the operands, the noise rows and the permutations. */
EXPORT void pack_w(void)
{
    pack(&slab.w, 0, sides[1].strips, packed_w, 0, 0);
}

/* Writes the noise rows of X (0) or W (1) less 64 for every padded row, 64 bytes each, and returns them. */
EXPORT uint8_t *draw_noise(int which)
{
    const inos_side *side = which ? &slab.w : &slab.x;
    for (int64_t strip = 0; strip < sides[which].strips; strip++)
        draw_rows(side->seed, strip, 192, (uint8_t(*)[RANK])(noise + strip * ROWS * RANK));
    return noise;
}

EXPORT const int8_t *get_raw(int which)
{
    return sides[which].raw;
}

/* The permutations of X (0) or W (1), after start: 1024 bytes a panel. */
EXPORT const uint8_t *get_perms(int which)
{
    return sides[which].perms;
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

/* Folds four rows of X' times eight of W' over a panel. Twelve vectors suffice, so that all fit the registers of any
 * processor; rotations and XOR commute, so that the parts of a state are joined at the end. */
static __attribute__((noinline)) void fold_part(const int16_t *x, const int16_t *w, v128_t state[2])
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
}

static void fold_ticket(const int16_t *x, const int16_t *w, uint32_t *state)
{
    for (int half = 0; half < 2; half++) {
        v128_t sums[2] = {wasm_i32x4_splat(0), wasm_i32x4_splat(0)};
        for (int part = 0; part < 4; part++)
            fold_part(x + part * STRIP_BYTES / 4, w + half * STRIP_BYTES / 2, sums);
        wasm_v128_store(state + 8 * half, sums[0]);
        wasm_v128_store(state + 8 * half + 4, sums[1]);
    }
}

static void fold_panel(int64_t panel)
{
    const int64_t panels = sides[1].panels;
    const inos_tile *tile = &worker.tile;
    int16_t wide[STRIP_BYTES] __attribute__((aligned(64)));
    for (int64_t j = 0; j < tile->w_strips; j++) {
        widen_w((const int8_t *)packed_w + (j * panels + panel) * STRIP_BYTES, wide);
        for (int64_t i = 0; i < tile->x_strips; i++)
            fold_ticket(parts_x + (i * panels + panel) * STRIP_BYTES, wide,
                        states + (i * tile->w_strips + j) * STATE_WORDS);
    }
    draw_tickets(&slab, &worker, states, panel);
}

static void pack_x(int64_t first, int64_t last)
{
    int16_t *parts = parts_x;
    for (int64_t strip = first; strip < last; strip++) {
        pack(&slab.x, strip, strip + 1, packed_x, 0, 0);
        for (int64_t p = 0; p < sides[0].panels; p++, parts += STRIP_BYTES)
            cut_x((const int16_t *)(const void *)packed_x + p * STRIP_BYTES, parts);
    }
}

/* Draws the tickets of `panel` of strips [first, last) of X, at most 8, and returns the number of wins. For panel 0 it
 * packs these strips. */
EXPORT int mine(int first, int last, int panel)
{
    worker.tile = (inos_tile){.i = first, .x_strips = last - first, .w_strips = sides[1].strips};
    worker.win_count = 0;
    if (!panel)
        pack_x(first, last);
    fold_panel(panel);
    return (int)worker.win_count;
}

EXPORT exchange *get_io(void)
{
    return &io;
}

/* Each win has 11 words: i, j, panel and the digest. */
EXPORT uint32_t *get_wins(void)
{
    return worker.wins;
}
