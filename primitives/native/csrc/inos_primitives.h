#ifndef INOS_PRIMITIVES_H
#define INOS_PRIMITIVES_H
#include <stddef.h>
#include <stdint.h>

#include "api.h"

#define HASH_BYTES 32

/* A BLAKE3 context in derive-key mode. */
typedef struct {
    uint32_t key[8];
} inos_context;

inos_context inos_derive(const char *context);
void inos_hash(const inos_context *context, const uint8_t *data, size_t length, uint8_t hash[HASH_BYTES]);

#endif
