/* One tile of Y from packed operands: product and fold panel by panel, ticket hashes, peeling.
 *
 * The including file gives, for n adjacent strips of W (n <= TILE_W or PEEL_W), strides in elements:
 *   product(x, w, w_stride, n, acc, acc_is_new, states, bare, next)   acc: n blocks of 16 x 16 int32, added to
 *   peel(x, w, w_stride, n, acc, out, row, strip)                   acc plus negated corrections into `out`
 * It may give MULTIPLY_PANEL in place of the product, FINISH_TILE for some tiles, and OPEN_TILES and
 * CLOSE_TILES, between which they run.
 */
#ifndef OPEN_TILES
#define OPEN_TILES ((void)0)
#define CLOSE_TILES ((void)0)
#endif
/* Adding and subtracting this rounds a float to an integer. */
#define ROUND_FLOAT 12582912.0f

/* Stores the product; if `adds` is set, adds it to what earlier panels left there. */
static void write_block(const int32_t *block, int32_t *out, int64_t stride, int64_t rows, int64_t cols, int adds)
{
    if (rows >= ROWS && cols >= ROWS && !adds) {
        for (int r = 0; r < ROWS; r++)
            memcpy(out + r * stride, block + r * ROWS, 4 * ROWS);
        return;
    }
    for (int64_t r = 0; r < rows && r < ROWS; r++)
        for (int64_t c = 0; c < cols && c < ROWS; c++)
            out[r * stride + c] = (adds ? out[r * stride + c] : 0) + block[r * ROWS + c];
}

#ifndef WRITE_RESIDUES
#define WRITE_RESIDUES write_residues
/* Stores the residues of the product. A float rounds the quotient, so they lie within -112 .. 112: half of 128, and
 * 3 * 2^-24 of the 2^28 that a product may reach. */
static inline void write_residues(const int32_t *block, int32_t modulus, int8_t *out, int64_t stride, int64_t rows,
                                  int64_t cols)
{
    const float inverse = 1.0f / (float)modulus;
    for (int64_t r = 0; r < rows && r < ROWS; r++) {
        int8_t residues[ROWS];
        for (int c = 0; c < ROWS; c++) {
            const float times = (float)block[r * ROWS + c] * inverse + ROUND_FLOAT - ROUND_FLOAT;
            residues[c] = (int8_t)(block[r * ROWS + c] - (int32_t)times * modulus);
        }
        if (cols >= ROWS)
            memcpy(out + r * stride, residues, ROWS);
        else
            memcpy(out + r * stride, residues, (size_t)cols);
    }
}
#endif

/* Multiplies strip i of the tile's X by n strips of its W from j on, peels the products and writes them. */
static inline void finish_blocks(const inos_slab *slab, const inos_worker *worker, int64_t i, int64_t j, int n)
{
    const inos_tile *tile = &worker->tile;
    int32_t *block = worker->scratch + (i * tile->w_strips + j) * ROWS * ROWS;
    const int16_t *peel_x = tile->peel_x + i * PEEL_WORDS, *peel_w = tile->peel_w + j * PEEL_WORDS;
    const int64_t top = (tile->i + i) * ROWS, left = (tile->j + j) * ROWS, stride = slab->w.rows;
    const int64_t rows = slab->x.rows - top, cols = stride - left;
    const int64_t at = (top - slab->out_first * ROWS) * stride + left;
    int32_t *out = slab->modulus ? 0 : slab->out + at;
    if (!slab->x.is_bare) {
        const int is_whole = rows >= ROWS && cols >= n * ROWS && !slab->adds && !slab->modulus;
        /* The place goes in three arguments. As a struct it would be stored word by word and copied as a vector, and such
         * a copy waits until all older stores are done. */
        if (is_whole) {
            peel(peel_x, peel_w, PEEL_WORDS, n, block, out, stride, ROWS);
            return;
        }
        peel(peel_x, peel_w, PEEL_WORDS, n, block, block, ROWS, ROWS * ROWS);
    }
    for (int s = 0; s < n; s++)
        if (slab->modulus)
            WRITE_RESIDUES(block + s * ROWS * ROWS, slab->modulus, slab->reduced + at + s * ROWS, stride, rows,
                           cols - s * ROWS);
        else
            write_block(block + s * ROWS * ROWS, out + s * ROWS, stride, rows, cols - s * ROWS, slab->adds);
}

static void finish_tile(const inos_slab *slab, const inos_worker *worker)
{
#ifdef FINISH_TILE
    if (FINISH_TILE(slab, worker))
        return;
#endif
    for (int64_t i = 0; i < worker->tile.x_strips; i++)
        for (int64_t j = 0; j < worker->tile.w_strips; j += PEEL_W)
            finish_blocks(slab, worker, i, j, (int)inos_min(PEEL_W, worker->tile.w_strips - j));
}

#ifndef MULTIPLY_PANEL
#define MULTIPLY_PANEL multiply_panel
/* Fetches X's next panel and W's next two strips in portions, one for each product. After the last panel it fetches
 * what follows in the kept side. The addresses may lie beyond it, since nothing is read, only fetched. */
static inline ahead look_ahead(const inos_tile *tile, int64_t i, int64_t j, int64_t p, int64_t panels)
{
    const int64_t size = STRIP_BYTES, stride = panels * size;
    const int is_last_panel = p + 1 == panels, is_last_pair = j + 2 >= tile->w_strips;
    int64_t x = i * stride + (p + 1) * size, w = (j + 2) * stride + p * size;
    if (is_last_panel)
        x = (i + (tile->keeps_x ? tile->x_strips : 0)) * stride;
    if (is_last_pair)
        w = is_last_panel ? (tile->keeps_x ? 0 : tile->w_strips) * stride : (p + 1) * size;
    return (ahead){(uintptr_t)tile->x + (uintptr_t)(x * X_SCALE + j / 2 * AHEAD_BYTES),
                   (uintptr_t)tile->w + (uintptr_t)(w + (i & 7) * AHEAD_BYTES + (i & 8) / 8 * stride)};
}

/* Multiplies panel p of a tile; the states are [x strip][w strip][16]. Returns 0 if `stop` was set. */
static int multiply_panel(const inos_slab *slab, const inos_tile *tile, int32_t *scratch, int64_t p, int64_t panels,
                          uint32_t *states)
{
    const int64_t stride = panels * STRIP_BYTES;
    for (int64_t j = 0; j < tile->w_strips; j += TILE_W) {
        const int n = (int)inos_min(TILE_W, tile->w_strips - j);
        const int8_t *w = tile->w + j * stride + p * STRIP_BYTES;
#ifdef WIDEN_W
        int16_t wide[2 * STRIP_BYTES / 2] __attribute__((aligned(64)));
        WIDEN_W(w, wide);
#else
        const int8_t *wide = w;
#endif
        if (inos_is_stopped(slab->stop))
            return 0;
        for (int64_t i = 0; i < tile->x_strips; i++) {
            const ahead next = look_ahead(tile, i, j, p, panels);
            product(tile->x + (i * stride + p * STRIP_BYTES) * X_SCALE, wide, stride, n,
                    scratch + (i * tile->w_strips + j) * ROWS * ROWS, p == 0 || !inos_needs_rows(slab),
                    states + (i * tile->w_strips + j) * STATE_WORDS, slab->x.is_bare, &next);
        }
    }
    return 1;
}
#endif

static void run_panel(const inos_slab *slab, inos_worker *worker, int64_t p, int64_t panels)
{
    uint32_t states[(MAX_TILE_TICKETS + 2 * LANES) * STATE_WORDS] __attribute__((aligned(64)));
    const inos_tile *tile = &worker->tile;
    memset(states + tile->x_strips * tile->w_strips * STATE_WORDS, 0, 8 * LANES * STATE_WORDS);
    if (MULTIPLY_PANEL(slab, tile, worker->scratch, p, panels, states) && !slab->x.is_bare)
        draw_tickets(slab, worker, states, slab->x.first_panel + p);
}

/* Computes the rest of a tile's panels, until there are wins to report or `stop` is set. */
static void run_tile(const inos_slab *slab, inos_worker *worker)
{
    const int64_t panels = slab->x.last_panel - slab->x.first_panel;
    while (worker->panels_left > 0 && !worker->win_count) {
        run_panel(slab, worker, panels - worker->panels_left, panels);
        if (inos_is_stopped(slab->stop))
            return;
        if (--worker->panels_left == 0 && inos_needs_rows(slab))
            finish_tile(slab, worker);
    }
}
