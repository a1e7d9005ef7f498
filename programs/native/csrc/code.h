/* Compiled programs. The code is a sequence of words: the bodies of loops and then the program itself, each as a plan.
 * A plan is its header, a shape for each value, the numbers of its outputs, and its steps. A step is its header, its
 * operands, the values that are given up after it, and what its kind needs. Word 0 is the position of the last plan. */
#ifndef INOS_CODE_H
#define INOS_CODE_H

#include <stddef.h>
#include <stdint.h>

#include "api.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "values are little-endian; the numpy interpreter serves other processors"
#endif

#define MAX_SIZE (INT64_C(1) << 31)
#define MAX_DEPTH 65536
#define MAX_NESTING 4
#define MAX_DIMENSIONS 4
#define MAX_LEAVES 32
#define MAX_REGISTERS 64
#define MAX_INSTRUCTIONS 64

/* A register has room for LANES entries of eight bytes. The bytes between keep registers off each other's sets. */
#define LANES 1024
#define REGISTER_BYTES (LANES * 8 + 128) /* all of them have room for a product's packed rows as well */

typedef struct {
    int64_t values, inputs, outputs, steps;
} inos_plan;

typedef struct {
    int64_t rows, cols, width; /* bytes of an entry: 1, 4 or 8 */
} inos_shape;

enum { CHAIN, CALL, PRODUCT, GATHER, CONCAT, REPEAT, KINDS };

typedef struct {
    int64_t kind, words, result, results, operands, dead;
} inos_step;

/* A chain of elementwise operations on rows x cols entries. Each leaf is loaded into its register, the instructions
 * run on registers, and the last register is stored, or reduced and then stored. Blocks of at most LANES entries go
 * through all of it one after the other. */
typedef struct {
    int64_t rows, cols, finish, wide, last, lane, leaves, instructions;
} inos_chain;

/* `wide`: a sum needs 64 bits. */
enum { STORE, SUM_ROWS, SUM_COLS, MAX_ROWS, MAX_COLS, FINISHES };

/* An affine read of a value: (length, stride) of each dimension of rows and columns follows. */
typedef struct {
    int64_t value, target, lane, offset, row_dims, col_dims;
} inos_leaf;

typedef struct {
    int64_t length, stride;
} inos_dim;

/* lane: bytes of an entry of the operands: 2, 4 or 8; p, q, and r by operation. */
typedef struct {
    int64_t op, lane, target, a, b, p, q, r;
} inos_instruction;

enum {
    ADD,
    MUL,      /* (a * b + q) >> p */
    MUL_LONG, /* the same for lane 4, in 64 bits; the target has lane r: 4 or 8 */
    DIV,      /* towards zero; p: floats are exact in lane 4, doubles in lane 8 */
    CLAMP,    /* to p .. q */
    TABLE,    /* value p, at a - q; the target has the lane that the table's width r asks for */
    CONVERT,  /* to lane p */
    OPERATIONS
};

typedef struct {
    int64_t number;
} inos_called;

typedef struct {
    int64_t blocks;
} inos_product;

typedef struct {
    int64_t axis;
} inos_concat;

typedef struct {
    int64_t count, carried, scanned, body;
} inos_repeat;

typedef struct {
    const inos_plan *plan;
    const inos_shape *shapes;
    void **slots; /* the entries of each value, or NULL */
} inos_frame;

/* One table per processor. A chain returns 1 if an index is outside its table. */
typedef struct {
    const char *name;
    int (*is_supported)(void);
    int (*run_chain)(const inos_chain *chain, const inos_frame *frame, void *out, int64_t width, char *memory);
    void (*multiply)(const inos_shape *xs, const inos_shape *ws, int64_t blocks, const int8_t *x, const int8_t *w,
                     int32_t *y, void *packed);
    void (*convert)(const void *source, int64_t width, void *target, int64_t target_width, int64_t count);
} inos_target;

extern const inos_target inos_avx512, inos_avx2, inos_portable;

static inline const inos_shape *get_shapes(const inos_plan *plan)
{
    return (const inos_shape *)(plan + 1);
}

static inline const int64_t *get_outputs(const inos_plan *plan)
{
    return (const int64_t *)(get_shapes(plan) + plan->values);
}

static inline const inos_step *get_steps(const inos_plan *plan)
{
    return (const inos_step *)(get_outputs(plan) + plan->outputs);
}

static inline const int64_t *get_operands(const inos_step *step)
{
    return (const int64_t *)(step + 1);
}

static inline const int64_t *get_dead(const inos_step *step)
{
    return get_operands(step) + step->operands;
}

static inline const void *get_details(const inos_step *step)
{
    return get_dead(step) + step->dead;
}

static inline const inos_dim *get_dims(const inos_leaf *leaf)
{
    return (const inos_dim *)(leaf + 1);
}

static inline const inos_leaf *get_next_leaf(const inos_leaf *leaf)
{
    return (const inos_leaf *)(get_dims(leaf) + leaf->row_dims + leaf->col_dims);
}

static inline int64_t count_bytes(const inos_shape *shape)
{
    return shape->rows * shape->cols * shape->width;
}

#endif
