/* The tickets of a tile's panel: hashed 16 at a time, compared with the target. */
#define LANES 16

/* Whether a digest, its bytes read big-endian, is at most the target. */
static int is_win(const uint32_t *digest, const uint32_t *target)
{
    for (int w = 0; w < DIGEST_WORDS; w++) {
        const uint32_t word = __builtin_bswap32(digest[w]);
        if (word != target[w])
            return word < target[w];
    }
    return 1;
}

/* Hash the states of a tile's panel, [x strip][w strip][16], and write down the wins. */
static void draw_tickets(inos_tile *job, const uint32_t *states, int64_t panel)
{
    const int64_t count = job->x_strips * job->w_strips;
    for (int64_t first = 0; first < count; first += LANES) {
        uint32_t rows[STATE_WORDS][LANES], digests[DIGEST_WORDS][LANES];
        words block[STATE_WORDS], digest[DIGEST_WORDS];
        const int here = (int)inos_min(LANES, count - first);
        memset(rows, 0, sizeof rows);
        for (int l = 0; l < here; l++)
            for (int w = 0; w < STATE_WORDS; w++)
                rows[w][l] = states[(first + l) * STATE_WORDS + w];
        memcpy(block, rows, sizeof rows);
        for (int w = 0; w < DIGEST_WORDS; w++)
            digest[w] = (words){0} + job->key[w];
        compress(digest, block, &(words){0}, 4 * STATE_WORDS, CHUNK_START | CHUNK_END | ROOT | KEYED);
        memcpy(digests, digest, sizeof digests);
        for (int l = 0; l < here; l++) {
            uint32_t found[DIGEST_WORDS], *win = job->wins + job->win_count * WIN_WORDS;
            if (__builtin_bswap32(digests[0][l]) > job->target[0])
                continue;
            for (int w = 0; w < DIGEST_WORDS; w++)
                found[w] = digests[w][l];
            if (!is_win(found, job->target))
                continue;
            win[0] = (uint32_t)((first + l) / job->w_strips);
            win[1] = (uint32_t)((first + l) % job->w_strips);
            win[2] = (uint32_t)panel;
            memcpy(win + 3, found, sizeof found);
            job->win_count++;
        }
    }
    job->tickets += count;
}
