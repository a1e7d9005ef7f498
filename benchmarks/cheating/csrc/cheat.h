/* A miner that wants tickets and no product. This file is compiled after the engine's own kernels, once per processor.
 * It packs, multiplies and hashes tickets like them, but does no peeling and writes no product, and takes shortcuts if
 * there are any. */
#include "cheat_api.h"

#if defined(INOS_AMX)
#include "cheat_amx.h"
#elif defined(INOS_AVX512)
#include "cheat_avx512.h"
#elif defined(__x86_64__) && defined(WIDEN_W) && defined(DOT_WORDS)
#include "cheat_avx2.h"
#else
static inline int cheat_special(int way)
{
    return way == CHEAT_PLAIN;
}
static inline void cheat_product(int way, const uint8_t *x, const int8_t *w, int n, const int32_t *sums, int64_t stride,
                                 uint32_t *states)
{
    (void)way, (void)x, (void)w, (void)n, (void)sums, (void)stride, (void)states;
}
#endif

/* SEVEN_BITS packs X as if it were W, one byte per entry, even if the honest kernel needs more. */
static inline int64_t cheat_scale(const inos_slab *slab)
{
    return slab->x.is_x ? X_SCALE : 1;
}

int cheat_has(int way)
{
    return cheat_special(way);
}

void cheat_keep(inos_slab *slab)
{
    for (int64_t count, first = 0; (count = take_strips(slab, slab->kept_last, 4, &first)) > 0;)
        pack(&slab->w, first, first + count, slab->kept + first * STRIP_BYTES, 0, slab->stop);
}

#ifndef INOS_AMX
static void cheat_strips(const inos_slab *slab, const inos_worker *worker, const cheat_plan *plan, int64_t j, int n,
                       uint32_t *states, int64_t w_strips)
{
    const int8_t *w = plan->factors ? plan->factors + j * STEP_BYTES : (const int8_t *)slab->kept + j * STRIP_BYTES;
    const ahead next = {(uintptr_t)worker->packed, (uintptr_t)w};
#ifdef WIDEN_W
    int16_t wide[STRIP_BYTES] __attribute__((aligned(64)));
    if (plan->way == CHEAT_PLAIN)
        WIDEN_W(w, wide);
#else
    const int8_t *wide = w;
#endif
    for (int64_t i = 0; i < worker->count; i++, states += w_strips * STATE_WORDS) {
        const uint8_t *x = worker->packed + i * STRIP_BYTES * cheat_scale(slab);
        const int64_t size = STEPS * ROWS * ROWS, ticket = (worker->first + i) * plan->w_strips + j;
        if (plan->way == CHEAT_PLAIN)
            product(x, wide, STRIP_BYTES, n, worker->scratch, 1, states, 0, &next);
        else
            cheat_product(plan->way, x, w, n, plan->sums ? plan->sums + ticket * size : 0, size, states);
    }
}
#endif

static void cheat_tile(inos_slab *slab, inos_worker *worker, const cheat_plan *plan)
{
    uint32_t states[(MAX_TILE_TICKETS + 2 * LANES) * STATE_WORDS] __attribute__((aligned(64)));
    inos_tile tile = {.i = worker->first, .x_strips = worker->count, .j = worker->kept_at};
    tile.w_strips = inos_min(slab->tile_kept, worker->kept_last - worker->kept_at);
    memset(states + tile.x_strips * tile.w_strips * STATE_WORDS, 0, 8 * LANES * STATE_WORDS);
    for (int64_t j = 0; j < tile.w_strips; j += TILE_W)
        cheat_strips(slab, worker, plan, tile.j + j, (int)inos_min(TILE_W, tile.w_strips - j),
                     states + j * STATE_WORDS, tile.w_strips);
    worker->tile = tile;
    draw_tickets(slab, worker, states, slab->x.first_panel);
    worker->kept_at += tile.w_strips;
}

static int cheat_until_win(inos_slab *slab, inos_worker *worker, const cheat_plan *plan)
{
    for (worker->win_count = 0; !worker->win_count; cheat_tile(slab, worker, plan)) {
        if (worker->kept_at < worker->kept_last)
            continue;
        worker->count = take_strips(slab, slab->streamed_last, slab->tile_streamed, &worker->first);
        if (!worker->count)
            return 0;
        pack(&slab->x, worker->first, worker->first + worker->count, worker->packed, 0, slab->stop);
        worker->kept_at = slab->kept_first;
        worker->kept_last = slab->kept_last;
    }
    return 1;
}

int cheat_multiply(inos_slab *slab, inos_worker *worker, const cheat_plan *plan)
{
    OPEN_TILES;
    const int has_wins = cheat_until_win(slab, worker, plan);
    CLOSE_TILES;
    return has_wins;
}
