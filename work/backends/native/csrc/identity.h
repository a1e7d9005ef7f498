/* Ids of operands, and the seeds of noise (protocol, sections 2 and 3). */

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

/* Returns H(context, first || second) of two hashes. The result may replace either. */
static void hash_pair(const char *context, const uint8_t *first, const uint8_t *second, uint8_t hash[32])
{
    uint8_t both[64];
    memcpy(both, first, 32);
    memcpy(both + 32, second, 32);
    hash_short(context, both, sizeof both, hash);
}

/* The id of an operand, from the root of its tree. */
static void compute_id(int64_t rows, int64_t cols, const uint8_t root[32], uint8_t id[32])
{
    uint8_t data[41] = {1}; /* data type: int7 */
    const uint32_t sides[2] = {(uint32_t)rows, (uint32_t)cols};
    memcpy(data + 1, sides, sizeof sides);
    memcpy(data + 9, root, 32);
    hash_short("inos v1 matrix", data, sizeof data, id);
}

/* Computes the id of an operand, and returns whether all its entries are in -64 .. 63. `nodes` has room for 64 bytes
 * for each strip of each panel. */
static int identify(const int8_t *raw, int64_t rows, int64_t cols, uint8_t *nodes, uint8_t id[32])
{
    int64_t count = (rows + ROWS - 1) / ROWS * ((cols + PANEL - 1) / PANEL);
    uint8_t *other = nodes + 32 * count;
    inos_leaves job = {.raw = raw, .rows = rows, .cols = cols, .context = "inos v1 matrix strip", .leaves = nodes};
    hash_leaves(&job);
    for (; count > 1; count = (count + 1) / 2) {
        uint8_t *const parents = other;
        hash_parents(nodes, count, "inos v1 matrix node", parents);
        other = nodes, nodes = parents;
    }
    compute_id(rows, cols, nodes, id);
    return !job.is_bad;
}
