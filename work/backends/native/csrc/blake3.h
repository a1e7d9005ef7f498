/* BLAKE3, 16 inputs at a time: one compression of a 64-byte block in each lane. */
enum { CHUNK_START = 1, CHUNK_END = 2, PARENT = 4, ROOT = 8, KEYED = 16, CONTEXT = 32, MATERIAL = 64 };
#define LANES 16
static const uint32_t blake3_iv[8] = {0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au,
                                      0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u};

#define ROTR(v, n) (((v) >> (n)) | ((v) << (32 - (n))))
#define EACH for (int u = 0; u < ways; u++)
#define MIX(a, b, c, d, x, y) \
    do { \
        EACH v[u][a] += v[u][b] + block[u][x]; \
        EACH v[u][d] = ROTR(v[u][d] ^ v[u][a], 16); \
        EACH v[u][c] += v[u][d]; \
        EACH v[u][b] = ROTR(v[u][b] ^ v[u][c], 12); \
        EACH v[u][a] += v[u][b] + block[u][y]; \
        EACH v[u][d] = ROTR(v[u][d] ^ v[u][a], 8); \
        EACH v[u][c] += v[u][d]; \
        EACH v[u][b] = ROTR(v[u][b] ^ v[u][c], 7); \
    } while (0)

/* Returns the 16 words after seven rounds, for one or two sets of inputs at once, since one set alone leaves the
 * processor waiting for its own results. `length` is the number of bytes in the block. */
static inline __attribute__((always_inline)) void mix_blocks(
    const int ways, words value[][8], words block[][16], const words *counter, uint32_t length, uint32_t flags,
    words v[][16])
{
    static const uint8_t order[7][16] = {
        {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8},
        {3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1}, {10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6},
        {12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4}, {9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7},
        {11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13},
    };
    const words zero = {0};
    EACH {
        for (int w = 0; w < 8; w++)
            v[u][w] = value[u][w];
        for (int w = 0; w < 4; w++)
            v[u][8 + w] = zero + blake3_iv[w];
        v[u][12] = *counter;
        v[u][13] = zero;
        v[u][14] = zero + length;
        v[u][15] = zero + flags;
    }
#pragma GCC unroll 7
    for (int r = 0; r < 7; r++) {
        const uint8_t *at = order[r];
        MIX(0, 4, 8, 12, at[0], at[1]);
        MIX(1, 5, 9, 13, at[2], at[3]);
        MIX(2, 6, 10, 14, at[4], at[5]);
        MIX(3, 7, 11, 15, at[6], at[7]);
        MIX(0, 5, 10, 15, at[8], at[9]);
        MIX(1, 6, 11, 12, at[10], at[11]);
        MIX(2, 7, 8, 13, at[12], at[13]);
        MIX(3, 4, 9, 14, at[14], at[15]);
    }
}

/* Replaces the chaining value by the next one, or by the digest. */
static __attribute__((noinline)) void compress(
    words value[8], words block[16], const words *counter, uint32_t length, uint32_t flags)
{
    words v[1][16];
    mix_blocks(1, (words(*)[8])value, (words(*)[16])block, counter, length, flags, v);
    for (int w = 0; w < 8; w++)
        value[w] = v[0][w] ^ v[0][8 + w];
}

/* Does the same for 32 inputs. */
static __attribute__((noinline)) void compress_two(
    words value[2][8], words block[2][16], const words *counter, uint32_t length, uint32_t flags)
{
    words v[2][16];
    mix_blocks(2, value, block, counter, length, flags, v);
    for (int u = 0; u < 2; u++)
        for (int w = 0; w < 8; w++)
            value[u][w] = v[u][w] ^ v[u][8 + w];
}

/* Returns 64 bytes of the extendable output, a block `counter` in each lane, keyed, over a text of at most 64 bytes. */
static void stream(const uint32_t seed[8], const char *text, const words *counter, words out[16])
{
    uint32_t name[16] = {0};
    words key[1][8], block[1][16], v[1][16];
    memcpy(name, text, strlen(text));
    for (int w = 0; w < 16; w++)
        block[0][w] = (words){0} + name[w];
    for (int w = 0; w < 8; w++)
        key[0][w] = (words){0} + seed[w];
    mix_blocks(1, key, block, counter, (uint32_t)strlen(text), CHUNK_START | CHUNK_END | ROOT | KEYED, v);
    for (int w = 0; w < 8; w++) {
        out[w] = v[0][w] ^ v[0][8 + w];
        out[8 + w] = v[0][8 + w] ^ key[0][w];
    }
}
