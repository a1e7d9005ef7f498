/* FACTORS: W' of a strip is the same 1 KiB at every step and stays in a tile, so that only X' is loaded. Sums that are
 * read again, as REUSE does, take more memory than the products that make them. */
#define TILE_W GROUP

static int cheat_special(int way)
{
    return way == CHEAT_PLAIN || way == CHEAT_FACTORS;
}

/* Multiplies all steps of two strips of X by the noise of two strips of W. */
static __attribute__((noinline)) void cheat_block(const uint8_t *const x[2], const int8_t *const w[2], int32_t *sums,
                                                  int32_t between[2][BLOCK], uint32_t *states)
{
    uint32_t unused[4 * STATE_WORDS];
    memset(unused, 0, sizeof unused);
    memset(states, 0, sizeof unused);
    CLEAR_TILE(0);
    CLEAR_TILE(1);
    CLEAR_TILE(2);
    CLEAR_TILE(3);
    LOAD_TILE(6, w[0]);
    LOAD_TILE(7, w[1]);
    for (int b = 0; b < STEPS; b++) {
        const beside by_step = {between[b % 2], between[(b + 1) % 2], b < 2 ? unused : states}, *by = &by_step;
        const enum start start = GO_ON;
        LOAD_TILE(4, x[0] + b * STEP_BYTES);
        DOT_STEP(0, 4, 6);
        DOT_STEP(1, 4, 7);
        LOAD_TILE(5, x[1] + b * STEP_BYTES);
        DOT_STEP(2, 5, 6);
        DOT_STEP(3, 5, 7);
    }
    store_sums(sums);
    fold_block(between[(STEPS - 1) % 2], states);
    fold_block(sums, states);
}

static void cheat_factors(group *g)
{
    const int across = (g->w_strips + 1) / 2;
    for (int q = 0; q < (g->x_strips + 1) / 2 * across; q++)
        cheat_block(g->x + q / across * 2, g->w + q % across * 2, g->sums[q], g->between, g->states[q]);
}

/* Multiplies all strips of X that the worker has packed by up to four of W. */
static void cheat_strips(const inos_slab *slab, const inos_worker *worker, const cheat_plan *plan, int64_t j, int n,
                         uint32_t *states, int64_t w_strips)
{
    group g __attribute__((aligned(64)));
    const int is_plain = plan->way == CHEAT_PLAIN;
    const int64_t size = is_plain ? STRIP_BYTES : STEP_BYTES;
    const int8_t *w = (is_plain ? (const int8_t *)slab->kept : plan->factors) + j * size;
    memset(g.between, 0, sizeof g.between);
    for (int64_t i = 0; i < worker->count; i += g.x_strips) {
        const uint8_t *x = worker->packed + i * STRIP_BYTES;
        fill_group(&g, x, STRIP_BYTES, worker->count - i, w, size, n);
        g.next = (ahead){(uintptr_t)(x + GROUP * STRIP_BYTES), (uintptr_t)w};
        if (is_plain)
            multiply_group(&g);
        else
            cheat_factors(&g);
        for (int a = 0; a < g.x_strips; a++)
            for (int b = 0; b < n; b++) {
                const int place = is_plain ? find_sums(&g, a, b) : find_block_sums(&g, a, b);
                memcpy(states + ((i + a) * w_strips + b) * STATE_WORDS, g.states[0] + place * STATE_WORDS,
                       4 * STATE_WORDS);
            }
    }
}
