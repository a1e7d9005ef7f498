/* The tickets of a panel of a tile, which are hashed 32 at a time and compared with the target. */

/* Returns whether a digest, read big-endian, is at most the target. */
static int is_win(const uint32_t *digest, const uint32_t *target)
{
    for (int w = 0; w < DIGEST_WORDS; w++) {
        const uint32_t word = __builtin_bswap32(digest[w]);
        if (word != target[w])
            return word < target[w];
    }
    return 1;
}

static void write_win(inos_worker *worker, int64_t at, int64_t panel, const uint32_t *digest)
{
    const inos_tile *tile = &worker->tile;
    uint32_t *win = worker->wins + worker->win_count++ * WIN_WORDS;
    win[0] = (uint32_t)(tile->i + at / tile->w_strips);
    win[1] = (uint32_t)(tile->j + at % tile->w_strips);
    win[2] = (uint32_t)panel;
    memcpy(win + 3, digest, 4 * DIGEST_WORDS);
}

/* Hashes the states of a panel of a tile, [x strip][w strip][16] with room for 31 more, and records the wins. */
static void draw_tickets(const inos_slab *slab, inos_worker *worker, const uint32_t *states, int64_t panel)
{
    const int64_t count = worker->tile.x_strips * worker->tile.w_strips;
    const uint32_t first_word = slab->target[0];
    for (int64_t first = 0; first < count; first += 2 * LANES) {
        uint32_t heads[2][LANES], is_near = 0;
        words block[2][STATE_WORDS], value[2][8];
        for (int u = 0; u < 2; u++) {
            turn(states + (first + u * LANES) * STATE_WORDS, 4 * STATE_WORDS, block[u]);
            for (int w = 0; w < 8; w++)
                value[u][w] = (words){0} + slab->x.seed[w];
        }
        compress_two(value, block, &(words){0}, 4 * STATE_WORDS, CHUNK_START | CHUNK_END | ROOT | KEYED);
        for (int u = 0; u < 2; u++)
            memcpy(heads[u], &value[u][0], sizeof heads[u]);
        for (int l = 0; l < 2 * LANES; l++)
            is_near |= __builtin_bswap32(heads[l / LANES][l % LANES]) <= first_word;
        for (int64_t l = 0; is_near && l < inos_min(2 * LANES, count - first); l++) {
            uint32_t digest[DIGEST_WORDS];
            for (int w = 0; w < DIGEST_WORDS; w++)
                digest[w] = value[l / LANES][w][l % LANES];
            if (is_win(digest, slab->target))
                write_win(worker, first + l, panel, digest);
        }
    }
    worker->tickets += count;
}
