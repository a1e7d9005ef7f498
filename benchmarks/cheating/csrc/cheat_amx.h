/* FACTORS: W' of a strip is the same 1 KiB at every step, so that it stays in the first-level cache together with two
 * strips of X. Sums that are read again, as REUSE does, take more memory than the products that make them. */
#define TILE_W MAX_TILE_TICKETS /* all strips of W in a tile */

static int cheat_special(int way)
{
    return way == CHEAT_PLAIN || way == CHEAT_FACTORS;
}

static void cheat_next(sequence *s, const enum shape shape, const inos_tile *tile, int64_t i, int64_t j,
                       const int8_t *factors, uint32_t *states)
{
    describe_block(s, shape, tile, i, j, 0, 1, states, 0);
    s->own->w_step = 0;
    for (int b = 0; b < 4; b++)
        s->own->w[b] = factors + inos_min(j + b, tile->w_strips - 1) * STEP_BYTES;
    multiply_next(s, shape, 0);
}

static void cheat_factors(const inos_tile *tile, const int8_t *factors, uint32_t *states)
{
    const int64_t pairs = tile->x_strips / 2 * 2;
    sequence s;
    open_sequence(&s);
    for (int64_t i = 0; i < pairs; i += 2)
        for (int64_t j = 0; j < tile->w_strips; j += 2)
            cheat_next(&s, SQUARE, tile, i, j, factors, states);
    for (int64_t j = 0; pairs < tile->x_strips && j < tile->w_strips; j += 4)
        cheat_next(&s, ROW, tile, pairs, j, factors, states);
    close_sequence(&s, 0);
}

/* Multiplies all strips of X that the worker has packed by all of a tile's W. */
static void cheat_strips(const inos_slab *slab, const inos_worker *worker, const cheat_plan *plan, int64_t j, int n,
                         uint32_t *states, int64_t w_strips)
{
    inos_tile tile = {.x_strips = worker->count, .x = worker->packed, .w_strips = n};
    (void)w_strips;
    tile.w = (const int8_t *)slab->kept + j * STRIP_BYTES;
    if (plan->way == CHEAT_PLAIN)
        multiply_panel_amx(slab, &tile, 0, 0, 1, states);
    else
        cheat_factors(&tile, plan->factors + j * STEP_BYTES, states);
}
