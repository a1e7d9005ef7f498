/* Hashes of an operand's strips and of the tree above them (protocol, section 2). A strip has 16 KiB, which are 16
 * chunks of BLAKE3, and each chunk is one row. So the lanes are the rows, and a step that is packed for the kernels is
 * a block in every lane. */

/* The key of a context, which BLAKE3's derive-key mode derives from its name of at most 64 bytes. */
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

/* Joins 16 chunk values of each of two strips in pairs, four times; the digests end in lanes 0 and 8. */
static void join_chunks(const words key[8], words chunks[2][8], words value[8])
{
    uint32_t from[2][8][16];
    memcpy(from, chunks, sizeof from);
    for (int count = 8; count >= 1; count /= 2) {
        uint32_t both[16][16];
        words block[16];
        memset(both, 0, sizeof both);
        for (int w = 0; w < 16; w++)
            for (int pair = 0; pair < 16; pair++)
                if (pair % 8 < count)
                    both[w][pair] = from[pair / 8][w % 8][2 * (pair % 8) + w / 8];
        memcpy(block, both, sizeof block);
        for (int w = 0; w < 8; w++)
            value[w] = key[w];
        compress(value, block, &(words){0}, STEP, PARENT | MATERIAL | (count == 1 ? ROOT : 0));
        for (int w = 0; w < 8; w++) {
            uint32_t lanes[16];
            memcpy(lanes, &value[w], sizeof lanes);
            memcpy(from[0][w], lanes, 32);
            memcpy(from[1][w], lanes + 8, 32);
        }
    }
}

/* Writes leaves `first` and `second` (strip * panels + panel) to `leaves`, and returns whether all their entries are in
 * -64 .. 63. */
static int hash_two(const inos_leaves *job, const words key[8], int64_t first, int64_t second, uint8_t *leaves)
{
    const words lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const int64_t panels = (job->cols + PANEL - 1) / PANEL, at[2] = {first, second};
    const int64_t ahead = (first + 2) / panels * ROWS * job->cols + (first + 2) % panels * PANEL
                        - (first / panels * ROWS * job->cols + first % panels * PANEL);
    words chunks[2][8], block[2][16], value[8];
    bytes seen = {0};
    for (int u = 0; u < 2; u++)
        memcpy(chunks[u], key, sizeof chunks[u]);
    for (int b = 0; b < STEPS; b++) {
        for (int u = 0; u < 2; u++) {
            const int64_t strip = at[u] / panels, left = at[u] % panels * PANEL + b * STEP;
            const int8_t *raw = job->raw + strip * ROWS * job->cols;
            load_step(raw + (left < job->cols ? left : 0), job->cols, inos_min(ROWS, job->rows - strip * ROWS),
                      job->cols - left, ahead, block[u]);
            for (int g = 0; g < 16; g++)
                seen |= (bytes)block[u][g] + 64; /* bit 7 is clear only for entries -64 .. 63 */
        }
        compress_two(chunks, block, &lane, STEP,
                     MATERIAL | (b == 0 ? CHUNK_START : 0) | (b == STEPS - 1 ? CHUNK_END : 0));
    }
    for (int entry = 0; entry < 64; entry++)
        if (seen[entry] & 0x80)
            return 0;
    join_chunks(key, chunks, value);
    for (int w = 0; w < DIGEST_WORDS; w++) {
        const uint32_t digests[2] = {value[w][0], value[w][8]};
        memcpy(leaves + 4 * w, &digests[0], 4);
        memcpy(leaves + 32 + 4 * w, &digests[1], 4);
    }
    return 1;
}

/* Hashes strips one after the other until none is left, one has a bad entry, or `stop` is set. */
static void hash_leaves(inos_leaves *job)
{
    const int64_t panels = (job->cols + PANEL - 1) / PANEL, strips = (job->rows + ROWS - 1) / ROWS;
    words key[8];
    derive_key(job->context, key);
    for (;;) {
        const int64_t start = __atomic_fetch_add(&job->next, HASHED_STRIPS, __ATOMIC_RELAXED);
        const int64_t last = inos_min(start + HASHED_STRIPS, strips) * panels;
        for (int64_t at = start * panels; at < last; at += 2) {
            uint8_t leaves[2 * 32];
            if (inos_is_stopped(job->stop) || __atomic_load_n(&job->is_bad, __ATOMIC_RELAXED))
                return;
            if (!hash_two(job, key, at, inos_min(at + 1, last - 1), leaves))
                __atomic_store_n(&job->is_bad, 1, __ATOMIC_RELAXED);
            memcpy(job->leaves + at * 32, leaves, (size_t)(32 * inos_min(2, last - at)));
        }
        if (start >= strips)
            return;
    }
}

/* Hashes a level of the tree: pairs of nodes are hashed under `context`, and an odd last one is carried up. */
static void hash_parents(const uint8_t *nodes, int64_t count, const char *context, uint8_t *parents)
{
    words key[8];
    derive_key(context, key);
    for (int64_t first = 0; first < count / 2; first += LANES) {
        uint32_t rows[LANES][16] = {{0}}, digests[DIGEST_WORDS][LANES];
        words value[8], block[16];
        const int64_t here = inos_min(LANES, count / 2 - first);
        memcpy(rows, nodes + first * 64, (size_t)(here * 64));
        turn(rows, sizeof rows[0], block);
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
