/* Checks a whole certificate (protocol, section 3): paths, entries, noise, 2^18 multiply-accumulates, digest. It only
 * answers yes or no; the reference names what is wrong. */

/* Returns H(context, data) for at most 64 bytes of either; contexts include the prefix. */
static void hash_short(const char *context, const uint8_t *data, size_t length, uint8_t hash[32])
{
    words value[8], block[16];
    uint32_t padded[16] = {0};
    derive_key(context, value);
    memcpy(padded, data, length);
    for (int w = 0; w < 16; w++)
        block[w] = (words){0} + padded[w];
    compress(value, block, &(words){0}, (uint32_t)length, CHUNK_START | CHUNK_END | ROOT | MATERIAL);
    for (int w = 0; w < 8; w++) {
        const uint32_t word = value[w][0];
        memcpy(hash + 4 * w, &word, 4);
    }
}

static int is_id(const inos_opened *side)
{
    uint8_t data[41] = {1}, hash[32];
    const uint32_t rows = (uint32_t)side->rows, cols = (uint32_t)side->cols;
    memcpy(data + 1, &rows, 4);
    memcpy(data + 5, &cols, 4);
    memcpy(data + 9, side->root, 32);
    hash_short("inos v1 matrix", data, sizeof data, hash);
    return !memcmp(hash, side->id, 32);
}

/* Goes from the leaf up: the sibling is on the left of an odd node, and an even last node has none. */
static int is_path(const inos_opened *side, int64_t panel, int64_t panels, const uint8_t leaf[32])
{
    int64_t index = side->strip * panels + panel, last = (side->rows + ROWS - 1) / ROWS * panels - 1, used = 0;
    uint8_t node[32];
    memcpy(node, leaf, 32);
    for (; last > 0; index /= 2, last /= 2) {
        uint8_t both[64];
        if (index % 2 == 0 && index == last)
            continue;
        if (used == side->path_length)
            return 0;
        memcpy(both + 32 * (index % 2 == 0), side->path + 32 * used++, 32);
        memcpy(both + 32 * (index % 2), node, 32);
        hash_short("inos v1 matrix node", both, sizeof both, node);
    }
    return used == side->path_length && !memcmp(node, side->root, 32);
}

static int is_opened(const inos_opened *side, int64_t panel)
{
    const int64_t panels = (side->cols + PANEL - 1) / PANEL, cols = side->cols - panel * PANEL;
    const inos_leaves job = {.raw = side->data, .rows = ROWS, .cols = PANEL};
    uint8_t leaf[2 * 32];
    words key[8];
    if (side->strip >= (side->rows + ROWS - 1) / ROWS || panel >= panels || !is_id(side))
        return 0;
    derive_key("inos v1 matrix strip", key);
    if (!hash_two(&job, key, 0, 0, leaf) || !is_path(side, panel, panels, leaf))
        return 0;
    for (int64_t r = 0; r < ROWS; r++)
        for (int64_t c = side->strip * ROWS + r < side->rows ? cols : 0; c < PANEL; c++)
            if (side->data[r * PANEL + c])
                return 0;
    return 1;
}

/* Adds noise to the opened strip, and packs it as the kernels read it. */
static void pack_opened(const inos_opened *side, const uint8_t seed[32], int64_t panel, int is_x, uint8_t *packed)
{
    uint8_t noise[ROWS][RANK] __attribute__((aligned(64))), perms[PANEL], inverse[PANEL];
    uint32_t key[8];
    memcpy(key, seed, sizeof key);
    draw_rows(key, side->strip, is_x ? 64 : 192, noise);
    draw_perms(key, panel * STEPS, (panel + 1) * STEPS, perms, inverse);
    const panel_view view = {side->data, PANEL, ROWS, PANEL, perms, inverse, is_x, (uintptr_t)side->data};
    PACK_PANEL(&view, noise, packed, 0);
}

static void compute_digest(const inos_proof *proof, const uint8_t seed_x[32], const uint8_t seed_w[32],
                           uint32_t digest[DIGEST_WORDS])
{
    uint8_t x[STRIP_BYTES * X_SCALE] __attribute__((aligned(64))), w[STRIP_BYTES] __attribute__((aligned(64)));
    int32_t acc[ROWS * ROWS] __attribute__((aligned(64)));
    uint32_t states[LANES * STATE_WORDS] __attribute__((aligned(64))) = {0}, key[8];
    words block[STATE_WORDS], value[8];
    const ahead next = {(uintptr_t)x, (uintptr_t)w};
    pack_opened(&proof->x, seed_x, proof->panel, 1, x);
    pack_opened(&proof->w, seed_w, proof->panel, 0, w);
#ifdef WIDEN_W
    int16_t wide[STRIP_BYTES] __attribute__((aligned(64)));
    WIDEN_W((const int8_t *)w, wide);
#else
    const int8_t *wide = (const int8_t *)w;
#endif
    product(x, wide, 0, 1, acc, 1, states, 0, &next);
    turn_states(states, block);
    memcpy(key, seed_x, sizeof key);
    for (int at = 0; at < 8; at++)
        value[at] = (words){0} + key[at];
    compress(value, block, &(words){0}, 4 * STATE_WORDS, CHUNK_START | CHUNK_END | ROOT | KEYED);
    for (int at = 0; at < DIGEST_WORDS; at++)
        digest[at] = value[at][0];
}

static int verify(const inos_proof *proof)
{
    uint8_t seeds[2][32], both[64];
    uint32_t digest[DIGEST_WORDS];
    if (proof->x.cols != proof->w.cols || memcmp(proof->digest, proof->target, 32) > 0)
        return 0;
    if (!is_opened(&proof->x, proof->panel) || !is_opened(&proof->w, proof->panel))
        return 0;
    memcpy(both, proof->anchor, 32);
    memcpy(both + 32, proof->w.id, 32);
    hash_short("inos v1 noise w", both, sizeof both, seeds[0]);
    memcpy(both, seeds[0], 32);
    memcpy(both + 32, proof->x.id, 32);
    hash_short("inos v1 noise x", both, sizeof both, seeds[1]);
    compute_digest(proof, seeds[1], seeds[0], digest);
    return !memcmp(digest, proof->digest, 32);
}
