/* The part of these kernels that Python calls. cffi reads this file as well as the compiler, so it has no preprocessor
 * lines. */

/* A state tree (see inos.chain.state_tree), and its update by the changes of a block. */
typedef struct inos_tree inos_tree;

/* Hashes each of `count` inputs under a context ("inos v1 ..."), 32 bytes each. Input n ends at ends[n], and the first
 * one begins at 0. */
void inos_hash_each(const char *context, int64_t count, const uint8_t *data, const int64_t *ends, uint8_t *hashes);

/* Opens a tree of which nothing is known yet, or returns NULL without memory. */
inos_tree *inos_tree_open(void);
void inos_tree_close(inos_tree *tree);

/* Begins an update; one that was not committed has no effect any more. The record of key n is set to value n, or is
 * removed if removed[n] is not 0. Paths are 32 bytes each, and no two are equal. Returns 0, or an error as `advance`. After an
 * error the tree can only be closed. */
int64_t inos_tree_begin(inos_tree *tree, int64_t count, const uint8_t *paths, const uint8_t *keys, const int64_t *key_ends,
                        const uint8_t *values, const int64_t *value_ends, const uint8_t *removed);

/* Returns how many stored nodes must be read before the update can go on; 0: it is complete; -1: there is no memory;
 * -2: a stored node is damaged. */
int64_t inos_tree_advance(inos_tree *tree);

/* Writes the keys of these nodes, 35 bytes each: `prefix`, depth, bits above. */
void inos_tree_list_wanted(const inos_tree *tree, uint8_t prefix, uint8_t *keys);

/* Takes the stored form of these nodes in the same order; one that is not stored has no bytes. */
void inos_tree_supply(inos_tree *tree, const uint8_t *nodes, const int64_t *ends);

/* After completion: the root, and the number and size of the nodes that the update changes. */
void inos_tree_get_root(const inos_tree *tree, uint8_t *root);
int64_t inos_tree_count_writes(const inos_tree *tree, int64_t *bytes);

/* Writes keys of 35 bytes and stored forms; one to be deleted has no bytes. */
void inos_tree_list_writes(const inos_tree *tree, uint8_t prefix, uint8_t *keys, uint8_t *nodes, int64_t *ends);

/* Makes the tree the one after the completed update. Its changed nodes are dirty: they are not stored yet. Returns 0; or -1
 * without memory, and the tree is as before. */
int64_t inos_tree_commit(inos_tree *tree);

/* The number and size of all dirty nodes; `bytes` may be NULL. `take_dirty` lists them like `list_writes`; whoever takes
 * them stores them. */
int64_t inos_tree_count_dirty(const inos_tree *tree, int64_t *bytes);
void inos_tree_take_dirty(inos_tree *tree, uint8_t prefix, uint8_t *keys, uint8_t *nodes, int64_t *ends);

/* Returns the bytes of memory that the tree takes. */
int64_t inos_tree_get_size(const inos_tree *tree);

/* Returns the index of the first signature that is not its key's over its digest, or `count` if all are right. Keys and
 * digests have 32 bytes, signatures 64. `parse` and `verify` are the addresses of libsecp256k1's
 * secp256k1_xonly_pubkey_parse and secp256k1_schnorrsig_verify, `context` is that of a secp256k1_context. */
int64_t inos_find_wrong_signature(uintptr_t parse, uintptr_t verify, uintptr_t context, int64_t count,
                                  const uint8_t *keys, const uint8_t *digests, const uint8_t *signatures);
