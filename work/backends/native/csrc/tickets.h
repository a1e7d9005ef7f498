/* Ticket hashes, LANES at a time: one keyed BLAKE3 compression of a 64-byte block each. */
#include <string.h>

typedef uint32_t lanes __attribute__((vector_size(4 * LANES)));

#define ROTR(v, n) (((v) >> (n)) | ((v) << (32 - (n))))
#define MIX(a, b, c, d, x, y) \
    do { \
        a += b + (x); d = ROTR(d ^ a, 16); c += d; b = ROTR(b ^ c, 12); \
        a += b + (y); d = ROTR(d ^ a, 8);  c += d; b = ROTR(b ^ c, 7); \
    } while (0)

static inline lanes fill_lanes(uint32_t value)
{
    return (lanes){0} + value;
}

/* digest = BLAKE3 keyed with `key` over the 16 words of `block`; the whole input is one block. */
static inline void hash_blocks(const uint32_t *key, const lanes *block, lanes *digest)
{
    static const uint8_t order[7][16] = {
        {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8},
        {3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1}, {10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6},
        {12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4}, {9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7},
        {11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13},
    };
    static const uint32_t iv[4] = {0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au};
    lanes v[16];
    for (int w = 0; w < 8; w++)
        v[w] = fill_lanes(key[w]);
    for (int w = 0; w < 4; w++)
        v[8 + w] = fill_lanes(iv[w]);
    v[12] = v[13] = fill_lanes(0);   /* chunk counter */
    v[14] = fill_lanes(64);          /* bytes in the block */
    v[15] = fill_lanes(1 | 2 | 8 | 16); /* chunk start and end, root, keyed */
#pragma GCC unroll 7
    for (int r = 0; r < 7; r++) {
        const uint8_t *at = order[r];
        MIX(v[0], v[4], v[8], v[12], block[at[0]], block[at[1]]);
        MIX(v[1], v[5], v[9], v[13], block[at[2]], block[at[3]]);
        MIX(v[2], v[6], v[10], v[14], block[at[4]], block[at[5]]);
        MIX(v[3], v[7], v[11], v[15], block[at[6]], block[at[7]]);
        MIX(v[0], v[5], v[10], v[15], block[at[8]], block[at[9]]);
        MIX(v[1], v[6], v[11], v[12], block[at[10]], block[at[11]]);
        MIX(v[2], v[7], v[8], v[13], block[at[12]], block[at[13]]);
        MIX(v[3], v[4], v[9], v[14], block[at[14]], block[at[15]]);
    }
    for (int w = 0; w < 8; w++)
        digest[w] = v[w] ^ v[8 + w];
}

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
        lanes block[STATE_WORDS], digest[DIGEST_WORDS];
        const int here = (int)inos_min(LANES, count - first);
        memset(rows, 0, sizeof rows);
        for (int l = 0; l < here; l++)
            for (int w = 0; w < STATE_WORDS; w++)
                rows[w][l] = states[(first + l) * STATE_WORDS + w];
        memcpy(block, rows, sizeof rows);
        hash_blocks(job->key, block, digest);
        memcpy(digests, digest, sizeof digests);
        for (int l = 0; l < here; l++) {
            uint32_t words[DIGEST_WORDS], *win = job->wins + job->win_count * WIN_WORDS;
            if (__builtin_bswap32(digests[0][l]) > job->target[0])
                continue;
            for (int w = 0; w < DIGEST_WORDS; w++)
                words[w] = digests[w][l];
            if (!is_win(words, job->target))
                continue;
            win[0] = (uint32_t)((first + l) / job->w_strips);
            win[1] = (uint32_t)((first + l) % job->w_strips);
            win[2] = (uint32_t)panel;
            memcpy(win + 3, words, sizeof words);
            job->win_count++;
        }
    }
    job->tickets += count;
}
