/* Checks a whole certificate (protocol, section 3): paths, entries, noise, 2^18 multiply-accumulates, digest. It only
 * answers yes or no; the reference names what is wrong. */

static int is_id(const inos_opened *side)
{
    uint8_t id[32];
    compute_id(side->rows, side->cols, side->root, id);
    return !memcmp(id, side->id, 32);
}

/* Goes from the leaf up: the sibling is on the left of an odd node, and an even last node has none. */
static int is_path(const inos_opened *side, int64_t panel, int64_t panels, const uint8_t leaf[32])
{
    int64_t index = side->strip * panels + panel, last = (side->rows + ROWS - 1) / ROWS * panels - 1, used = 0;
    uint8_t node[32];
    memcpy(node, leaf, 32);
    for (; last > 0; index /= 2, last /= 2) {
        if (index % 2 == 0 && index == last)
            continue;
        if (used == side->path_length)
            return 0;
        const uint8_t *sibling = side->path + 32 * used++;
        if (index % 2)
            hash_pair("inos v1 matrix node", sibling, node, node);
        else
            hash_pair("inos v1 matrix node", node, sibling, node);
    }
    return used == side->path_length && !memcmp(node, side->root, 32);
}

static int is_opened(const inos_opened *side, int64_t panel)
{
    const int64_t panels = (side->cols + PANEL - 1) / PANEL, cols = side->cols - panel * PANEL;
    uint8_t leaf[32];
    inos_leaves job = {.raw = side->data, .rows = ROWS, .cols = PANEL, .leaves = leaf};
    words key[8];
    if (side->strip >= (side->rows + ROWS - 1) / ROWS || panel >= panels)
        return 0;
    if (side->is_own)
        return 1;
    if (!is_id(side))
        return 0;
    derive_key("inos v1 matrix strip", key);
    if (!hash_batch(&job, key, 0, 1) || !is_path(side, panel, panels, leaf))
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
    OPEN_TILES;
    product(x, wide, 0, 1, acc, 1, states, 0, &next);
    CLOSE_TILES;
    turn(states, 4 * STATE_WORDS, block);
    memcpy(key, seed_x, sizeof key);
    for (int at = 0; at < 8; at++)
        value[at] = (words){0} + key[at];
    compress(value, block, &(words){0}, 4 * STATE_WORDS, CHUNK_START | CHUNK_END | ROOT | KEYED);
    for (int at = 0; at < DIGEST_WORDS; at++)
        digest[at] = value[at][0];
}

static int verify(const inos_proof *proof)
{
    uint8_t seeds[2][32];
    uint32_t digest[DIGEST_WORDS];
    if (proof->x.cols != proof->w.cols || memcmp(proof->digest, proof->target, 32) > 0)
        return 0;
    if (!is_opened(&proof->x, proof->panel) || !is_opened(&proof->w, proof->panel))
        return 0;
    hash_pair("inos v1 noise w", proof->anchor, proof->w.id, seeds[0]);
    hash_pair("inos v1 noise x", seeds[0], proof->x.id, seeds[1]);
    compute_digest(proof, seeds[1], seeds[0], digest);
    return !memcmp(digest, proof->digest, 32);
}
