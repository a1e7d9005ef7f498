/* Loads of a block of an affine read into a register. */

/* Writes the digits of `index` in the dimensions' lengths, and returns the sum of digit times stride. */
static int64_t start_walk(const inos_dim *dims, int64_t count, int64_t index, int64_t *digits)
{
    int64_t at = 0;
    for (int64_t d = count - 1; d > 0; d--) {
        digits[d] = index % dims[d].length;
        index /= dims[d].length;
        at += digits[d] * dims[d].stride;
    }
    digits[0] = index;
    return at + index * dims[0].stride;
}

/* Moves on to the next index; `at` is what start_walk returned. */
static inline int64_t step_walk(const inos_dim *dims, int64_t count, int64_t at, int64_t *digits)
{
    for (int64_t d = count - 1; d >= 0; d--) {
        at += dims[d].stride;
        if (++digits[d] < dims[d].length)
            return at;
        at -= digits[d] * dims[d].stride;
        digits[d] = 0;
    }
    return at;
}

#define DEFINE_LOAD(name, S, T) \
    static inline void run_##name(const S *restrict x, int64_t stride, int64_t n, T *restrict out) \
    { \
        if (stride == 1) \
            FOR_LANES out[i] = (T)x[i]; \
        else if (stride == 0) { \
            T entry = (T)x[0]; \
            FOR_LANES out[i] = entry; \
        } else \
            FOR_LANES out[i] = (T)x[i * stride]; \
    } \
    static void row_##name(const S *x, const inos_dim *dims, int64_t count, int64_t left, int64_t n, T *out) \
    { \
        int64_t digits[MAX_DIMENSIONS], at = start_walk(dims, count, left, digits); \
        const inos_dim *inner = &dims[count - 1]; \
        for (;;) { \
            int64_t part = inner->length - digits[count - 1]; \
            part = part < n ? part : n; \
            run_##name(x + at, inner->stride, part, out); \
            out += part; \
            n -= part; \
            if (!n) \
                return; \
            at -= digits[count - 1] * inner->stride; \
            digits[count - 1] = 0; \
            at = step_walk(dims, count - 1, at, digits); \
        } \
    } \
    static void load_##name(const S *x, const inos_leaf *leaf, int64_t top, int64_t left, int64_t h, int64_t w, T *out) \
    { \
        const inos_dim *rows = get_dims(leaf), *cols = rows + leaf->row_dims; \
        int64_t digits[MAX_DIMENSIONS], at = start_walk(rows, leaf->row_dims, top, digits); \
        x += leaf->offset; \
        for (int64_t r = 0; r < h; r++, out += w) { \
            if (leaf->col_dims == 1) \
                run_##name(x + at + left * cols->stride, cols->stride, w, out); \
            else \
                row_##name(x + at, cols, leaf->col_dims, left, w, out); \
            at = step_walk(rows, leaf->row_dims, at, digits); \
        } \
    }
DEFINE_LOAD(1_2, int8_t, int16_t)
DEFINE_LOAD(1_4, int8_t, int32_t)
DEFINE_LOAD(1_8, int8_t, int64_t)
DEFINE_LOAD(4_2, int32_t, int16_t)
DEFINE_LOAD(4_4, int32_t, int32_t)
DEFINE_LOAD(4_8, int32_t, int64_t)
DEFINE_LOAD(8_8, int64_t, int64_t)

/* Where the entries of each register are: in its own memory, or where a value has them just so. */
typedef struct {
    void *at[MAX_REGISTERS];
    char *memory;
} inos_registers;

static inline void *get_register(const inos_registers *registers, int64_t number)
{
    return registers->memory + number * REGISTER_BYTES;
}

typedef struct {
    inos_leaf leaf;
    inos_dim dims[2];
} inos_flat_leaf;

/* Returns whether rows lie behind each other, so that a block of whole rows is one run. */
static inline int is_flat(const inos_leaf *leaf, int64_t columns)
{
    const inos_dim *dims = get_dims(leaf);
    return leaf->row_dims == 1 && leaf->col_dims == 1 && dims[0].stride == columns * dims[1].stride;
}

static void load(const inos_leaf *leaf, const inos_frame *frame, const inos_chain *chain, int64_t top, int64_t left,
                 int64_t h, int64_t w, inos_registers *registers)
{
    const void *x = frame->slots[leaf->value];
    void *out = get_register(registers, leaf->target);
    int64_t width = frame->shapes[leaf->value].width;
    inos_flat_leaf flat;
    if (w == chain->cols && h > 1 && is_flat(leaf, w)) {
        flat.leaf = *leaf;
        flat.dims[0] = (inos_dim){1, 0};
        flat.dims[1] = (inos_dim){h * w, get_dims(leaf)[1].stride};
        flat.leaf.offset += top * get_dims(leaf)[0].stride;
        leaf = &flat.leaf;
        w *= h;
        h = 1;
        top = 0;
    }
    if (h == 1 && leaf->col_dims == 1 && leaf->lane == width && get_dims(leaf)[leaf->row_dims].stride == 1) {
        int64_t digits[MAX_DIMENSIONS], at = start_walk(get_dims(leaf), leaf->row_dims, top, digits);
        registers->at[leaf->target] = (char *)x + (leaf->offset + at + left) * width;
        return;
    }
    switch (width * 16 + leaf->lane) {
    case 0x12: load_1_2(x, leaf, top, left, h, w, out); break;
    case 0x14: load_1_4(x, leaf, top, left, h, w, out); break;
    case 0x18: load_1_8(x, leaf, top, left, h, w, out); break;
    case 0x42: load_4_2(x, leaf, top, left, h, w, out); break;
    case 0x44: load_4_4(x, leaf, top, left, h, w, out); break;
    case 0x48: load_4_8(x, leaf, top, left, h, w, out); break;
    case 0x88: load_8_8(x, leaf, top, left, h, w, out); break;
    }
}
