/* Hashes of an operand's strips (protocol, section 2). A strip is 16 KiB, 16 chunks of BLAKE3, and each chunk is
 * one row: so the lanes are the rows, and a step packed for the kernels is a block in every lane.
 */

/* The key of the context: what BLAKE3's derive-key mode makes of its name, at most 64 bytes. */
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

/* Leaves of strips [first, last), 32 bytes each; the number of strips hashed before one with a bad entry. */
static int64_t hash_leaves(const int8_t *raw, int64_t rows, int64_t cols, int64_t first, int64_t last,
                           const char *context, uint8_t *leaves, const int *stop)
{
    const words lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const int64_t panels = (cols + PANEL - 1) / PANEL;
    words key[8];
    derive_key(context, key);
    for (int64_t strip = first; strip < last; strip++)
        for (int64_t p = 0; p < panels; p++, leaves += 4 * DIGEST_WORDS) {
            words value[8], step[16];
            bytes seen = {0};
            if (inos_is_stopped(stop))
                return strip - first;
            memcpy(value, key, sizeof value);
            for (int b = 0; b < STEPS; b++) {
                const int64_t left = p * PANEL + b * STEP;
                load_step(raw + strip * ROWS * cols + (left < cols ? left : 0), cols,
                          inos_min(ROWS, rows - strip * ROWS), cols - left, step);
                for (int g = 0; g < 16; g++)
                    seen |= (bytes)step[g] + 64; /* bit 7 is clear only for entries -64 .. 63 */
                compress(value, step, &lane, STEP,
                         MATERIAL | (b == 0 ? CHUNK_START : 0) | (b == STEPS - 1 ? CHUNK_END : 0));
            }
            for (int at = 0; at < 64; at++)
                if (seen[at] & 0x80)
                    return strip - first;
            join_chunks(key, value);
            for (int w = 0; w < DIGEST_WORDS; w++) {
                const uint32_t word = value[w][0];
                memcpy(leaves + 4 * w, &word, 4);
            }
        }
    return last - first;
}
