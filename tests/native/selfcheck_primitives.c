/* Runs the kernels of inos.primitives.native without Python: the known hashes of BLAKE3, random changes of a state tree
 * against a plain recomputation, damaged nodes, and the order in which signatures are asked for. `make sanitize` runs it
 * under ASan and UBSan. Buffers have the exact size, so that any step beyond them is detected. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inos_primitives.h"

#define RECORDS 300
#define STORED 4096
#define KEY_BYTES 35

static uint32_t random_state = 1;

static uint32_t draw(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    return random_state ^= random_state << 5;
}

static void *allocate(size_t bytes)
{
    void *memory = malloc(bytes ? bytes : 1);
    if (!memory)
        exit(2);
    return memory;
}

/* BLAKE3's official inputs count 0, 1, ... 250, 0, ...; its context here is that of the official vectors. */
static int checks_hashes(void)
{
    static const int64_t lengths[] = {0, 1, 64, 65, 1023, 1024, 1025, 2048, 3073, 8193};
    static const uint8_t first_bytes[][4] = {
        {0x2c, 0xc3, 0x97, 0x83}, {0xb3, 0xe2, 0xe3, 0x40}, {0xa5, 0xc4, 0xa7, 0x05}, {0x51, 0xfd, 0x05, 0xc3},
        {0x74, 0xa1, 0x6c, 0x1c}, {0x73, 0x56, 0xcd, 0x77}, {0xef, 0xfa, 0xa2, 0x45}, {0x7b, 0x29, 0x45, 0xcb},
        {0x72, 0x61, 0x3c, 0x9e}, {0xaf, 0x1e, 0x03, 0x46}};
    int is_right = 1;
    for (size_t n = 0; n < sizeof lengths / sizeof *lengths; n++) {
        uint8_t hash[HASH_BYTES], *data = allocate((size_t)lengths[n]);
        for (int64_t at = 0; at < lengths[n]; at++)
            data[at] = (uint8_t)(at % 251);
        inos_hash_each("BLAKE3 2019-12-27 16:29:52 test vectors context", 1, data, &lengths[n], hash);
        is_right &= !memcmp(hash, first_bytes[n], sizeof first_bytes[n]);
        free(data);
    }
    return is_right;
}

/* A state of at most RECORDS records; record n has the path paths[n] and the one-byte key n. */
typedef struct {
    uint8_t paths[RECORDS][HASH_BYTES], values[RECORDS][3], lengths[RECORDS];
} state;

typedef struct {
    uint8_t keys[STORED][KEY_BYTES], *data[STORED];
    int64_t lengths[STORED];
    int count;
} store;

static int find(const store *s, const uint8_t *key)
{
    for (int n = 0; n < s->count; n++)
        if (!memcmp(s->keys[n], key, KEY_BYTES))
            return n;
    return -1;
}

static void put(store *s, const uint8_t *key, const uint8_t *data, int64_t length)
{
    int at = find(s, key);
    if (at < 0 && length == 0)
        return;
    if (at < 0) {
        if (s->count == STORED)
            exit(2);
        at = s->count++;
        memcpy(s->keys[at], key, KEY_BYTES);
    } else {
        free(s->data[at]);
    }
    if (length == 0) {
        s->count--;
        memcpy(s->keys[at], s->keys[s->count], KEY_BYTES);
        s->data[at] = s->data[s->count];
        s->lengths[at] = s->lengths[s->count];
        return;
    }
    s->data[at] = allocate((size_t)length);
    memcpy(s->data[at], data, (size_t)length);
    s->lengths[at] = length;
}

static int get_bit(const uint8_t *path, int depth)
{
    return path[depth / 8] >> (7 - depth % 8) & 1;
}

/* Recomputes the root of some records, and the number of nodes of their tree. */
static int compute_root(const state *s, const int *records, int count, int depth, uint8_t root[HASH_BYTES])
{
    uint8_t both[2 * HASH_BYTES + 3] = {0};
    int sides[2][RECORDS], counts[2] = {0, 0};
    memset(root, 0, HASH_BYTES);
    if (count == 0)
        return 0;
    if (count == 1) {
        const inos_context leaf = inos_derive("inos v1 state leaf");
        memcpy(both, s->paths[records[0]], HASH_BYTES);
        memcpy(both + HASH_BYTES, s->values[records[0]], s->lengths[records[0]]);
        inos_hash(&leaf, both, HASH_BYTES + (size_t)s->lengths[records[0]], root);
        return 1;
    }
    for (int n = 0; n < count; n++) {
        const int bit = get_bit(s->paths[records[n]], depth);
        sides[bit][counts[bit]++] = records[n];
    }
    const inos_context node = inos_derive("inos v1 state node");
    const int nodes = compute_root(s, sides[0], counts[0], depth + 1, both)
                    + compute_root(s, sides[1], counts[1], depth + 1, both + HASH_BYTES);
    inos_hash(&node, both, 2 * HASH_BYTES, root);
    return nodes + 1;
}

static void supply(inos_tree *tree, const store *nodes, int64_t wanted)
{
    uint8_t *keys = allocate((size_t)wanted * KEY_BYTES), *data = NULL;
    int64_t *ends = allocate((size_t)wanted * sizeof *ends), size = 0;
    inos_tree_list_wanted(tree, 'n', keys);
    for (int64_t n = 0; n < wanted; n++) {
        const int at = find(nodes, keys + n * KEY_BYTES);
        if (at >= 0) {
            uint8_t *longer = realloc(data, (size_t)(size + nodes->lengths[at]));
            if (!longer)
                exit(2);
            data = longer;
            memcpy(data + size, nodes->data[at], (size_t)nodes->lengths[at]);
            size += nodes->lengths[at];
        }
        ends[n] = size;
    }
    inos_tree_supply(tree, data, ends);
    free(keys), free(data), free(ends);
}

static void take_nodes(store *nodes, int64_t count, const uint8_t *keys, const uint8_t *data, const int64_t *ends)
{
    for (int64_t n = 0, begin = 0; n < count; begin = ends[n++])
        put(nodes, keys + n * KEY_BYTES, data + begin, ends[n] - begin);
}

/* Stores the nodes that the last update changes, or all that are dirty. */
static void store_nodes(inos_tree *tree, store *nodes, int are_dirty)
{
    int64_t size;
    const int64_t count = are_dirty ? inos_tree_count_dirty(tree, &size) : inos_tree_count_writes(tree, &size);
    uint8_t *keys = allocate((size_t)count * KEY_BYTES), *data = allocate((size_t)size);
    int64_t *ends = allocate((size_t)count * sizeof *ends);
    if (are_dirty)
        inos_tree_take_dirty(tree, 'n', keys, data, ends);
    else
        inos_tree_list_writes(tree, 'n', keys, data, ends);
    take_nodes(nodes, count, keys, data, ends);
    free(keys), free(data), free(ends);
}

typedef struct {
    uint8_t paths[RECORDS * HASH_BYTES], keys[RECORDS], values[RECORDS * 3], removed[RECORDS];
    int64_t key_ends[RECORDS], value_ends[RECORDS], count;
} changes;

/* Returns whether the update was complete. */
static int update(inos_tree *tree, const store *nodes, const changes *c, uint8_t root[HASH_BYTES])
{
    int64_t wanted = inos_tree_begin(tree, c->count, c->paths, c->keys, c->key_ends, c->values, c->value_ends, c->removed);
    while (wanted == 0 && (wanted = inos_tree_advance(tree)) > 0) {
        supply(tree, nodes, wanted);
        wanted = 0;
    }
    inos_tree_get_root(tree, root);
    return wanted == 0;
}

static void draw_changes(state *s, changes *c, int chance_to_change, int chance_to_remove)
{
    int64_t size = 0;
    c->count = 0;
    for (int n = 0; n < RECORDS; n++) {
        if ((int)(draw() % 100) >= chance_to_change)
            continue;
        const int64_t at = c->count++;
        c->removed[at] = (int)(draw() % 100) < chance_to_remove;
        s->lengths[n] = c->removed[at] ? 0 : (uint8_t)(1 + draw() % 3);
        for (int b = 0; b < s->lengths[n]; b++)
            c->values[size++] = s->values[n][b] = (uint8_t)draw();
        memcpy(c->paths + at * HASH_BYTES, s->paths[n], HASH_BYTES);
        c->keys[at] = (uint8_t)n;
        c->value_ends[at] = size;
        c->key_ends[at] = c->count;
    }
}

/* Changes some of the records at random and compares root and nodes. The kept tree remembers nodes from one time to the next;
 * before each update it gets one that is not committed, and sometimes its nodes are stored. */
static int checks_update(state *s, store *nodes, inos_tree *kept, store *kept_nodes, int chance_to_change,
                         int chance_to_remove)
{
    static int present[RECORDS];
    static changes c, other;
    static state s_then;
    uint8_t root[HASH_BYTES], got[HASH_BYTES], kept_root[HASH_BYTES];
    memcpy(&s_then, s, sizeof s_then);
    draw_changes(&s_then, &other, 20, 50);
    draw_changes(s, &c, chance_to_change, chance_to_remove);
    inos_tree *tree = inos_tree_open();
    int is_right = update(tree, nodes, &c, got) && update(kept, kept_nodes, &other, kept_root)
                && update(kept, kept_nodes, &c, kept_root) && inos_tree_commit(kept) == 0;
    store_nodes(tree, nodes, 0);
    inos_tree_close(tree);
    if (draw() % 3 == 0) {
        store_nodes(kept, kept_nodes, 1);
        is_right &= kept_nodes->count == nodes->count && inos_tree_count_dirty(kept, NULL) == 0;
        for (int n = 0; n < nodes->count; n++) {
            const int at = find(kept_nodes, nodes->keys[n]);
            is_right &= at >= 0 && kept_nodes->lengths[at] == nodes->lengths[n]
                     && !memcmp(kept_nodes->data[at], nodes->data[n], (size_t)nodes->lengths[n]);
        }
    }
    int most = 0;
    for (int n = 0; n < RECORDS; n++)
        if (s->lengths[n])
            present[most++] = n;
    return is_right && compute_root(s, present, most, 0, root) == nodes->count && !memcmp(root, got, HASH_BYTES)
        && !memcmp(root, kept_root, HASH_BYTES);
}

/* Paths are random, or close: then they share up to 244 bits. */
static int checks_tree(int is_close)
{
    static state s;
    static store nodes, kept_nodes;
    int is_right = 1;
    inos_tree *kept = inos_tree_open();
    memset(&s, 0, sizeof s);
    for (int n = 0; n < RECORDS; n++) {
        for (int b = 0; b < HASH_BYTES; b++)
            s.paths[n][b] = is_close ? (uint8_t)(n & 7) : (uint8_t)draw();
        s.paths[n][HASH_BYTES - 2] = (uint8_t)(n >> 8);
        s.paths[n][HASH_BYTES - 1] = (uint8_t)n;
    }
    for (int round = 0; round < 40; round++)
        is_right &= checks_update(&s, &nodes, kept, &kept_nodes, round % 3 ? 5 : 60, round % 4 ? 20 : 90);
    is_right &= checks_update(&s, &nodes, kept, &kept_nodes, 0, 0)
             && checks_update(&s, &nodes, kept, &kept_nodes, 100, 100) && nodes.count == 0;
    store_nodes(kept, &kept_nodes, 1);
    is_right &= kept_nodes.count == 0 && inos_tree_get_size(kept) > 0;
    inos_tree_close(kept);
    return is_right;
}

static int checks_damage(void)
{
    static const char *const damaged[] = {"X", "I", "L", "Iabc", "Labc"};
    const uint8_t path[HASH_BYTES] = {0}, key = 1, value = 1, removed = 0;
    const int64_t end = 1;
    int is_right = 1;
    for (size_t n = 0; n < sizeof damaged / sizeof *damaged; n++) {
        inos_tree *tree = inos_tree_open();
        is_right &= inos_tree_begin(tree, 1, path, &key, &end, &value, &end, &removed) == 0;
        const int64_t length = (int64_t)strlen(damaged[n]);
        is_right &= inos_tree_advance(tree) == 1;
        inos_tree_supply(tree, (const uint8_t *)damaged[n], &length);
        is_right &= inos_tree_advance(tree) == -2
                 && inos_tree_begin(tree, 1, path, &key, &end, &value, &end, &removed) == -2;
        inos_tree_close(tree);
    }
    return is_right;
}

static int parse(const void *context, void *key, const uint8_t *bytes)
{
    memcpy(key, bytes, 32);
    return context == (const void *)&random_state && bytes[0] != 0;
}

static int verify(const void *context, const uint8_t *signature, const uint8_t *message, size_t length, const void *key)
{
    return context == (const void *)&random_state && length == 32 && signature[63] == message[31]
        && ((const uint8_t *)key)[31] == message[31];
}

static int64_t find_wrong(const uint8_t *keys, const uint8_t *digests, const uint8_t *signatures)
{
    return inos_find_wrong_signature((uintptr_t)parse, (uintptr_t)verify, (uintptr_t)&random_state, 3, keys, digests,
                                     signatures);
}

static int checks_signatures(void)
{
    uint8_t keys[3 * 32], digests[3 * 32], signatures[3 * 64];
    memset(keys, 7, sizeof keys), memset(digests, 7, sizeof digests), memset(signatures, 7, sizeof signatures);
    int is_right = find_wrong(keys, digests, signatures) == 3;
    signatures[2 * 64 + 63] = 0;
    is_right &= find_wrong(keys, digests, signatures) == 2;
    keys[32] = 0;
    is_right &= find_wrong(keys, digests, signatures) == 1;
    digests[31] = 0;
    return is_right && find_wrong(keys, digests, signatures) == 0;
}

int main(void)
{
    const int checks[] = {checks_hashes(), checks_tree(0), checks_tree(1), checks_damage(), checks_signatures()};
    static const char *const names[] = {"hashes", "tree", "tree of close paths", "damaged nodes", "signatures"};
    int failed = 0;
    for (size_t n = 0; n < sizeof checks / sizeof *checks; n++) {
        printf("%-20s %s\n", names[n], checks[n] ? "ok" : "WRONG");
        failed |= !checks[n];
    }
    return failed;
}
