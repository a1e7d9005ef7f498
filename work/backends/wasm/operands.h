/* What the browser's kernel multiplies: memory for two operands, a filler's entries drawn from a seed, ids, and noise. */

#define PAGE 65536
#define BATCH 8 /* W' is widened once for so many strips of X */
#define EXPORT __attribute__((visibility("default"), used))

typedef struct {
    uint8_t seed[32];    /* in: the filler's seed */
    uint8_t anchor[32];  /* in */
    uint8_t target[32];  /* in: big-endian */
    uint8_t id[2][32];   /* out by hash_operand, in for a piece: ids of X and W */
    uint8_t root[2][32]; /* out: roots of X and W */
    uint8_t seed_x[32], seed_w[32]; /* out, by start */
} exchange;

/* Some rows of an operand, from a strip on. */
typedef struct {
    int8_t *raw;
    int64_t first, rows, cols, strips, panels; /* `first` strips are above the rows that are here */
    uint8_t *perms, *inverse;
} operand;

exchange io;
static operand sides[2]; /* X, W */
static uint8_t *leaves, *noise, *packed_w, *packed_x;
static int16_t *parts_x, *peel_x, *peel_w;
static int32_t *blocks, *rows_out; /* 0 for a filler */
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
    side->first = 0, side->rows = rows, side->cols = cols;
    side->strips = round_up(rows, ROWS) / ROWS, side->panels = round_up(cols, PANEL) / PANEL;
    side->raw = take(end, round_up(rows * cols, LANES * 64));
    side->perms = take(end, side->panels * PANEL);
    side->inverse = take(end, side->panels * PANEL);
    return side->raw && side->perms && side->inverse;
}

/* The panels of an operand are packed in groups of 16, as the sums for peeling take at most so many. */
static int64_t count_groups(void)
{
    return round_up(sides[1].panels, MAX_PANELS) / MAX_PANELS;
}

static int reserve_rows(uintptr_t *end)
{
    const int64_t strips = sides[1].strips, groups = count_groups();
    peel_x = take(end, BATCH * groups * PEEL_WORDS * 2);
    peel_w = take(end, strips * groups * PEEL_WORDS * 2);
    blocks = take(end, BATCH * strips * ROWS * ROWS * 4);
    rows_out = take(end, BATCH * ROWS * sides[1].rows * 4);
    return peel_x && peel_w && blocks && rows_out;
}

static int reserve_all(uint32_t rows_x, uint32_t rows_w, uint32_t cols, int has_rows)
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
    peel_x = peel_w = 0, blocks = rows_out = 0;
    return leaves && noise && packed_w && packed_x && parts_x && states && worker.wins
        && (!has_rows || reserve_rows(&end));
}

/* Makes room for X (rows_x x cols) and W (rows_w x cols), in place of what was there. Returns 0 if there is none. */
EXPORT int reserve(uint32_t rows_x, uint32_t rows_w, uint32_t cols)
{
    return reserve_all(rows_x, rows_w, cols, 0);
}

/* Makes room for 8 strips of X and for rows_w rows of W, from its strip first_w on. `mine` leaves exact rows then. */
EXPORT int reserve_piece(uint32_t first_w, uint32_t rows_w, uint32_t cols)
{
    const int is_there = reserve_all(BATCH * ROWS, rows_w, cols, 1);
    sides[1].first = first_w;
    return is_there;
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

/* Leaves id and root of X (0) or W (1) in io; returns 0 if an entry is outside -64 .. 63. */
EXPORT int hash_operand(int which)
{
    operand *side = &sides[which];
    inos_leaves job = {side->raw, side->rows, side->cols, "inos v1 matrix strip", leaves, 0, 0, 0};
    uint8_t head[41] = {1};
    const uint32_t rows = (uint32_t)side->rows, cols = (uint32_t)side->cols;
    hash_leaves(&job);
    compute_root(side->strips * side->panels, io.root[which]);
    memcpy(head + 1, &rows, 4);
    memcpy(head + 5, &cols, 4);
    memcpy(head + 9, io.root[which], 32);
    hash_block("inos v1 matrix", head, sizeof head, io.id[which]);
    return !job.is_bad;
}

/* Draws X (0) or W (1) from io.seed, and leaves its id and root in io. */
EXPORT void draw_operand(int which)
{
    draw_entries(&sides[which], which ? "filler w" : "filler x");
    hash_operand(which);
}

/* Lets an operand's rows begin where strip 0 would be, which may be far below the rows that are here. */
static void place_side(int which, inos_side *view)
{
    const operand *side = &sides[which];
    const uint32_t above = (uint32_t)side->first * ROWS * (uint32_t)side->cols; /* modulo 2^32, as addresses are */
    view->raw = (const int8_t *)((uintptr_t)side->raw - above);
    view->rows = side->first * ROWS + side->rows;
}

static inos_side view_side(int which, const uint8_t *seed)
{
    const operand *side = &sides[which];
    inos_side view = {.cols = side->cols, .last_panel = side->panels, .perms = side->perms,
                      .inverse = sides[!which].inverse, .is_x = !which};
    place_side(which, &view);
    read_words(seed, view.seed);
    draw_perms(view.seed, 0, side->panels * STEPS, side->perms, side->inverse);
    return view;
}

/* Says that the rows of X in memory are `rows`, at most 128, from strip `first` on. */
EXPORT void place_x(uint32_t first, uint32_t rows)
{
    sides[0].first = first, sides[0].rows = rows;
    sides[0].strips = round_up(rows, ROWS) / ROWS;
    place_side(0, &slab.x);
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

EXPORT exchange *get_io(void)
{
    return &io;
}
