/* Updates of a compact sparse Merkle tree by sorted changes. Its rules and the form of its nodes are those of
 * inos.chain.state_tree, which is the reference.
 *
 * First the places on the ways to all changes are read as far as they are not known, one depth after the other: `advance`
 * wants them, `supply` brings them. Then the new nodes are computed from the bottom up. Where a side becomes empty, its
 * sibling must be read too if it is not known; then the computation begins again with it.
 *
 * A tree remembers the places that were read. `commit` makes them those after the update, so the next one reads little.
 * Below a place that is a leaf or empty, all remembered places are empty. */
#include <stdlib.h>
#include <string.h>

#include "inos_primitives.h"

#define PATH_BITS 256
#define KEY_BYTES (1 + 2 + HASH_BYTES)
#define INNER_BYTES (1 + 2 * HASH_BYTES)

enum kind { UNKNOWN, EMPTY, LEAF, INNER };
enum status { COMPLETE = 0, NO_MEMORY = -1, DAMAGED = -2, WAITS = 1 };

typedef struct {
    uint8_t path[HASH_BYTES], hash[HASH_BYTES];
    int64_t key, key_length; /* of the record, in the pool */
    int is_removed;
} leaf;

/* A place of the tree as it is before the update. */
typedef struct {
    enum kind kind;
    int is_dirty; /* it differs from what is stored, and is listed among the dirty ones */
    int64_t leaf;
    int64_t child[2]; /* places of an inner node; -1: not looked at yet */
    uint8_t side[2][HASH_BYTES];
} place;

/* A place that must be read, and the changes below it. A sibling has none. */
typedef struct {
    int64_t place, first, last;
    int depth;
    uint8_t prefix[HASH_BYTES];
} wish;

/* A place whose node is to be stored. */
typedef struct {
    int64_t place;
    int depth;
    uint8_t prefix[HASH_BYTES];
} dirty_place;

/* A new node, and what its parent sees of it. */
typedef struct {
    enum kind kind;
    int64_t leaf;
    uint8_t side[2][HASH_BYTES], hash[HASH_BYTES];
} node;

typedef struct {
    int64_t place; /* -1: one that the update makes */
    int depth;
    uint8_t prefix[HASH_BYTES];
    enum kind kind;
    int64_t leaf;
    uint8_t side[2][HASH_BYTES];
} write_out;

typedef struct {
    void *items;
    int64_t count, room;
} list;

struct inos_tree {
    int64_t first, last; /* the changes among the leaves, by path */
    list leaves; /* changes and stored leaves */
    list places, wishes, next, writes, dirty, pool;
    list scratch; /* leaves of a part that is built anew: 2n .. 2m of changes n .. m, counted from the first */
    inos_context node_context;
    uint8_t root[HASH_BYTES];
    int is_complete, has_failed;
};

static const uint8_t zero[HASH_BYTES];

/* Returns room for `more` items at the end of a list, or NULL. */
static void *extend(list *l, size_t size, int64_t more)
{
    if (!l->items || l->count + more > l->room) {
        const int64_t room = (l->count + more) * 2 > 64 ? (l->count + more) * 2 : 64;
        void *items = realloc(l->items, (size_t)room * size);
        if (!items)
            return NULL;
        l->items = items;
        l->room = room;
    }
    l->count += more;
    return (uint8_t *)l->items + (size_t)(l->count - more) * size;
}

/* Makes room, so that `extend` cannot fail for so many more items. */
static int reserve(list *l, size_t size, int64_t more)
{
    if (!extend(l, size, more))
        return NO_MEMORY;
    l->count -= more;
    return COMPLETE;
}

static leaf *get_leaf(const inos_tree *t, int64_t n)
{
    return (leaf *)t->leaves.items + n;
}

static place *get_place(const inos_tree *t, int64_t n)
{
    return (place *)t->places.items + n;
}

static int get_bit(const uint8_t *path, int depth)
{
    return path[depth >> 3] >> (7 - (depth & 7)) & 1;
}

/* Keeps the uppermost `depth` bits of a path. */
static void mask(const uint8_t *path, int depth, uint8_t prefix[HASH_BYTES])
{
    memset(prefix, 0, HASH_BYTES);
    memcpy(prefix, path, (size_t)((depth + 7) / 8));
    if (depth & 7)
        prefix[depth >> 3] &= (uint8_t)(0xff00 >> (depth & 7));
}

static int64_t copy_key(inos_tree *t, const uint8_t *key, int64_t length)
{
    const int64_t at = t->pool.count;
    uint8_t *copy = extend(&t->pool, 1, length);
    if (!copy)
        return -1;
    if (length)
        memcpy(copy, key, (size_t)length);
    return at;
}

static int64_t add_place(inos_tree *t, enum kind kind)
{
    place *p = extend(&t->places, sizeof *p, 1);
    if (!p)
        return -1;
    *p = (place){.kind = kind, .child = {-1, -1}};
    return t->places.count - 1;
}

/* Returns the place of a child; one whose hash is zero is empty without being read. */
static int64_t get_child(inos_tree *t, int64_t at, int side)
{
    if (get_place(t, at)->child[side] < 0) {
        const int64_t child = add_place(t, memcmp(get_place(t, at)->side[side], zero, HASH_BYTES) ? UNKNOWN : EMPTY);
        get_place(t, at)->child[side] = child;
    }
    return get_place(t, at)->child[side];
}

static int add_wish(list *wishes, int64_t place, int depth, const uint8_t *path, int64_t first, int64_t last)
{
    wish *w = extend(wishes, sizeof *w, 1);
    if (!w)
        return NO_MEMORY;
    *w = (wish){.place = place, .depth = depth, .first = first, .last = last};
    mask(path, depth, w->prefix);
    return COMPLETE;
}

/* Returns the first of the changes first .. last - 1 whose bit at `depth` is 1. */
static int64_t split(const inos_tree *t, int64_t first, int64_t last, int depth)
{
    while (first < last) {
        const int64_t middle = first + (last - first) / 2;
        if (get_bit(get_leaf(t, middle)->path, depth))
            last = middle;
        else
            first = middle + 1;
    }
    return first;
}

static int compare_leaves(const void *a, const void *b)
{
    return memcmp(((const leaf *)a)->path, ((const leaf *)b)->path, HASH_BYTES);
}

static int take_changes(inos_tree *t, int64_t count, const uint8_t *paths, const uint8_t *keys, const int64_t *key_ends,
                        const uint8_t *values, const int64_t *value_ends, const uint8_t *removed)
{
    const inos_context context = inos_derive("inos v1 state leaf");
    int64_t longest = 0;
    t->first = t->leaves.count;
    for (int64_t n = 0; n < count; n++) {
        const int64_t length = value_ends[n] - (n ? value_ends[n - 1] : 0);
        longest = length > longest ? length : longest;
    }
    uint8_t *both = malloc((size_t)(HASH_BYTES + longest));
    if (!both || !extend(&t->leaves, sizeof(leaf), count)) {
        free(both);
        return NO_MEMORY;
    }
    for (int64_t n = 0; n < count; n++) {
        leaf *l = get_leaf(t, t->first + n);
        const int64_t key = n ? key_ends[n - 1] : 0, value = n ? value_ends[n - 1] : 0, size = value_ends[n] - value;
        *l = (leaf){.key_length = key_ends[n] - key, .is_removed = removed[n]};
        memcpy(l->path, paths + n * HASH_BYTES, HASH_BYTES);
        if ((l->key = copy_key(t, keys + key, l->key_length)) < 0) {
            free(both);
            return NO_MEMORY;
        }
        if (l->is_removed)
            continue;
        memcpy(both, l->path, HASH_BYTES);
        if (size)
            memcpy(both + HASH_BYTES, values + value, (size_t)size);
        inos_hash(&context, both, (size_t)(HASH_BYTES + size), l->hash);
    }
    free(both);
    t->last = t->first + count;
    qsort(get_leaf(t, t->first), (size_t)count, sizeof(leaf), compare_leaves);
    return COMPLETE;
}

inos_tree *inos_tree_open(void)
{
    inos_tree *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->node_context = inos_derive("inos v1 state node");
    if (add_place(t, UNKNOWN) < 0) {
        inos_tree_close(t);
        return NULL;
    }
    return t;
}

void inos_tree_close(inos_tree *t)
{
    free(t->leaves.items), free(t->places.items), free(t->wishes.items), free(t->next.items), free(t->writes.items);
    free(t->dirty.items), free(t->pool.items), free(t->scratch.items), free(t);
}

/* Wants the unknown places below one, as far as there are changes below them. */
static int descend(inos_tree *t, int64_t at, int depth, int64_t first, int64_t last)
{
    if (get_place(t, at)->kind != INNER || first == last)
        return COMPLETE;
    const int64_t bounds[3] = {first, split(t, first, last, depth), last};
    for (int side = 0; side < 2; side++) {
        if (bounds[side] == bounds[side + 1])
            continue;
        const int64_t child = get_child(t, at, side);
        if (child < 0)
            return NO_MEMORY;
        const uint8_t *path = get_leaf(t, bounds[side])->path;
        const int is_known = get_place(t, child)->kind != UNKNOWN;
        const int status = is_known ? descend(t, child, depth + 1, bounds[side], bounds[side + 1])
                                    : add_wish(&t->next, child, depth + 1, path, bounds[side], bounds[side + 1]);
        if (status)
            return status;
    }
    return COMPLETE;
}

static void take_next(inos_tree *t)
{
    const list done = t->wishes;
    t->wishes = t->next;
    t->next = done;
    t->next.count = 0;
}

int64_t inos_tree_begin(inos_tree *t, int64_t count, const uint8_t *paths, const uint8_t *keys, const int64_t *key_ends,
                        const uint8_t *values, const int64_t *value_ends, const uint8_t *removed)
{
    if (t->has_failed)
        return t->has_failed;
    t->wishes.count = t->next.count = t->writes.count = t->scratch.count = 0;
    t->is_complete = 0;
    memset(t->root, 0, HASH_BYTES);
    t->has_failed = NO_MEMORY;
    if (take_changes(t, count, paths, keys, key_ends, values, value_ends, removed)
        || !extend(&t->scratch, sizeof(int64_t), 2 * count + 1))
        return NO_MEMORY;
    t->has_failed = get_place(t, 0)->kind == UNKNOWN ? add_wish(&t->next, 0, 0, zero, t->first, t->last)
                                                     : descend(t, 0, 0, t->first, t->last);
    take_next(t);
    return t->has_failed;
}

static int emit(inos_tree *t, int64_t place, int depth, const uint8_t *path, const node *n)
{
    write_out *w = extend(&t->writes, sizeof *w, 1);
    if (!w)
        return NO_MEMORY;
    *w = (write_out){.place = place, .depth = depth, .kind = n ? n->kind : EMPTY, .leaf = n ? n->leaf : 0};
    mask(path, depth, w->prefix);
    if (n)
        memcpy(w->side, n->side, sizeof w->side);
    return COMPLETE;
}

/* The path of a child beside or on the way of `path`. */
static void turn(const uint8_t *path, int depth, int side, uint8_t turned[HASH_BYTES])
{
    mask(path, depth, turned);
    if (side)
        turned[depth >> 3] |= (uint8_t)(0x80 >> (depth & 7));
}

static void make_leaf(const inos_tree *t, int64_t at, node *made)
{
    *made = (node){.kind = LEAF, .leaf = at};
    memcpy(made->hash, get_leaf(t, at)->hash, HASH_BYTES);
}

static void make_inner(const inos_tree *t, const uint8_t *left, const uint8_t *right, node *made)
{
    *made = (node){.kind = INNER};
    memcpy(made->side[0], left, HASH_BYTES);
    memcpy(made->side[1], right, HASH_BYTES);
    inos_hash(&t->node_context, made->side[0], 2 * HASH_BYTES, made->hash);
}

/* Makes the node over exactly these leaves, which are sorted, where nothing is stored below. */
static int build(inos_tree *t, int depth, const int64_t *leaves, int64_t count, node *made)
{
    if (count == 0) {
        *made = (node){.kind = EMPTY};
        return COMPLETE;
    }
    if (count == 1) {
        make_leaf(t, leaves[0], made);
        return COMPLETE;
    }
    if (depth == PATH_BITS)
        return DAMAGED; /* two equal paths */
    int64_t middle = 0;
    while (middle < count && !get_bit(get_leaf(t, leaves[middle])->path, depth))
        middle++;
    node sides[2];
    for (int side = 0; side < 2; side++) {
        const int64_t first = side ? middle : 0, last = side ? count : middle;
        const int status = build(t, depth + 1, leaves + first, last - first, &sides[side]);
        if (status)
            return status;
        if (last > first && emit(t, -1, depth + 1, get_leaf(t, leaves[first])->path, &sides[side]))
            return NO_MEMORY;
    }
    make_inner(t, sides[0].hash, sides[1].hash, made);
    return COMPLETE;
}

/* Makes the node of a place that has no children, from its leaf and the changes. */
static int rebuild(inos_tree *t, int64_t at, int depth, int64_t first, int64_t last, node *made)
{
    const place *p = get_place(t, at);
    int64_t *found = (int64_t *)t->scratch.items + 2 * (first - t->first), count = 0;
    int has_old = p->kind == LEAF;
    for (int64_t n = first; n < last; n++) {
        const int order = has_old ? memcmp(get_leaf(t, p->leaf)->path, get_leaf(t, n)->path, HASH_BYTES) : 1;
        if (order < 0)
            found[count++] = p->leaf;
        if (order <= 0)
            has_old = 0;
        if (!get_leaf(t, n)->is_removed)
            found[count++] = n;
    }
    if (has_old)
        found[count++] = p->leaf;
    return build(t, depth, found, count, made);
}

static int update(inos_tree *t, int64_t at, int depth, int64_t first, int64_t last, node *made);

/* Makes both sides of an inner place: a changed one anew, and what is known of an unchanged one. */
static int update_sides(inos_tree *t, int64_t at, int depth, const int64_t bounds[3], node sides[2])
{
    int status = COMPLETE;
    for (int side = 0; side < 2; side++) {
        const int64_t child = get_child(t, at, side);
        if (child < 0)
            return NO_MEMORY;
        if (bounds[side] < bounds[side + 1]) {
            const int found = update(t, child, depth + 1, bounds[side], bounds[side + 1], &sides[side]);
            if (found < 0)
                return found;
            status |= found;
            continue;
        }
        sides[side] = (node){.kind = get_place(t, child)->kind, .leaf = get_place(t, child)->leaf};
        memcpy(sides[side].hash, get_place(t, at)->side[side], HASH_BYTES);
    }
    return status;
}

static int update(inos_tree *t, int64_t at, int depth, int64_t first, int64_t last, node *made)
{
    if (get_place(t, at)->kind != INNER)
        return rebuild(t, at, depth, first, last, made);
    const uint8_t *path = get_leaf(t, first)->path;
    const int64_t bounds[3] = {first, split(t, first, last, depth), last};
    node sides[2];
    const int status = update_sides(t, at, depth, bounds, sides);
    if (status)
        return status;
    uint8_t ways[2][HASH_BYTES];
    for (int side = 0; side < 2; side++)
        turn(path, depth, side, ways[side]);
    for (int side = 0; side < 2; side++)
        if (sides[side].kind == UNKNOWN && sides[1 - side].kind == EMPTY) {
            const int64_t sibling = get_child(t, at, side);
            return add_wish(&t->next, sibling, depth + 1, ways[side], 0, 0) ? NO_MEMORY : WAITS;
        }
    const int is_alone = sides[0].kind == EMPTY ? sides[1].kind == EMPTY || sides[1].kind == LEAF
                                                : sides[0].kind == LEAF && sides[1].kind == EMPTY;
    for (int side = 0; side < 2; side++) {
        const int is_changed = bounds[side] < bounds[side + 1];
        const int was_stored = get_place(t, get_child(t, at, side))->kind != EMPTY;
        const int goes = is_alone || sides[side].kind == EMPTY;
        if (goes ? was_stored : is_changed)
            if (emit(t, get_child(t, at, side), depth + 1, ways[side], goes ? NULL : &sides[side]))
                return NO_MEMORY;
    }
    if (is_alone)
        *made = sides[0].kind == EMPTY ? sides[1] : sides[0];
    else
        make_inner(t, sides[0].hash, sides[1].hash, made);
    return COMPLETE;
}

/* Makes all new nodes. */
static int64_t finish(inos_tree *t)
{
    node made;
    t->writes.count = 0;
    t->next.count = 0;
    const place *root = get_place(t, 0);
    if (t->first == t->last) {
        if (root->kind == LEAF)
            memcpy(t->root, get_leaf(t, root->leaf)->hash, HASH_BYTES);
        if (root->kind == INNER) {
            make_inner(t, root->side[0], root->side[1], &made);
            memcpy(t->root, made.hash, HASH_BYTES);
        }
        t->is_complete = 1;
        return COMPLETE;
    }
    const int was_stored = root->kind != EMPTY;
    const int status = update(t, 0, 0, t->first, t->last, &made);
    if (status)
        return status;
    if ((made.kind != EMPTY || was_stored) && emit(t, 0, 0, zero, &made))
        return NO_MEMORY;
    memcpy(t->root, made.hash, HASH_BYTES);
    t->is_complete = 1;
    return COMPLETE;
}

int64_t inos_tree_advance(inos_tree *t)
{
    if (t->has_failed)
        return t->has_failed;
    if (t->wishes.count == 0 && !t->is_complete) {
        const int64_t status = finish(t);
        if (status < 0)
            return t->has_failed = (int)status;
        take_next(t);
    }
    return t->wishes.count;
}

static void write_key(uint8_t *key, uint8_t prefix, int depth, const uint8_t *bits)
{
    key[0] = prefix;
    key[1] = (uint8_t)(depth >> 8);
    key[2] = (uint8_t)depth;
    memcpy(key + 3, bits, HASH_BYTES);
}

void inos_tree_list_wanted(const inos_tree *t, uint8_t prefix, uint8_t *keys)
{
    for (int64_t n = 0; n < t->wishes.count; n++) {
        const wish *w = (const wish *)t->wishes.items + n;
        write_key(keys + n * KEY_BYTES, prefix, w->depth, w->prefix);
    }
}

static int read_node(inos_tree *t, int64_t at, const uint8_t *data, int64_t length)
{
    place *p = get_place(t, at);
    if (length == 0) {
        p->kind = EMPTY;
        return COMPLETE;
    }
    if (data[0] == 'I' && length == INNER_BYTES) {
        p->kind = INNER;
        memcpy(p->side, data + 1, sizeof p->side);
        return COMPLETE;
    }
    if (data[0] != 'L' || length < INNER_BYTES)
        return DAMAGED;
    leaf *l = extend(&t->leaves, sizeof *l, 1);
    const int64_t key = l ? copy_key(t, data + INNER_BYTES, length - INNER_BYTES) : -1;
    if (key < 0)
        return NO_MEMORY;
    *l = (leaf){.key = key, .key_length = length - INNER_BYTES};
    memcpy(l->path, data + 1, HASH_BYTES);
    memcpy(l->hash, data + 1 + HASH_BYTES, HASH_BYTES);
    p->kind = LEAF;
    p->leaf = t->leaves.count - 1;
    return COMPLETE;
}

void inos_tree_supply(inos_tree *t, const uint8_t *nodes, const int64_t *ends)
{
    const wish *wishes = t->wishes.items;
    for (int64_t n = 0, begin = 0; n < t->wishes.count && !t->has_failed; begin = ends[n++]) {
        t->has_failed = read_node(t, wishes[n].place, nodes + begin, ends[n] - begin);
        if (!t->has_failed)
            t->has_failed = descend(t, wishes[n].place, wishes[n].depth, wishes[n].first, wishes[n].last);
    }
    take_next(t);
}

void inos_tree_get_root(const inos_tree *t, uint8_t *root)
{
    memcpy(root, t->root, HASH_BYTES);
}

static int64_t measure(const inos_tree *t, enum kind kind, int64_t leaf)
{
    return kind == EMPTY ? 0 : INNER_BYTES + (kind == LEAF ? get_leaf(t, leaf)->key_length : 0);
}

/* Writes the stored form of a node, and returns its end. */
static uint8_t *write_node(const inos_tree *t, enum kind kind, int64_t at, const uint8_t *sides, uint8_t *out)
{
    if (kind == INNER) {
        *out = 'I';
        memcpy(out + 1, sides, 2 * HASH_BYTES);
    } else if (kind == LEAF) {
        const leaf *l = get_leaf(t, at);
        *out = 'L';
        memcpy(out + 1, l->path, HASH_BYTES);
        memcpy(out + 1 + HASH_BYTES, l->hash, HASH_BYTES);
        if (l->key_length)
            memcpy(out + INNER_BYTES, (const uint8_t *)t->pool.items + l->key, (size_t)l->key_length);
    }
    return out + measure(t, kind, at);
}

int64_t inos_tree_count_writes(const inos_tree *t, int64_t *bytes)
{
    *bytes = 0;
    for (int64_t n = 0; n < t->writes.count; n++) {
        const write_out *w = (const write_out *)t->writes.items + n;
        *bytes += measure(t, w->kind, w->leaf);
    }
    return t->writes.count;
}

void inos_tree_list_writes(const inos_tree *t, uint8_t prefix, uint8_t *keys, uint8_t *nodes, int64_t *ends)
{
    uint8_t *out = nodes;
    for (int64_t n = 0; n < t->writes.count; n++) {
        const write_out *w = (const write_out *)t->writes.items + n;
        write_key(keys + n * KEY_BYTES, prefix, w->depth, w->prefix);
        out = write_node(t, w->kind, w->leaf, w->side[0], out);
        ends[n] = out - nodes;
    }
}

/* Finds the place of a new node. The nodes above it are places already. */
static int64_t find_place(inos_tree *t, const write_out *w)
{
    int64_t at = w->place < 0 ? 0 : w->place;
    for (int depth = 0; w->place < 0 && depth < w->depth; depth++)
        at = get_child(t, at, get_bit(w->prefix, depth));
    return at;
}

static void apply(inos_tree *t, const write_out *w)
{
    const int64_t at = find_place(t, w);
    place *p = get_place(t, at);
    p->kind = w->kind;
    p->leaf = w->leaf;
    memcpy(p->side, w->side, sizeof p->side);
    if (p->is_dirty)
        return;
    dirty_place *d = extend(&t->dirty, sizeof *d, 1);
    *d = (dirty_place){.place = at, .depth = w->depth};
    memcpy(d->prefix, w->prefix, HASH_BYTES);
    p->is_dirty = 1;
}

int64_t inos_tree_commit(inos_tree *t)
{
    const int64_t count = t->writes.count;
    /* All memory comes first: a tree with a part of an update would be wrong. */
    if (reserve(&t->dirty, sizeof(dirty_place), count) || reserve(&t->places, sizeof(place), count))
        return NO_MEMORY;
    for (int64_t n = count - 1; n >= 0; n--) /* a node after the one above it */
        apply(t, (const write_out *)t->writes.items + n);
    t->writes.count = 0;
    return COMPLETE;
}

int64_t inos_tree_count_dirty(const inos_tree *t, int64_t *bytes)
{
    for (int64_t n = bytes ? *bytes = 0 : t->dirty.count; n < t->dirty.count; n++) {
        const place *p = get_place(t, ((const dirty_place *)t->dirty.items + n)->place);
        *bytes += measure(t, p->kind, p->leaf);
    }
    return t->dirty.count;
}

void inos_tree_take_dirty(inos_tree *t, uint8_t prefix, uint8_t *keys, uint8_t *nodes, int64_t *ends)
{
    uint8_t *out = nodes;
    for (int64_t n = 0; n < t->dirty.count; n++) {
        const dirty_place *d = (const dirty_place *)t->dirty.items + n;
        place *p = get_place(t, d->place);
        write_key(keys + n * KEY_BYTES, prefix, d->depth, d->prefix);
        out = write_node(t, p->kind, p->leaf, p->side[0], out);
        ends[n] = out - nodes;
        p->is_dirty = 0;
    }
    t->dirty.count = 0;
}

int64_t inos_tree_get_size(const inos_tree *t)
{
    return t->places.room * (int64_t)sizeof(place) + t->leaves.room * (int64_t)sizeof(leaf) + t->pool.room;
}
