/* Hashes of an operand's strips and of the tree above them (protocol, section 2). A strip is 16 KiB, 16 chunks of
 * BLAKE3, and each chunk is one row: so the lanes are the rows, and a step packed for the kernels is a block in
 * every lane. */

/* The key of a context: what BLAKE3's derive-key mode makes of its name, at most 64 bytes. */
static void derive_key(const char *context, words key[8])
{
    words block[16];
    uint32_t name[16] = {0};
    memcpy(name, context, strlen(context));
    for (int w = 0; w < 16; w++)
        block[w] = (words){0} + name[w];
    for (int w = 0; w < 8; w++)
        key[w] = (words){0} + blake3_iv[w];
    compress(key, block, &(words){0}, (uint32_t)strlen(context), CHUNK_START | CHUNK_END | ROOT | CONTEXT);
}

/* 16 chunks' values joined in pairs, four times; the digest ends in lane 0. */
static void join_chunks(const words key[8], words value[8])
{
    for (int count = 8; count >= 1; count /= 2) {
        uint32_t from[8][16], block[16][16];
        words both[16];
        memcpy(from, value, sizeof from);
        memset(block, 0, sizeof block);
        for (int w = 0; w < 16; w++)
            for (int pair = 0; pair < count; pair++)
                block[w][pair] = from[w % 8][2 * pair + w / 8];
        memcpy(both, block, sizeof both);
        for (int w = 0; w < 8; w++)
            value[w] = key[w];
        compress(value, both, &(words){0}, STEP, PARENT | MATERIAL | (count == 1 ? ROOT : 0));
    }
}

/* One strip's panel; whether all its entries are in -64 .. 63. */
static int hash_panel(const inos_leaves *job, const words key[8], int64_t strip, int64_t panel, uint8_t *leaf)
{
    const words lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const int8_t *raw = job->raw + strip * ROWS * job->cols;
    const int64_t rows = inos_min(ROWS, job->rows - strip * ROWS);
    words value[8], step[16];
    bytes seen = {0};
    memcpy(value, key, sizeof value);
    for (int b = 0; b < STEPS; b++) {
        const int64_t left = panel * PANEL + b * STEP;
        load_step(raw + (left < job->cols ? left : 0), job->cols, rows, job->cols - left, step);
        for (int g = 0; g < 16; g++)
            seen |= (bytes)step[g] + 64; /* bit 7 is clear only for entries -64 .. 63 */
        compress(value, step, &lane, STEP, MATERIAL | (b == 0 ? CHUNK_START : 0) | (b == STEPS - 1 ? CHUNK_END : 0));
    }
    for (int at = 0; at < 64; at++)
        if (seen[at] & 0x80)
            return 0;
    join_chunks(key, value);
    for (int w = 0; w < DIGEST_WORDS; w++) {
        const uint32_t word = value[w][0];
        memcpy(leaf + 4 * w, &word, 4);
    }
    return 1;
}

/* Leaves of strips taken one after the other until none is left, one has a bad entry, or `stop` is set. */
static void hash_leaves(inos_leaves *job)
{
    const int64_t panels = (job->cols + PANEL - 1) / PANEL, strips = (job->rows + ROWS - 1) / ROWS;
    words key[8];
    derive_key(job->context, key);
    for (;;) {
        const int64_t first = __atomic_fetch_add(&job->next, HASHED_STRIPS, __ATOMIC_RELAXED);
        for (int64_t strip = first; strip < inos_min(first + HASHED_STRIPS, strips); strip++)
            for (int64_t p = 0; p < panels; p++) {
                if (inos_is_stopped(job->stop) || __atomic_load_n(&job->is_bad, __ATOMIC_RELAXED))
                    return;
                if (!hash_panel(job, key, strip, p, job->leaves + (strip * panels + p) * 4 * DIGEST_WORDS))
                    __atomic_store_n(&job->is_bad, 1, __ATOMIC_RELAXED);
            }
        if (first >= strips)
            return;
    }
}

/* A level of the tree from the one below: pairs of nodes hashed under `context`, an odd last one carried up. */
static void hash_parents(const uint8_t *nodes, int64_t count, const char *context, uint8_t *parents)
{
    words key[8];
    derive_key(context, key);
    for (int64_t first = 0; first < count / 2; first += LANES) {
        uint32_t rows[LANES][16] = {{0}}, digests[DIGEST_WORDS][LANES];
        words value[8], block[16];
        const int64_t here = inos_min(LANES, count / 2 - first);
        memcpy(rows, nodes + first * 64, (size_t)(here * 64));
        turn_states(rows[0], block);
        memcpy(value, key, sizeof value);
        compress(value, block, &(words){0}, 64, CHUNK_START | CHUNK_END | ROOT | MATERIAL);
        memcpy(digests, value, sizeof digests);
        for (int64_t l = 0; l < here; l++)
            for (int w = 0; w < DIGEST_WORDS; w++)
                memcpy(parents + (first + l) * 32 + 4 * w, &digests[w][l], 4);
    }
    if (count % 2)
        memcpy(parents + count / 2 * 32, nodes + (count - 1) * 32, 32);
}
