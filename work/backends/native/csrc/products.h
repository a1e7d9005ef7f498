/* Small products, each of which is hashed, multiplied under noise and drawn from in one call. One side of a block is
 * packed as a whole, and the other one is streamed past it (slab.h). */

enum { NODES, PERMS, INVERSE, KEPT, KEPT_PEEL, PACKED, PEEL, SCRATCH, WINS, PARTS };

/* Places the parts of the memory one after the other, each from a cache line on, and returns their size. */
static int64_t place_parts(const inos_products *job, int64_t place[PARTS])
{
    const int64_t panels = (job->cols + PANEL - 1) / PANEL;
    const int64_t x_strips = (job->x_rows + ROWS - 1) / ROWS, w_strips = (job->w_rows + ROWS - 1) / ROWS;
    const int64_t kept = job->keeps_x ? x_strips : w_strips, tile = job->tile_streamed;
    const int64_t packed_x = panels * STRIP_BYTES * X_SCALE, packed_w = panels * STRIP_BYTES;
    const int64_t sizes[PARTS] = {
        [NODES] = 2 * 32 * panels * (x_strips > w_strips ? x_strips : w_strips),
        [PERMS] = panels * PANEL, [INVERSE] = panels * PANEL,
        [KEPT] = kept * (job->keeps_x ? packed_x : packed_w), [KEPT_PEEL] = kept * PEEL_WORDS * 2,
        [PACKED] = tile * (job->keeps_x ? packed_w : packed_x), [PEEL] = tile * PEEL_WORDS * 2,
        [SCRATCH] = tile * TILE_KEPT * ROWS * ROWS * 4, [WINS] = tile * TILE_KEPT * WIN_WORDS * 4,
    };
    int64_t end = 0;
    for (int part = 0; part < PARTS; part++) {
        place[part] = end;
        end += (sizes[part] + 63) / 64 * 64;
    }
    return end;
}

static int64_t products_bytes(const inos_products *job)
{
    int64_t place[PARTS];
    return place_parts(job, place);
}

/* Computes what is not known yet of block `at` of W. */
static int learn_w(const inos_products *job, int64_t at, uint8_t *nodes)
{
    const int64_t panels = (job->cols + PANEL - 1) / PANEL;
    uint8_t *id = job->w_ids + 32 * at, *seed = job->w_seeds + 32 * at;
    uint32_t key[8];
    if (job->w_known < 1 && !identify(job->w + at * job->w_rows * job->cols, job->w_rows, job->cols, nodes, id))
        return 0;
    if (job->w_known < 2) {
        hash_pair("inos v1 noise w", job->anchor, id, seed);
        memcpy(key, seed, sizeof key);
        draw_perms(key, 0, panels * STEPS, job->w_perms + at * panels * PANEL, job->w_inverse + at * panels * PANEL);
    }
    return 1;
}

/* Multiplies one block, whose operands are described by the slab. */
static void run_block(inos_products *job, inos_slab *slab, const int64_t place[PARTS], int64_t at)
{
    inos_worker worker = {
        .packed = job->memory + place[PACKED], .peel = (int16_t *)(void *)(job->memory + place[PEEL]),
        .scratch = (int32_t *)(void *)(job->memory + place[SCRATCH]),
        .wins = (uint32_t *)(void *)(job->memory + place[WINS]),
    };
    slab->next = 0;
    keep(slab);
    slab->next = 0;
    while (multiply(slab, &worker))
        job->has_won[at] = 1;
    job->tickets += worker.tickets;
}

static int run_products(inos_products *job)
{
    const int64_t panels = (job->cols + PANEL - 1) / PANEL;
    const int64_t x_strips = (job->x_rows + ROWS - 1) / ROWS, w_strips = (job->w_rows + ROWS - 1) / ROWS;
    int64_t place[PARTS];
    place_parts(job, place);
    uint8_t *const nodes = job->memory + place[NODES], *const perms = job->memory + place[PERMS];
    uint8_t *const inverse = job->memory + place[INVERSE];
    inos_slab slab = {
        .x = {.rows = job->x_rows, .cols = job->cols, .last_panel = panels, .perms = perms, .is_x = 1},
        .w = {.rows = job->w_rows, .cols = job->cols, .last_panel = panels, .inverse = inverse},
        .keeps_x = job->keeps_x, .kept_last = job->keeps_x ? x_strips : w_strips,
        .streamed_last = job->keeps_x ? w_strips : x_strips,
        .kept = job->memory + place[KEPT], .kept_peel = (int16_t *)(void *)(job->memory + place[KEPT_PEEL]),
        .tile_kept = TILE_KEPT, .tile_streamed = job->tile_streamed, .threads = 1,
    };
    memcpy(slab.target, job->target, sizeof slab.target);
    job->tickets = 0;
    for (int64_t at = job->first; at < job->last; at++) {
        uint8_t id[32], seed[32];
        slab.x.raw = job->x + at * job->x_rows * job->cols, slab.w.raw = job->w + at * job->w_rows * job->cols;
        if (!learn_w(job, at, nodes) || !identify(slab.x.raw, job->x_rows, job->cols, nodes, id))
            return 0;
        hash_pair("inos v1 noise x", job->w_seeds + 32 * at, id, seed);
        memcpy(slab.x.seed, seed, sizeof seed);
        memcpy(slab.w.seed, job->w_seeds + 32 * at, sizeof slab.w.seed);
        draw_perms(slab.x.seed, 0, panels * STEPS, perms, inverse);
        slab.w.perms = job->w_perms + at * panels * PANEL, slab.x.inverse = job->w_inverse + at * panels * PANEL;
        slab.out = job->out + at * job->x_rows * job->w_rows;
        job->has_won[at] = 0;
        run_block(job, &slab, place, at);
    }
    return 1;
}
