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

#define JOINED 16 /* leaves that are joined together, so that all lanes are used */

#ifdef __clang__
#define EVEN_LANES(a, b) \
    __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
#define ODD_LANES(a, b) \
    __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31)
#else
#define EVEN_LANES(a, b) __builtin_shuffle(a, b, (words){0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30})
#define ODD_LANES(a, b) __builtin_shuffle(a, b, (words){1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31})
#endif

/* The blocks of the parents of neighbouring lanes, first of those in `a` and then of those in `b`. */
static inline void pair_lanes(const words a[8], const words b[8], words block[16])
{
    for (int w = 0; w < 8; w++) {
        block[w] = EVEN_LANES(a[w], b[w]);
        block[8 + w] = ODD_LANES(a[w], b[w]);
    }
}

/* Joins the 16 chunk values of each of up to 16 strips in pairs, four times. The digest of strip s ends in lane s of
 * values[0]. */
static void join_chunks(const words key[8], words values[JOINED][8], int count)
{
    for (int level = 0; level < 4; level++) {
        const int last = count - 1;
        count = (count + 1) / 2;
        for (int at = 0; at < count; at += 2) {
            words block[2][16], parents[2][8];
            for (int u = 0; u < 2; u++) {
                const int64_t left = inos_min(2 * (at + u), last);
                pair_lanes(values[left], values[inos_min(left + 1, last)], block[u]);
                memcpy(parents[u], key, sizeof parents[u]);
            }
            const uint32_t flags = PARENT | MATERIAL | (level == 3 ? ROOT : 0);
            if (at + 1 < count)
                compress_two(parents, block, &(words){0}, STEP, flags);
            else
                compress(parents[0], block[0], &(words){0}, STEP, flags);
            memcpy(values[at], parents, (size_t)inos_min(2, count - at) * sizeof parents[0]);
        }
    }
}

/* Computes the chunk values of leaves `first` and `second` (strip * panels + panel), and returns whether all their
 * entries are in -64 .. 63. */
static int hash_chunks(const inos_leaves *job, const words key[8], int64_t first, int64_t second, words chunks[2][8])
{
    const words lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const int64_t panels = (job->cols + PANEL - 1) / PANEL, at[2] = {first, second};
    const int64_t ahead = (first + 2) / panels * ROWS * job->cols + (first + 2) % panels * PANEL
                        - (first / panels * ROWS * job->cols + first % panels * PANEL);
    words block[2][16];
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
    return 1;
}

/* Writes leaves [first, last), at most 16. Returns 0 if an entry is out of range or `stop` was set. */
static int hash_batch(inos_leaves *job, const words key[8], int64_t first, int64_t last)
{
    words values[JOINED][8];
    uint32_t digests[DIGEST_WORDS][LANES];
    for (int64_t at = first; at < last; at += 2) {
        if (inos_is_stopped(job->stop) || __atomic_load_n(&job->is_bad, __ATOMIC_RELAXED))
            return 0;
        if (!hash_chunks(job, key, at, inos_min(at + 1, last - 1), values + (at - first))) {
            __atomic_store_n(&job->is_bad, 1, __ATOMIC_RELAXED);
            return 0;
        }
    }
    join_chunks(key, values, (int)(last - first));
    memcpy(digests, values[0], sizeof digests);
    for (int64_t at = first; at < last; at++)
        for (int w = 0; w < DIGEST_WORDS; w++)
            memcpy(job->leaves + at * 32 + 4 * w, &digests[w][at - first], 4);
    return 1;
}

/* Hashes strips one after the other until none is left, one has a bad entry, or `stop` is set. */
static void hash_leaves(inos_leaves *job)
{
    const int64_t panels = (job->cols + PANEL - 1) / PANEL, strips = (job->rows + ROWS - 1) / ROWS;
    const int64_t taken = panels >= JOINED ? 1 : JOINED / panels;
    words key[8];
    derive_key(job->context, key);
    for (int64_t start; (start = __atomic_fetch_add(&job->next, taken, __ATOMIC_RELAXED)) < strips;)
        for (int64_t at = start * panels, last = inos_min(start + taken, strips) * panels; at < last; at += JOINED)
            if (!hash_batch(job, key, at, inos_min(at + JOINED, last)))
                return;
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
