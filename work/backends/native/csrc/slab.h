/* Computes a part of Y over some panels, with several threads. The strips of one side are packed beforehand. Of the
 * other side, each thread takes some strips, packs them for itself and multiplies them with all kept ones. So the
 * packed data takes little memory, and stays in the caches. */

/* Takes the next strips of the streamed side, fewer towards the end, so that all threads end together. */
static int64_t take_strips(inos_slab *slab, int64_t last, int64_t most, int64_t *first)
{
    int64_t at = __atomic_load_n(&slab->next, __ATOMIC_RELAXED), count;
    do {
        const int64_t rest = last - at;
        if (rest <= 0)
            return 0;
        /* One thread takes as many as it can, and kernels take strips of W in pairs. */
        count = slab->threads == 1 ? most : (rest / (2 * slab->threads) + 1) / 2 * 2;
        count = inos_min(inos_min(count < 2 ? 2 : count, most), rest);
    } while (!__atomic_compare_exchange_n(&slab->next, &at, at + count, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    *first = at;
    return count;
}

/* Where the sums go with which the noise is removed; 0 if it is not. */
static int16_t *find_peel(const inos_slab *slab, int16_t *peel)
{
    return slab->x.is_bare || !inos_needs_rows(slab) ? 0 : peel;
}

/* Packs the kept side. If it was packed before, only adds up its columns under X's new noise. */
static void keep(inos_slab *slab)
{
    const inos_side *side = slab->keeps_x ? &slab->x : &slab->w;
    const int64_t size = (side->last_panel - side->first_panel) * STRIP_BYTES * (side->is_x ? X_SCALE : 1);
    for (int64_t count, first = 0; (count = take_strips(slab, slab->kept_last, 4, &first)) > 0;) {
        uint8_t *packed = slab->kept + (first - slab->kept_first) * size;
        int16_t *peel = slab->kept_peel + (first - slab->kept_first) * PEEL_WORDS;
        if (slab->is_packed)
            sum_w(side, first, first + count, packed, peel, slab->stop);
        else
            pack(side, first, first + count, packed, find_peel(slab, peel), slab->stop);
        if (inos_is_stopped(slab->stop))
            return;
    }
}

static void open_tile(const inos_slab *slab, inos_worker *worker)
{
    const int64_t size = (slab->x.last_panel - slab->x.first_panel) * STRIP_BYTES;
    const int64_t kept = inos_min(slab->tile_kept, worker->kept_last - worker->kept_at);
    const int64_t skipped = worker->kept_at - slab->kept_first;
    inos_tile tile = {.keeps_x = slab->keeps_x};
    if (slab->keeps_x) {
        tile.i = worker->kept_at, tile.x_strips = kept, tile.j = worker->first, tile.w_strips = worker->count;
        tile.x = slab->kept + skipped * size * X_SCALE, tile.peel_x = slab->kept_peel + skipped * PEEL_WORDS;
        tile.w = (const int8_t *)worker->packed, tile.peel_w = worker->peel;
    } else {
        tile.i = worker->first, tile.x_strips = worker->count, tile.j = worker->kept_at, tile.w_strips = kept;
        tile.x = worker->packed, tile.peel_x = worker->peel;
        tile.w = (const int8_t *)slab->kept + skipped * size;
        tile.peel_w = slab->kept_peel + skipped * PEEL_WORDS;
    }
    worker->kept_at += kept;
    worker->tile = tile;
    worker->panels_left = slab->x.last_panel - slab->x.first_panel;
}

/* Takes and packs the next strips of the streamed side; returns 0 if none is left. */
static int open_strips(inos_slab *slab, inos_worker *worker)
{
    const inos_side *side = slab->keeps_x ? &slab->w : &slab->x;
    worker->count = take_strips(slab, slab->streamed_last, slab->tile_streamed, &worker->first);
    if (!worker->count)
        return 0;
    pack(side, worker->first, worker->first + worker->count, worker->packed, find_peel(slab, worker->peel), slab->stop);
    worker->kept_at = slab->kept_first;
    worker->kept_last = slab->kept_last;
    return 1;
}

static int multiply_strips(inos_slab *slab, inos_worker *worker)
{
    worker->win_count = 0;
    while (!inos_is_stopped(slab->stop) && !worker->win_count) {
        if (worker->panels_left > 0)
            run_tile(slab, worker);
        else if (worker->kept_at < worker->kept_last)
            open_tile(slab, worker);
        else if (!open_strips(slab, worker))
            return 0;
    }
    return worker->win_count > 0;
}

/* Runs until there are wins to report (1), or nothing is left or `stop` was set (0). */
static int multiply(inos_slab *slab, inos_worker *worker)
{
    OPEN_TILES;
    const int has_wins = multiply_strips(slab, worker);
    CLOSE_TILES;
    return has_wins;
}
