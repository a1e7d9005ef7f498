/* 16 rows of 4 columns, 16 inputs of BLAKE3, or eight doubles, in the compiler's own vectors, which it splits for the
 * including file's processor. */
#ifndef INOS_VECTORS_H
#define INOS_VECTORS_H
#include <string.h>

typedef uint32_t words __attribute__((vector_size(4 * ROWS)));
typedef int32_t counts __attribute__((vector_size(4 * ROWS)));
typedef int64_t longs __attribute__((vector_size(64)));
typedef double doubles __attribute__((vector_size(64)));
typedef uint8_t bytes __attribute__((vector_size(4 * ROWS)));

#endif
