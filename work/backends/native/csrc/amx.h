/* Products by AMX. A tile register holds 16 rows of 64 bytes, so that one instruction multiplies a step of a strip of X'
 * by one of a strip of W' and adds to 16 x 16 sums. X' lies row by row, [step][16 rows][64], and W' as for the other
 * kernels. Sums reach vector registers only through memory, so the fold of every step stores and loads them.
 *
 * Four strips of X times four of W are a group. It is worked through two steps at a time, block by block of 2 x 2 strips,
 * so that its operands and sums stay in the first-level cache. An instruction waits for the one before it that uses the
 * same tile; therefore each sum is stored one step after its product, and folded another step later. */
#include <string.h>

#define INOS_AMX
#define GROUP 4
#define CHUNK 2 /* steps */
#define SUMS (ROWS * ROWS)
#define BLOCK (4 * SUMS)
/* Parts of 1 KiB of either side's peeling: noise, and the sums' high and low bytes. */
#define PEEL_PART 1024

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

enum start { GO_ON, FROM_ZERO, FROM_SUMS };

/* What is done beside the products of one step: the sums of the step before are stored at `kept`, and those of the step
 * before that, which lie at `folded`, are folded into `states`. */
typedef struct {
    int32_t *kept;
    const int32_t *folded;
    uint32_t *states;
} beside;

static inline __attribute__((always_inline)) void fold(const int32_t *sums, uint32_t *state)
{
    __m512i words = _mm512_rol_epi32(_mm512_loadu_si512(state), 13);
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; r += 2)
        words = _mm512_ternarylogic_epi32(words, _mm512_loadu_si512(sums + r * ROWS),
                                          _mm512_loadu_si512(sums + (r + 1) * ROWS), 0x96);
    _mm512_storeu_si512(state, words);
}

#define DOT_STEP(t, x, w) \
    do { \
        if (by->kept) \
            STORE_TILE(t, by->kept + t * SUMS); \
        if (start == FROM_ZERO) \
            CLEAR_TILE(t); \
        else if (start == FROM_SUMS) \
            LOAD_TILE(t, sums + t * SUMS); \
        DOT_TILES(us, t, x, w); \
        if (by->folded) \
            fold(by->folded + t * SUMS, by->states + t * STATE_WORDS); \
    } while (0)

/* Multiplies one step of two strips of X by one of two strips of W. */
static inline __attribute__((always_inline)) void dot_block(const uint8_t *x0, const uint8_t *x1, const int8_t *w0,
                                                            const int8_t *w1, const enum start start,
                                                            const int32_t *sums, const beside *by)
{
    LOAD_TILE(4, x0);
    LOAD_TILE(6, w0);
    DOT_STEP(0, 4, 6);
    LOAD_TILE(7, w1);
    DOT_STEP(1, 4, 7);
    LOAD_TILE(5, x1);
    DOT_STEP(2, 5, 6);
    DOT_STEP(3, 5, 7);
}

/* Multiplies one step of a strip of X by one of four strips of W. */
static inline __attribute__((always_inline)) void dot_row(const uint8_t *x, const int8_t *const w[GROUP], int64_t at,
                                                          const enum start start, const int32_t *sums,
                                                          const beside *by)
{
    LOAD_TILE(4, x + at);
    LOAD_TILE(5, w[0] + at);
    DOT_STEP(0, 4, 5);
    LOAD_TILE(6, w[1] + at);
    DOT_STEP(1, 4, 6);
    LOAD_TILE(7, w[2] + at);
    DOT_STEP(2, 4, 7);
    LOAD_TILE(5, w[3] + at);
    DOT_STEP(3, 4, 5);
}

static inline __attribute__((always_inline)) void store_sums(int32_t *sums)
{
    STORE_TILE(0, sums);
    STORE_TILE(1, sums + SUMS);
    STORE_TILE(2, sums + 2 * SUMS);
    STORE_TILE(3, sums + 3 * SUMS);
}

static inline void fold_block(const int32_t *sums, uint32_t *states)
{
    for (int t = 0; t < 4; t++)
        fold(sums + t * SUMS, states + t * STATE_WORDS);
}

/* A panel of up to four strips of either side, missing ones replaced by the last, and what becomes of them by block. */
typedef struct {
    const uint8_t *x[GROUP];
    const int8_t *w[GROUP];
    int x_strips, w_strips;
    ahead next; /* 16 KiB of either side */
    int32_t sums[4][BLOCK] __attribute__((aligned(64))), between[2][BLOCK];
    uint32_t states[5][4 * STATE_WORDS]; /* one more, for what is folded before the first step */
} group;

static inline __attribute__((always_inline)) void fetch_ahead(const group *g, int64_t at)
{
#pragma GCC unroll 4
    for (int line = 0; line < 256; line += 64) {
        __builtin_prefetch((const void *)(g->next.x + (uintptr_t)(at + line)), 0, 2);
        __builtin_prefetch((const void *)(g->next.w + (uintptr_t)(at + line)), 0, 2);
    }
}

/* Multiplies two steps of all blocks. `last` is where the sums of the block before go. */
static inline __attribute__((always_inline)) void multiply_chunk(group *g, int chunk, const enum start start,
                                                                 int *last, const int is_bare)
{
    const int across = (g->w_strips + 1) / 2, blocks = (g->x_strips + 1) / 2 * across;
    const int64_t at = chunk * CHUNK * STEP_BYTES;
    for (int q = 0; q < blocks; q++) {
        const int i = across == 1 ? 2 * q : q & ~1, j = across == 1 ? 0 : q % 2 * 2;
        const uint8_t *x0 = g->x[i] + at, *x1 = g->x[i + 1] + at;
        const int8_t *w0 = g->w[j] + at, *w1 = g->w[j + 1] + at;
        int32_t *before = *last < 4 ? g->sums[*last] : g->between[1];
        uint32_t *states = g->states[*last];
        const beside first = {before, is_bare ? 0 : g->between[0], states};
        const beside second = {is_bare ? 0 : g->between[0], is_bare ? 0 : before, states};
        dot_block(x0, x1, w0, w1, start, g->sums[q], &first);
        fetch_ahead(g, ((chunk * blocks + q) * CHUNK) * 256);
        dot_block(x0 + STEP_BYTES, x1 + STEP_BYTES, w0 + STEP_BYTES, w1 + STEP_BYTES, GO_ON, 0, &second);
        fetch_ahead(g, ((chunk * blocks + q) * CHUNK + 1) * 256);
        *last = q;
    }
}

static inline __attribute__((always_inline)) void multiply_blocks(group *g, const int is_bare)
{
    int last = 4;
    multiply_chunk(g, 0, FROM_ZERO, &last, is_bare);
    for (int chunk = 1; chunk < STEPS / CHUNK; chunk++)
        multiply_chunk(g, chunk, FROM_SUMS, &last, is_bare);
    store_sums(g->sums[last]);
    if (!is_bare) {
        fold_block(g->between[0], g->states[last]);
        fold_block(g->sums[last], g->states[last]);
    }
}

/* Multiplies one strip of X by four of W. */
static inline __attribute__((always_inline)) void multiply_row(group *g, const int is_bare)
{
    for (int b = 0; b < STEPS; b++) {
        uint32_t *states = g->states[b < 2 ? 4 : 0];
        const beside by = {is_bare ? 0 : g->between[b % 2], is_bare ? 0 : g->between[(b + 1) % 2], states};
        if (b == 0)
            dot_row(g->x[0], g->w, 0, FROM_ZERO, 0, &by);
        else
            dot_row(g->x[0], g->w, b * STEP_BYTES, GO_ON, 0, &by);
        fetch_ahead(g, b * 256);
    }
    store_sums(g->sums[0]);
    if (!is_bare) {
        fold_block(g->between[(STEPS - 1) % 2], g->states[0]);
        fold_block(g->sums[0], g->states[0]);
    }
}

static __attribute__((noinline)) void multiply_group(group *g)
{
    memset(g->states, 0, sizeof g->states);
    if (g->x_strips == 1)
        multiply_row(g, 0);
    else
        multiply_blocks(g, 0);
}

static __attribute__((noinline)) void multiply_group_bare(group *g)
{
    if (g->x_strips == 1)
        multiply_row(g, 1);
    else
        multiply_blocks(g, 1);
}

/* Returns the place of strip i of X times strip j of W in a group of blocks. */
static inline int find_block_sums(const group *g, int i, int j)
{
    const int across = (g->w_strips + 1) / 2;
    return (i / 2 * across + j / 2) * 4 + i % 2 * 2 + j % 2;
}

static inline int find_sums(const group *g, int i, int j)
{
    return g->x_strips == 1 ? j : find_block_sums(g, i, j);
}

/* Takes up to four strips of either side, which lie so many bytes apart; of X either four, two or one. */
static inline void fill_group(group *g, const uint8_t *x, int64_t x_stride, int64_t x_strips, const int8_t *w,
                              int64_t w_stride, int64_t w_strips)
{
    g->x_strips = x_strips >= GROUP ? GROUP : x_strips >= 2 ? 2 : 1;
    g->w_strips = (int)inos_min(GROUP, w_strips);
    for (int s = 0; s < GROUP; s++) {
        g->x[s] = x + inos_min(s, g->x_strips - 1) * x_stride;
        g->w[s] = w + inos_min(s, g->w_strips - 1) * w_stride;
    }
}

static inline void add_sums(const int32_t *sums, int32_t *out, int is_new)
{
    for (int r = 0; r < ROWS; r++) {
        __m512i row = _mm512_loadu_si512(sums + r * ROWS);
        if (!is_new)
            row = _mm512_add_epi32(row, _mm512_loadu_si512(out + r * ROWS));
        _mm512_storeu_si512(out + r * ROWS, row);
    }
}

/* Fetches X's next panel and W's next group, 16 KiB at a time. After the last panel it fetches what follows in the kept
 * side. The addresses may lie beyond it, since nothing is read, only fetched. They are written in place:
 * where both were copied as one vector, panels took 2 to 3 % longer. */
static void look_ahead_of_group(const inos_tile *tile, int64_t i, int64_t j, int64_t p, int64_t panels, ahead *next)
{
    const int is_last_panel = p + 1 == panels, is_last_group = j + GROUP >= tile->w_strips;
    int64_t x = i + j / GROUP, w = j + GROUP + i / GROUP, x_panel = p + 1, w_panel = p;
    if (is_last_panel)
        x += tile->keeps_x ? tile->x_strips : 0, x_panel = 0;
    if (is_last_group) {
        w = i / GROUP + (is_last_panel && !tile->keeps_x ? tile->w_strips : 0);
        w_panel = is_last_panel ? 0 : p + 1;
    }
    next->x = (uintptr_t)tile->x + (uintptr_t)((x * panels + x_panel) * STRIP_BYTES);
    next->w = (uintptr_t)tile->w + (uintptr_t)((w * panels + w_panel) * STRIP_BYTES);
}

/* Multiplies panel p of a tile; the states are [x strip][w strip][16]. Returns 0 if `stop` was set. */
#define MULTIPLY_PANEL multiply_panel_amx
static int multiply_panel_amx(const inos_slab *slab, const inos_tile *tile, int32_t *scratch, int64_t p,
                              int64_t panels, uint32_t *states)
{
    const int64_t stride = panels * STRIP_BYTES;
    group g __attribute__((aligned(64)));
    memset(g.between, 0, sizeof g.between);
    for (int64_t j = 0; j < tile->w_strips; j += GROUP) {
        if (inos_is_stopped(slab->stop))
            return 0;
        for (int64_t i = 0; i < tile->x_strips; i += g.x_strips) {
            fill_group(&g, tile->x + i * stride + p * STRIP_BYTES, stride, tile->x_strips - i,
                       tile->w + j * stride + p * STRIP_BYTES, stride, tile->w_strips - j);
            look_ahead_of_group(tile, i, j, p, panels, &g.next);
            if (slab->x.is_bare)
                multiply_group_bare(&g);
            else
                multiply_group(&g);
            for (int a = 0; a < g.x_strips; a++)
                for (int b = 0; b < g.w_strips; b++) {
                    const int64_t ticket = (i + a) * tile->w_strips + j + b;
                    const int place = find_sums(&g, a, b);
                    if (inos_needs_rows(slab))
                        add_sums(g.sums[0] + place * SUMS, scratch + ticket * SUMS, p == 0);
                    memcpy(states + ticket * STATE_WORDS, g.states[0] + place * STATE_WORDS, 4 * STATE_WORDS);
                }
        }
    }
    return 1;
}

/* Multiplies one strip by one, for a certificate that is checked. */
static inline void product(const uint8_t *x, const int8_t *w, int64_t stride, int n, int32_t *acc, int is_new,
                           uint32_t *states, int bare, const ahead *next)
{
    group g __attribute__((aligned(64)));
    (void)stride, (void)n, (void)bare;
    memset(g.between, 0, sizeof g.between);
    fill_group(&g, x, 0, 1, w, 0, 1);
    g.next = *next;
    multiply_group(&g);
    add_sums(g.sums[0], acc, is_new);
    memcpy(states, g.states[0], 4 * STATE_WORDS);
}

/* A strip's side of the peeling, of which X's lies row by row and W's as operands do: noise, and the high and the low
 * bytes of the sums. */
#define WRITE_PEEL write_peel_amx
static void write_peel_amx(int is_x, uint8_t noise[ROWS][RANK], int16_t (*sums)[RANK], int16_t *peel)
{
    uint8_t parts[3][ROWS][RANK] __attribute__((aligned(64)));
    memcpy(parts[0], noise, sizeof parts[0]);
    for (int r = 0; r < ROWS; r++)
        for (int q = 0; q < RANK; q++) {
            parts[1][r][q] = (uint8_t)(sums[r][q] >> 8);
            parts[2][r][q] = (uint8_t)sums[r][q];
        }
    if (is_x)
        memcpy(peel, parts, sizeof parts);
    else
        for (int part = 0; part < 3; part++)
            transpose(parts[part][0], RANK, (uint8_t *)peel + part * PEEL_PART);
}

/* X F^T + (64 + E) W'^T of a strip of X and one of W, in the tiles `high` and `low`: the sum is 256 high + low. */
#define DOT_PEEL(high, low, x, w) \
    do { \
        CLEAR_TILE(high); \
        CLEAR_TILE(low); \
        LOAD_TILE(4, w); \
        LOAD_TILE(5, (x) + PEEL_PART); \
        DOT_TILES(ss, high, 5, 4); \
        LOAD_TILE(6, (x) + 2 * PEEL_PART); \
        DOT_TILES(us, low, 6, 4); \
        LOAD_TILE(7, x); \
        LOAD_TILE(5, (w) + PEEL_PART); \
        DOT_TILES(us, high, 7, 5); \
        LOAD_TILE(6, (w) + 2 * PEEL_PART); \
        DOT_TILES(uu, low, 7, 6); \
    } while (0)

static inline void subtract_peel(int32_t peel[2][SUMS], const int32_t *block, const place *out)
{
    for (int r = 0; r < ROWS; r++) {
        const __m512i high = _mm512_slli_epi32(_mm512_load_si512(peel[0] + r * ROWS), 8);
        const __m512i sum = _mm512_add_epi32(high, _mm512_load_si512(peel[1] + r * ROWS));
        _mm512_storeu_si512(out->start + r * out->row, _mm512_sub_epi32(_mm512_loadu_si512(block + r * ROWS), sum));
    }
}

#define PEEL_W 2
static void peel(const int16_t *x, const int16_t *w, int64_t stride, int n, const int32_t *block, int32_t *start,
                 int64_t row, int64_t strip)
{
    place out = {start, row, strip};
    int32_t sums[2][2][SUMS] __attribute__((aligned(64)));
    const uint8_t *rows = (const uint8_t *)x, *columns = (const uint8_t *)w;
    DOT_PEEL(0, 1, rows, columns);
    if (n == 2)
        DOT_PEEL(2, 3, rows, columns + 2 * stride);
    STORE_TILE(0, sums[0][0]);
    STORE_TILE(1, sums[0][1]);
    subtract_peel(sums[0], block, &out);
    if (n == 2) {
        const place second = {out.start + out.strip, out.row, 0};
        STORE_TILE(2, sums[1][0]);
        STORE_TILE(3, sums[1][1]);
        subtract_peel(sums[1], block + SUMS, &second);
    }
}

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
