/* What the kernels share: sizes of the protocol, the layout of packed operands, one table per processor.
 *
 * Packed operand, [strip][panel][step][group of 4 columns][16 rows][4 columns], one byte each: one 64-byte
 * load is 16 rows of W' by 4 columns, and 4 bytes of X' are broadcast against it. Strips are 16 rows, steps
 * 64 columns, panels 1024 (protocol, section 3).
 */
#ifndef INOS_NATIVE_H
#define INOS_NATIVE_H

#include <stdint.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the kernels count on a little-endian processor; the numpy backend serves others"
#endif

#define ROWS 16
#define STEP 64
#define STEPS 16
#define PANEL (STEP * STEPS)
#define STRIP_BYTES (ROWS * PANEL)
#define STEP_BYTES (ROWS * STEP)
#define RANK 64
/* Peeling is one int16 product of depth 2 * RANK: 4 KiB a strip on either side. Columns that share a noise column
 * are added up over 16 panels at most, which is why a slab has no more: 256 * -128 still fits int16. */
#define PEEL_DEPTH (2 * RANK)
#define PEEL_WORDS (ROWS * PEEL_DEPTH)
#define MAX_TILE_TICKETS 256
#define STATE_WORDS 16
#define DIGEST_WORDS 8
/* i, j, p, then the digest. */
#define WIN_WORDS (3 + DIGEST_WORDS)
#define VECTORS 16
/* Pairs of int16 products of Freivalds added up in int32: 64 * 2 * 2^15 * 255 < 2^31. */
#define DOT_PAIRS 64

/* Strips hashed, rows compared between two looks at what is left. */
#define HASHED_STRIPS 4
#define COMPARED_ROWS 64

#include "api.h"
#include "vectors.h"

/* What is to be fetched into the second cache during one product, since the processor does not see it coming. */
#define AHEAD_BYTES 2048
typedef struct {
    uintptr_t x, w;
} ahead;

/* Where blocks of 16 x 16 are written: steps in elements to the next row, and to the next strip of W. */
typedef struct {
    int32_t *start;
    int64_t row, strip;
} place;

typedef struct {
    const char *name;
    int (*is_supported)(void);
    /* Bytes of packed X' per byte of X: 2 where the kernel multiplies 16-bit numbers. */
    int x_scale;
    void (*draw_perms)(const uint32_t *seed, int64_t first, int64_t last, uint8_t *perms, uint8_t *inverse);
    void (*keep)(inos_slab *slab);
    int (*multiply)(inos_slab *slab, inos_worker *worker);
    void (*hash_leaves)(inos_leaves *job);
    void (*hash_parents)(const uint8_t *nodes, int64_t count, const char *context, uint8_t *parents);
    int r_row_bytes, p_row_bytes;
    void (*start_check)(inos_check *job);
    void (*project)(inos_check *job);
    void (*form_p)(inos_check *job);
    void (*compare)(inos_check *job);
    int (*verify)(const inos_proof *proof);
} inos_kernels;

extern const inos_kernels inos_portable;
#if defined(__x86_64__)
extern const inos_kernels inos_avx2, inos_avxvnni, inos_avx512, inos_avx512vbmi;
#elif defined(__aarch64__)
extern const inos_kernels inos_dotprod, inos_i8mm;
#endif

static inline int inos_is_stopped(const int *stop)
{
    return stop && __atomic_load_n(stop, __ATOMIC_RELAXED);
}

static inline int64_t inos_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

#endif
