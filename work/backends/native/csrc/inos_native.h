/* Definitions that all kernels share: sizes of the protocol, the layout of packed operands, and one table per
 * processor. A packed operand is [strip][panel][step][group of 4 columns][16 rows][4 columns], one byte each, so one
 * 64-byte load is 16 rows of W' by 4 columns, against which 4 bytes of X' are broadcast. Strips have 16 rows, steps 64
 * columns, and panels 1024 (protocol, section 3). */
#ifndef INOS_NATIVE_H
#define INOS_NATIVE_H

#include <math.h>
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
/* Peeling is one int16 product of depth 2 * RANK, which takes 4 KiB per strip on either side. Columns that share a
 * noise column are added up over at most 16 panels, because 256 * -128 still fits int16; therefore a slab has no more
 * panels. */
#define PEEL_DEPTH (2 * RANK)
#define PEEL_WORDS (ROWS * PEEL_DEPTH)
#define MAX_TILE_TICKETS 256
#define TILE_KEPT 16 /* strips of the kept side in a tile of a small product */
#define STATE_WORDS 16
#define DIGEST_WORDS 8
/* A win has i, j, p, and then the digest. */
#define WIN_WORDS (3 + DIGEST_WORDS)
#define VECTORS 16
/* This many pairs of int16 products of Freivalds' check are added up in int32: 64 * 2 * 2^15 * 255 < 2^31. */
#define DOT_PAIRS 64

/* This many rows are compared before a thread takes the next piece. */
#define COMPARED_ROWS 64
#define REDUCED_ENTRIES 65536

/* Tiles are for compilers that know their instructions, and for Linux, which is asked for them. */
#if defined(__x86_64__) && defined(__linux__) && defined(__has_include)
#if __has_include(<amxint8intrin.h>)
#define INOS_HAS_AMX
#endif
#endif

#include "api.h"
#include "vectors.h"

/* The memory that is fetched into the second-level cache during one product, since the processor does not prefetch it. */
#define AHEAD_BYTES 2048
typedef struct {
    uintptr_t x, w;
} ahead;

/* The place for blocks of 16 x 16, with steps in elements to the next row and to the next strip of W. */
typedef struct {
    int32_t *start;
    int64_t row, strip;
} place;

typedef struct {
    const char *name;
    int (*is_supported)(void);
    /* Bytes of packed X' per byte of X: 2 if the kernel multiplies 16-bit numbers. */
    int x_scale;
    void (*draw_perms)(const uint32_t *seed, int64_t first, int64_t last, uint8_t *perms, uint8_t *inverse);
    void (*keep)(inos_slab *slab);
    int (*multiply)(inos_slab *slab, inos_worker *worker);
    int64_t (*products_bytes)(const inos_products *job);
    int (*run_products)(inos_products *job);
    void (*hash_leaves)(inos_leaves *job);
    void (*hash_parents)(const uint8_t *nodes, int64_t count, const char *context, uint8_t *parents);
    int r_row_bytes, p_row_bytes;
    void (*start_check)(inos_check *job);
    void (*project)(inos_check *job);
    void (*form_p)(inos_check *job);
    void (*compare)(inos_check *job);
    int (*verify)(const inos_proof *proof);
    void (*measure_rows)(inos_floats *job);
    void (*split_rows)(inos_floats *job);
    void (*find_least)(inos_least *job);
    void (*reduce_product)(inos_reduced *job);
    void (*join_rows)(inos_joined *job);
    void (*quantise_rows)(inos_quantised *job);
    void (*scale_product)(inos_scaled *job);
    int64_t (*run_limit)(int64_t rounds);
} inos_kernels;

extern const inos_kernels inos_portable;
#if defined(__x86_64__)
extern const inos_kernels inos_avx2, inos_avxvnni, inos_avx512, inos_avx512vbmi;
#ifdef INOS_HAS_AMX
extern const inos_kernels inos_amx;
#endif
#elif defined(__aarch64__)
extern const inos_kernels inos_dotprod, inos_i8mm;
#endif

static inline int inos_is_stopped(const int *stop)
{
    return stop && __atomic_load_n(stop, __ATOMIC_RELAXED);
}

static inline int inos_needs_rows(const inos_slab *slab)
{
    return slab->out || slab->modulus;
}

static inline int64_t inos_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

#endif
