/* BLAKE3, 16 inputs at a time: one compression of a 64-byte block in each lane. */
enum { CHUNK_START = 1, CHUNK_END = 2, PARENT = 4, ROOT = 8, KEYED = 16, CONTEXT = 32, MATERIAL = 64 };
#define LANES 16
static const uint32_t blake3_iv[8] = {0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au,
                                      0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u};

#define ROTR(v, n) (((v) >> (n)) | ((v) << (32 - (n))))
#define MIX(a, b, c, d, x, y) \
    do { \
        a += b + (x); d = ROTR(d ^ a, 16); c += d; b = ROTR(b ^ c, 12); \
        a += b + (y); d = ROTR(d ^ a, 8);  c += d; b = ROTR(b ^ c, 7); \
    } while (0)

/* The 16 words after seven rounds. `length` is the bytes of the block that count. */
static inline __attribute__((always_inline)) void mix_block(
    const words *value, const words *block, const words *counter, uint32_t length, uint32_t flags, words v[16])
{
    static const uint8_t order[7][16] = {
        {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8},
        {3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1}, {10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6},
        {12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4}, {9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7},
        {11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13},
    };
    const words zero = {0};
    for (int w = 0; w < 8; w++)
        v[w] = value[w];
    for (int w = 0; w < 4; w++)
        v[8 + w] = zero + blake3_iv[w];
    v[12] = *counter;
    v[13] = zero;
    v[14] = zero + length;
    v[15] = zero + flags;
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
}

/* Chaining value in, chaining value (or digest) out. */
static inline void compress(words *value, const words *block, const words *counter, uint32_t length, uint32_t flags)
{
    words v[16];
    mix_block(value, block, counter, length, flags, v);
    for (int w = 0; w < 8; w++)
        value[w] = v[w] ^ v[8 + w];
}

/* 64 bytes of the extendable output, block `counter` of it in each lane, keyed over a text of at most 64 bytes. */
static void stream(const uint32_t seed[8], const char *text, const words *counter, words out[16])
{
    uint32_t name[16] = {0};
    words key[8], block[16], v[16];
    memcpy(name, text, strlen(text));
    for (int w = 0; w < 16; w++)
        block[w] = (words){0} + name[w];
    for (int w = 0; w < 8; w++)
        key[w] = (words){0} + seed[w];
    mix_block(key, block, counter, (uint32_t)strlen(text), CHUNK_START | CHUNK_END | ROOT | KEYED, v);
    for (int w = 0; w < 8; w++) {
        out[w] = v[w] ^ v[8 + w];
        out[8 + w] = v[8 + w] ^ key[w];
    }
}
