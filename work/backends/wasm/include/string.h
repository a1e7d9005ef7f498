/* What the kernels use of the C library. Copies and fills become the instructions memory.copy and memory.fill. */
#ifndef INOS_WASM_STRING_H
#define INOS_WASM_STRING_H
#include <stddef.h>

#define memcpy __builtin_memcpy
#define memset __builtin_memset

static inline size_t strlen(const char *text)
{
    size_t length = 0;
    while (text[length])
        length++;
    return length;
}

#endif
