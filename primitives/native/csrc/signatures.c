/* Many BIP-340 signatures in one call, by the functions of the libsecp256k1 that the process has loaded already. Checked
 * one by one from Python, each would wait for the interpreter's lock again. */
#include "inos_primitives.h"

typedef int (*parse_key)(const void *context, void *key, const uint8_t *bytes);
typedef int (*verify_signature)(const void *context, const uint8_t *signature, const uint8_t *message, size_t length,
                                const void *key);

int64_t inos_find_wrong_signature(uintptr_t parse, uintptr_t verify, uintptr_t context, int64_t count,
                                  const uint8_t *keys, const uint8_t *digests, const uint8_t *signatures)
{
    const parse_key parses = (parse_key)parse;
    const verify_signature verifies = (verify_signature)verify;
    const void *with = (const void *)context;
    uint64_t key[8]; /* a secp256k1_xonly_pubkey has 64 bytes */
    for (int64_t n = 0; n < count; n++)
        if (!parses(with, key, keys + 32 * n) || !verifies(with, signatures + 64 * n, digests + 32 * n, 32, key))
            return n;
    return count;
}
