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

static int64_t find_block(int64_t at, int64_t plane, int64_t rows, int64_t cols)
{
    return at * (plane ? plane : rows * cols);
}

/* Computes what is not known yet of block `at` of W. */
static int learn_w(const inos_products *job, int64_t at, uint8_t *nodes)
{
    const int64_t panels = (job->cols + PANEL - 1) / PANEL;
    const int8_t *w = job->w + find_block(at, job->w_plane, job->w_rows, job->cols);
    uint8_t *id = job->w_ids + 32 * at, *seed = job->w_seeds + 32 * at;
    uint32_t key[8];
    if (job->w_known < 1 && !identify(w, job->w_rows, job->cols, nodes, id))
        return 0;
    if (job->w_known < 2) {
        hash_pair("inos v1 noise w", job->anchor, id, seed);
        memcpy(key, seed, sizeof key);
        draw_perms(key, 0, panels * STEPS, job->w_perms + at * panels * PANEL, job->w_inverse + at * panels * PANEL);
    }
    return 1;
}

static inos_worker make_worker(const inos_products *job, const int64_t place[PARTS])
{
    return (inos_worker){
        .packed = job->memory + place[PACKED], .peel = (int16_t *)(void *)(job->memory + place[PEEL]),
        .scratch = (int32_t *)(void *)(job->memory + place[SCRATCH]),
        .wins = (uint32_t *)(void *)(job->memory + place[WINS]),
    };
}

/* Multiplies what is left of a block that is open in `owner`, which may be the job itself. */
static void multiply_open(inos_products *job, inos_products *owner, const int64_t place[PARTS])
{
    inos_worker worker = make_worker(job, place);
    while (multiply(&owner->slab, &worker))
        __atomic_store_n(&job->has_won[owner->opened], 1, __ATOMIC_RELAXED);
    job->tickets += worker.tickets;
}

/* Describes operands of the job's shape; those of one block are set later. */
static void describe_blocks(inos_products *job, const int64_t place[PARTS])
{
    const int64_t panels = (job->cols + PANEL - 1) / PANEL;
    const int64_t x_strips = (job->x_rows + ROWS - 1) / ROWS, w_strips = (job->w_rows + ROWS - 1) / ROWS;
    const inos_slab slab = {
        .x = {.rows = job->x_rows, .cols = job->cols, .last_panel = panels, .perms = job->memory + place[PERMS], .is_x = 1},
        .w = {.rows = job->w_rows, .cols = job->cols, .last_panel = panels, .inverse = job->memory + place[INVERSE]},
        .keeps_x = job->keeps_x, .kept_last = job->keeps_x ? x_strips : w_strips,
        .streamed_last = job->keeps_x ? w_strips : x_strips,
        .kept = job->memory + place[KEPT], .kept_peel = (int16_t *)(void *)(job->memory + place[KEPT_PEEL]),
        .tile_kept = TILE_KEPT, .tile_streamed = job->tile_streamed,
    };
    job->slab = slab;
    memcpy(job->slab.target, job->target, sizeof job->target);
}

/* Hashes the operands of a block, draws their noise and packs the kept one. Returns 0 if an entry is out of range. */
static int open_block(inos_products *job, const int64_t place[PARTS], int64_t at)
{
    const int64_t panels = (job->cols + PANEL - 1) / PANEL;
    uint8_t *const nodes = job->memory + place[NODES], *const perms = job->memory + place[PERMS];
    inos_slab *slab = &job->slab;
    uint8_t id[32], seed[32];
    const int64_t out = find_block(at, job->out_plane, job->x_rows, job->w_rows);
    slab->x.raw = job->x + find_block(at, job->x_plane, job->x_rows, job->cols);
    slab->w.raw = job->w + find_block(at, job->w_plane, job->w_rows, job->cols);
    if (!learn_w(job, at, nodes) || !identify(slab->x.raw, job->x_rows, job->cols, nodes, id))
        return 0;
    hash_pair("inos v1 noise x", job->w_seeds + 32 * at, id, seed);
    memcpy(slab->x.seed, seed, sizeof seed);
    memcpy(slab->w.seed, job->w_seeds + 32 * at, sizeof slab->w.seed);
    draw_perms(slab->x.seed, 0, panels * STEPS, perms, job->memory + place[INVERSE]);
    slab->w.perms = job->w_perms + at * panels * PANEL, slab->x.inverse = job->w_inverse + at * panels * PANEL;
    if (job->moduli)
        slab->modulus = job->moduli[at], slab->reduced = job->reduced + out;
    else
        slab->out = job->out + out;
    slab->next = 0, slab->threads = 1;
    keep(slab);
    /* Towards the end of the last blocks, threads that have nothing else to do take small parts of them. */
    slab->next = 0, slab->threads = job->team && at + job->threads >= job->last ? job->threads : 1;
    job->has_won[at] = 0, job->opened = at;
    return 1;
}

/* Whoever finds no block left sees that the blocks before those in progress are closed. */
static int64_t take_block(inos_products *job, int64_t before)
{
    return job->team ? __atomic_fetch_add(&job->team->next, 1, __ATOMIC_ACQ_REL) : before + 1;
}

static int run_products(inos_products *job)
{
    int64_t place[PARTS];
    place_parts(job, place);
    describe_blocks(job, place);
    job->tickets = 0;
    for (int64_t at = take_block(job, job->first - 1); at < job->last; at = take_block(job, at)) {
        if (!open_block(job, place, at))
            return 0;
        __atomic_store_n(&job->is_open, 1, __ATOMIC_RELEASE);
        multiply_open(job, job, place);
        __atomic_store_n(&job->is_open, 0, __ATOMIC_RELAXED);
    }
    /* A block that is open now is the last one of its thread, so its slab stays as it is. */
    for (int64_t t = 0; job->team && t < job->threads; t++)
        if (__atomic_load_n(&job->team[t].is_open, __ATOMIC_ACQUIRE))
            multiply_open(job, &job->team[t], place);
    return 1;
}
