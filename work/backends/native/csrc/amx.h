/* Products by AMX. A tile register holds 16 rows of 64 bytes, so that one instruction multiplies a step of a strip of X'
 * by one of a strip of W' and adds to 16 x 16 sums. X' lies row by row, [step][16 rows][64], and W' as for the other
 * kernels. Sums reach vector registers only through memory, so the fold of every step stores and loads them.
 *
 * Two strips of X times two of W are a block: four sums stay in tiles over the whole panel. An instruction waits for the
 * one before it that uses the same tile; therefore each sum is stored one step after its product, and folded another step
 * later. Blocks follow each other without a pause: the last two steps of one are folded during the first two of the next. */
#include <string.h>

#define INOS_AMX
#define SUMS (ROWS * ROWS)

typedef struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_shapes;

static void open_tiles(void)
{
    tile_shapes shapes;
    memset(&shapes, 0, sizeof shapes);
    shapes.palette = 1;
    for (int t = 0; t < 8; t++)
        shapes.row_bytes[t] = 64, shapes.rows[t] = 16;
    __asm__ volatile("ldtilecfg %0" : : "m"(shapes));
}

/* Without tiles in use, the system has less to save when it switches to another thread. */
static void close_tiles(void)
{
    __asm__ volatile("tilerelease");
}
#define OPEN_TILES open_tiles()
#define CLOSE_TILES close_tiles()

/* Compilers' own functions for tiles do not say which memory they use, so these do. */
#define LOAD_TILE(tile, from) \
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #tile : : "r"(from), "r"((int64_t)64) : "memory")
#define STORE_TILE(tile, to) \
    __asm__ volatile("tilestored %%tmm" #tile ", (%0,%1,1)" : : "r"(to), "r"((int64_t)64) : "memory")
#define CLEAR_TILE(tile) __asm__ volatile("tilezero %tmm" #tile)
/* kind: two letters, of x and of w, u for unsigned bytes and s for signed ones */
#define DOT_TILES(kind, acc, x, w) __asm__ volatile("tdpb" #kind "d %tmm" #w ", %tmm" #x ", %tmm" #acc)

/* A block of four tickets: two strips of X by two of W, or one by four. */
enum shape { SQUARE, ROW };

typedef struct {
    const uint8_t *x[2];
    const int8_t *w[4];
    int64_t x_step, w_step; /* bytes from one step to the next */
    int32_t *sums[4];       /* the sums of the last step are stored here */
    int32_t *totals[4];     /* and added to these, unless they are 0 */
    uint32_t *states[4];
    ahead next;
} block;

/* The sums of the last two steps, of four tickets each, by even and odd steps. */
typedef int32_t between[2][4 * SUMS];

static inline __attribute__((always_inline)) __m512i fold(__m512i state, const int32_t *sums)
{
    state = _mm512_rol_epi32(state, 13);
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; r += 2)
        state = _mm512_ternarylogic_epi32(state, _mm512_loadu_si512(sums + r * ROWS),
                                          _mm512_loadu_si512(sums + (r + 1) * ROWS), 0x96);
    return state;
}

static inline __attribute__((always_inline)) void add_sums(int32_t *total, const int32_t *sums)
{
#pragma GCC unroll 16
    for (int r = 0; r < ROWS; r++)
        _mm512_storeu_si512(total + r * ROWS, _mm512_add_epi32(_mm512_loadu_si512(total + r * ROWS),
                                                              _mm512_loadu_si512(sums + r * ROWS)));
}

/* Folds the sums of a ticket's last step, adds them to those of earlier panels, and stores the state. */
static inline __attribute__((always_inline)) void finish(const block *done, int t, __m512i state, const int is_bare)
{
    if (!is_bare)
        _mm512_storeu_si512(done->states[t], fold(state, done->sums[t]));
    if (done->totals[t])
        add_sums(done->totals[t], done->sums[t]);
}

/* One step of ticket t. The sums of the step before are stored, and those of the step before that are folded. In the
 * first two steps these are of the last block, whose tickets end there. */
#define DOT_STEP(t, x, w) \
    do { \
        if (b == 0) { \
            STORE_TILE(t, before->sums[t]); \
            CLEAR_TILE(t); \
        } else if (!is_bare) { \
            STORE_TILE(t, kept[(b + 1) % 2] + t * SUMS); \
        } \
        DOT_TILES(us, t, x, w); \
        if (b == 1) { \
            finish(before, t, state[t], is_bare); \
            state[t] = _mm512_setzero_si512(); \
        } else if (!is_bare) { \
            state[t] = fold(state[t], kept[b % 2] + t * SUMS); \
        } \
    } while (0)

static inline __attribute__((always_inline)) void dot_step(const enum shape shape, const int b, const block *own,
                                                           const block *before, between kept, __m512i state[4],
                                                           int64_t step, const int is_bare)
{
    const int64_t at = step * own->x_step, w_at = step * own->w_step;
    LOAD_TILE(4, own->x[0] + at);
    if (shape == SQUARE) {
        LOAD_TILE(6, own->w[0] + w_at);
        DOT_STEP(0, 4, 6);
        LOAD_TILE(7, own->w[1] + w_at);
        DOT_STEP(1, 4, 7);
        LOAD_TILE(5, own->x[1] + at);
        DOT_STEP(2, 5, 6);
        DOT_STEP(3, 5, 7);
    } else {
        LOAD_TILE(5, own->w[0] + w_at);
        DOT_STEP(0, 4, 5);
        LOAD_TILE(6, own->w[1] + w_at);
        DOT_STEP(1, 4, 6);
        LOAD_TILE(7, own->w[2] + w_at);
        DOT_STEP(2, 4, 7);
        LOAD_TILE(5, own->w[3] + w_at);
        DOT_STEP(3, 4, 5);
    }
#pragma GCC unroll 4
    for (int line = 0; line < 256; line += 64) {
        __builtin_prefetch((const void *)(own->next.x + (uintptr_t)(step * 256 + line)), 0, 2);
        __builtin_prefetch((const void *)(own->next.w + (uintptr_t)(step * 256 + line)), 0, 2);
    }
}

/* Multiplies a block, and finishes the one before, whose last sums are in the tiles. `state` is carried from one to the
 * next. */
static inline __attribute__((always_inline)) void multiply_block(const enum shape shape, const block *own,
                                                                 const block *before, between kept, __m512i state[4],
                                                                 const int is_bare)
{
    dot_step(shape, 0, own, before, kept, state, 0, is_bare);
    dot_step(shape, 1, own, before, kept, state, 1, is_bare);
    for (int step = 2; step < STEPS; step += 2) {
        dot_step(shape, 2, own, before, kept, state, step, is_bare);
        dot_step(shape, 3, own, before, kept, state, step + 1, is_bare);
    }
}

static __attribute__((noinline)) void multiply_square(const block *own, const block *before, between kept,
                                                      __m512i state[4], int is_bare)
{
    if (is_bare)
        multiply_block(SQUARE, own, before, kept, state, 1);
    else
        multiply_block(SQUARE, own, before, kept, state, 0);
}

static __attribute__((noinline)) void multiply_row(const block *own, const block *before, between kept,
                                                   __m512i state[4], int is_bare)
{
    if (is_bare)
        multiply_block(ROW, own, before, kept, state, 1);
    else
        multiply_block(ROW, own, before, kept, state, 0);
}

#define FINISH(t) \
    do { \
        STORE_TILE(t, last->sums[t]); \
        finish(last, t, fold(state[t], kept[0] + t * SUMS), is_bare); \
    } while (0)

/* Finishes the last block. */
static void finish_block(const block *last, between kept, const __m512i state[4], const int is_bare)
{
    FINISH(0);
    FINISH(1);
    FINISH(2);
    FINISH(3);
}

/* The blocks of a panel, one after the other, and what they share. */
typedef struct {
    between kept __attribute__((aligned(64)));
    __m512i state[4];
    uint32_t unused[STATE_WORDS]; /* states of strips that are missing */
    block blocks[2], *own, *before;
} sequence;

/* A block whose results nobody needs: the one before the first. */
static inline void open_sequence(sequence *s)
{
    memset(s, 0, sizeof *s);
    s->own = s->blocks, s->before = s->blocks + 1;
    for (int t = 0; t < 4; t++)
        s->before->sums[t] = s->kept[1] + t * SUMS, s->before->states[t] = s->unused;
}

static inline void multiply_next(sequence *s, const enum shape shape, int is_bare)
{
    block *const done = s->own;
    if (shape == SQUARE)
        multiply_square(s->own, s->before, s->kept, s->state, is_bare);
    else
        multiply_row(s->own, s->before, s->kept, s->state, is_bare);
    s->own = s->before, s->before = done;
}

static inline void close_sequence(sequence *s, int is_bare)
{
    finish_block(s->before, s->kept, s->state, is_bare);
}

/* Fetches X's next panel and W's next two strips, 4 KiB at a time. After the last panel it fetches what follows in the
 * kept side. The addresses may lie beyond it, since nothing is read, only fetched. They are written in place:
 * where both were copied as one vector, panels took 2 to 3 % longer. */
static inline void look_ahead_of_block(const inos_tile *tile, int64_t i, int64_t j, int64_t p, int64_t panels,
                                       ahead *next)
{
    const int is_last_panel = p + 1 == panels, is_last_pair = j + 2 >= tile->w_strips;
    int64_t x = i + j / 8, w = j + 2 + i / 8, x_panel = p + 1, w_panel = p;
    if (is_last_panel)
        x += tile->keeps_x ? tile->x_strips : 0, x_panel = 0;
    if (is_last_pair) {
        w = i / 8 + (is_last_panel && !tile->keeps_x ? tile->w_strips : 0);
        w_panel = is_last_panel ? 0 : p + 1;
    }
    next->x = (uintptr_t)tile->x + (uintptr_t)((x * panels + x_panel) * STRIP_BYTES + j % 8 / 2 * 4096);
    next->w = (uintptr_t)tile->w + (uintptr_t)((w * panels + w_panel) * STRIP_BYTES + i % 8 / 2 * 4096);
}

/* Describes a block of a panel; a strip of W that is missing is replaced by the last. */
static inline void describe_block(sequence *s, const enum shape shape, const inos_tile *tile, int64_t i, int64_t j,
                                  int64_t p, int64_t panels, uint32_t *states, int32_t *scratch)
{
    block *own = s->own;
    const int across = shape == SQUARE ? 2 : 4;
    own->x_step = own->w_step = STEP_BYTES;
    for (int a = 0; a < 4 / across; a++)
        own->x[a] = tile->x + ((i + a) * panels + p) * STRIP_BYTES;
    for (int b = 0; b < across; b++)
        own->w[b] = tile->w + (inos_min(j + b, tile->w_strips - 1) * panels + p) * STRIP_BYTES;
    for (int t = 0; t < 4; t++) {
        const int is_missing = j + t % across >= tile->w_strips;
        const int64_t ticket = (i + t / across) * tile->w_strips + j + t % across;
        int32_t *total = is_missing || !scratch ? 0 : scratch + ticket * SUMS;
        own->states[t] = is_missing ? s->unused : states + ticket * STATE_WORDS;
        own->sums[t] = total && p == 0 ? total : s->kept[1] + t * SUMS;
        own->totals[t] = p == 0 ? 0 : total;
    }
    look_ahead_of_block(tile, i, j, p, panels, &own->next);
}

/* Multiplies panel p of a tile; the states are [x strip][w strip][16]. Returns 0 if `stop` was set. */
#define MULTIPLY_PANEL multiply_panel_amx
static int multiply_panel_amx(const inos_slab *slab, const inos_tile *tile, int32_t *scratch, int64_t p,
                              int64_t panels, uint32_t *states)
{
    const int64_t pairs = tile->x_strips / 2 * 2;
    const int is_bare = slab->x.is_bare;
    int32_t *const totals = inos_needs_rows(slab) ? scratch : 0;
    sequence s;
    open_sequence(&s);
    for (int64_t j = 0; j < tile->w_strips; j += 2) {
        if (inos_is_stopped(slab->stop))
            return 0;
        for (int64_t i = 0; i < pairs; i += 2) {
            describe_block(&s, SQUARE, tile, i, j, p, panels, states, totals);
            multiply_next(&s, SQUARE, is_bare);
        }
    }
    for (int64_t j = 0; pairs < tile->x_strips && j < tile->w_strips; j += 4) {
        describe_block(&s, ROW, tile, pairs, j, p, panels, states, totals);
        multiply_next(&s, ROW, is_bare);
    }
    close_sequence(&s, is_bare);
    return 1;
}

/* Multiplies one strip by one, for a certificate that is checked. */
static inline void product(const uint8_t *x, const int8_t *w, int64_t stride, int n, int32_t *acc, int is_new,
                           uint32_t *states, int bare, const ahead *next)
{
    const inos_tile tile = {.x_strips = 1, .w_strips = 1, .x = x, .w = w};
    sequence s;
    (void)stride, (void)n, (void)bare, (void)next;
    open_sequence(&s);
    describe_block(&s, ROW, &tile, 0, 0, 0, 1, states, is_new ? acc : 0);
    s.own->totals[0] = is_new ? 0 : acc;
    multiply_next(&s, ROW, 0);
    close_sequence(&s, 0);
}

#include "peel_amx.h"

/* Four sums hide the latency of a product of tiles. */
static int64_t run_limit(int64_t rounds)
{
    open_tiles();
    for (int64_t round = 0; round < rounds; round++) {
        DOT_TILES(us, 0, 4, 6);
        DOT_TILES(us, 1, 4, 7);
        DOT_TILES(us, 2, 5, 6);
        DOT_TILES(us, 3, 5, 7);
    }
    close_tiles();
    return rounds * 4 * ROWS * ROWS * STEP;
}
