/* BLAKE3 in derive-key mode, one input at a time, for processors of either byte order. The inputs of a state tree are
 * mostly one block, so lanes over several inputs gain little here. */
#include <string.h>

#include "inos_primitives.h"

#define BLOCK 64
#define CHUNK 1024
#define ROTR(v, n) (((v) >> (n)) | ((v) << (32 - (n))))
#define MIX(a, b, c, d, x, y) \
    do { \
        v[a] += v[b] + m[x]; \
        v[d] = ROTR(v[d] ^ v[a], 16); \
        v[c] += v[d]; \
        v[b] = ROTR(v[b] ^ v[c], 12); \
        v[a] += v[b] + m[y]; \
        v[d] = ROTR(v[d] ^ v[a], 8); \
        v[c] += v[d]; \
        v[b] = ROTR(v[b] ^ v[c], 7); \
    } while (0)

enum { CHUNK_START = 1, CHUNK_END = 2, PARENT = 4, ROOT = 8, CONTEXT = 32, MATERIAL = 64 };

static const uint32_t iv[8] = {0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au,
                               0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u};

/* Replaces the chaining value by the next one. `length` is the number of bytes in the block. */
static void compress(uint32_t value[8], const uint32_t m[16], uint64_t counter, uint32_t length, uint32_t flags)
{
    static const uint8_t order[7][16] = {
        {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8},
        {3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1}, {10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6},
        {12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4}, {9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7},
        {11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13},
    };
    uint32_t v[16] = {value[0], value[1], value[2], value[3], value[4], value[5], value[6], value[7], iv[0], iv[1],
                      iv[2], iv[3], (uint32_t)counter, (uint32_t)(counter >> 32), length, flags};
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
    for (int w = 0; w < 8; w++)
        value[w] = v[w] ^ v[8 + w];
}

static void read_block(const uint8_t *data, size_t length, uint32_t block[16])
{
    uint8_t padded[BLOCK] = {0};
    if (length)
        memcpy(padded, data, length);
    for (int w = 0; w < 16; w++) {
        const uint8_t *at = padded + 4 * w;
        block[w] = at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
    }
}

/* `flags` has ROOT for an input of one chunk. */
static void hash_chunk(const uint32_t key[8], const uint8_t *data, size_t length, uint64_t counter, uint32_t mode,
                       uint32_t flags, uint32_t value[8])
{
    uint32_t block[16];
    size_t done = 0;
    memcpy(value, key, 8 * sizeof *value);
    do {
        const size_t size = length - done < BLOCK ? length - done : BLOCK;
        const int is_last = done + size == length;
        read_block(data + done, size, block);
        compress(value, block, counter, (uint32_t)size,
                 mode | (done ? 0u : CHUNK_START) | (is_last ? CHUNK_END | flags : 0u));
        done += size;
    } while (done < length);
}

/* The left part of an input is the largest power of two of chunks that leaves a right one. */
static void hash_tree(const uint32_t key[8], const uint8_t *data, size_t length, uint64_t counter, uint32_t flags,
                      uint32_t value[8])
{
    if (length <= CHUNK) {
        hash_chunk(key, data, length, counter, MATERIAL, flags, value);
        return;
    }
    size_t left = CHUNK;
    while (2 * left < length)
        left *= 2;
    uint32_t block[16];
    hash_tree(key, data, left, counter, 0, block);
    hash_tree(key, data + left, length - left, counter + left / CHUNK, 0, block + 8);
    memcpy(value, key, 8 * sizeof *value);
    compress(value, block, 0, BLOCK, MATERIAL | PARENT | flags);
}

inos_context inos_derive(const char *context)
{
    inos_context derived;
    hash_chunk(iv, (const uint8_t *)context, strlen(context), 0, CONTEXT, ROOT, derived.key);
    return derived;
}

void inos_hash(const inos_context *context, const uint8_t *data, size_t length, uint8_t hash[HASH_BYTES])
{
    uint32_t value[8];
    hash_tree(context->key, data, length, 0, ROOT, value);
    for (int w = 0; w < 8; w++)
        for (int b = 0; b < 4; b++)
            hash[4 * w + b] = (uint8_t)(value[w] >> 8 * b);
}

void inos_hash_each(const char *context, int64_t count, const uint8_t *data, const int64_t *ends, uint8_t *hashes)
{
    const inos_context derived = inos_derive(context);
    for (int64_t n = 0, begin = 0; n < count; begin = ends[n++])
        inos_hash(&derived, data + begin, (size_t)(ends[n] - begin), hashes + n * HASH_BYTES);
}
