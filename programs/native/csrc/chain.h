/* A chain, block by block. The including file selects the processor, and provides products and tables. */
#include "loads.h"

static int run_table(const inos_instruction *in, const inos_frame *frame, const void *a, void *out, int64_t n)
{
    int32_t at[LANES];
    const void *table = frame->slots[in->p];
    int64_t size = frame->shapes[in->p].cols;
    int is_outside;
    switch (in->lane) {
    case 2: is_outside = index_2(a, at, n, size, in->q); break;
    case 4: is_outside = index_4(a, at, n, size, in->q); break;
    default: is_outside = index_8(a, at, n, size, in->q); break;
    }
    switch (in->r) {
    case 1: table_1(at, out, n, table, size); break;
    case 4: table_4(at, out, n, table, size); break;
    default: table_8(at, out, n, table, size); break;
    }
    return is_outside;
}

static int run_instruction(const inos_instruction *in, const inos_frame *frame, const inos_registers *registers, int64_t n)
{
    const void *a = registers->at[in->a], *b = registers->at[in->b];
    void *out = get_register(registers, in->target);
    switch (in->op * 16 + in->lane) {
    case ADD * 16 + 2: add_16(a, b, out, n); break;
    case ADD * 16 + 4: add_32(a, b, out, n); break;
    case ADD * 16 + 8: add_64(a, b, out, n); break;
    case MUL * 16 + 2: mul_16(a, b, out, n, (int)in->p, (int16_t)in->q); break;
    case MUL * 16 + 4: mul_32(a, b, out, n, (int)in->p, (int32_t)in->q); break;
    case MUL * 16 + 8: mul_64(a, b, out, n, (int)in->p, in->q); break;
    case MUL_LONG * 16 + 4:
        if (in->r == 4)
            mul_long_32(a, b, out, n, (int)in->p, in->q);
        else
            mul_long_64(a, b, out, n, (int)in->p, in->q);
        break;
    case DIV * 16 + 4:
        if (in->p)
            div_float(a, b, out, n);
        else
            div_32(a, b, out, n);
        break;
    case DIV * 16 + 8:
        if (in->p)
            div_double(a, b, out, n);
        else
            div_64(a, b, out, n);
        break;
    case CLAMP * 16 + 2: clamp_16(a, out, n, (int16_t)in->p, (int16_t)in->q); break;
    case CLAMP * 16 + 4: clamp_32(a, out, n, (int32_t)in->p, (int32_t)in->q); break;
    case CLAMP * 16 + 8: clamp_64(a, out, n, in->p, in->q); break;
    case TABLE * 16 + 2: case TABLE * 16 + 4: case TABLE * 16 + 8: return run_table(in, frame, a, out, n);
    default: convert(a, in->lane, out, in->p, n); break; /* CONVERT */
    }
    return 0;
}

/* Loads a block and runs all instructions on it. A leaf whose rows are all the same is loaded once for each `left`. */
static int run_block(const inos_chain *chain, const inos_frame *frame, inos_registers *registers,
                     int64_t top, int64_t left, int64_t h, int64_t w, int is_first)
{
    const inos_leaf *leaf = (const inos_leaf *)(chain + 1);
    for (int64_t n = 0; n < chain->leaves; n++, leaf = get_next_leaf(leaf)) {
        const inos_dim *rows = get_dims(leaf);
        if (is_first || leaf->row_dims != 1 || rows->stride != 0)
            load(leaf, frame, chain, top, left, h, w, registers);
    }
    const inos_instruction *in = (const inos_instruction *)leaf;
    for (int64_t n = 0; n < chain->instructions; n++, in++)
        if (run_instruction(in, frame, registers, h * w))
            return 1;
    return 0;
}

static void reduce(const inos_chain *chain, const void *x, int64_t h, int64_t w, void *sums)
{
    switch (chain->lane * 16 + (chain->wide ? 8 : 4)) {
    case 0x24: reduce_2_4(chain->finish, x, h, w, sums); break;
    case 0x28: reduce_2_8(chain->finish, x, h, w, sums); break;
    case 0x44: reduce_4_4(chain->finish, x, h, w, sums); break;
    case 0x48: reduce_4_8(chain->finish, x, h, w, sums); break;
    case 0x88: reduce_8_8(chain->finish, x, h, w, sums); break;
    }
}

static void start_sums(const inos_chain *chain, void *sums)
{
    int is_max = chain->finish == MAX_ROWS || chain->finish == MAX_COLS;
    if (chain->wide)
        for (int i = 0; i < LANES; i++)
            ((int64_t *)sums)[i] = is_max ? INT64_MIN : 0;
    else
        for (int i = 0; i < LANES; i++)
            ((int32_t *)sums)[i] = is_max ? INT32_MIN : 0;
}

/* Stores entries, or reduces columns: all rows of some columns, then of the next. */
static int run_down(const inos_chain *chain, const inos_frame *frame, char *out, int64_t width, inos_registers *registers)
{
    int64_t w = chain->cols < LANES ? chain->cols : LANES, h = w == chain->cols ? LANES / w : 1;
    char *sums = get_register(registers, MAX_REGISTERS);
    void *const *last = &registers->at[chain->last];
    for (int64_t left = 0; left < chain->cols; left += w) {
        int64_t columns = chain->cols - left < w ? chain->cols - left : w;
        if (chain->finish != STORE)
            start_sums(chain, sums);
        for (int64_t top = 0; top < chain->rows; top += h) {
            int64_t rows = chain->rows - top < h ? chain->rows - top : h;
            if (run_block(chain, frame, registers, top, left, rows, columns, top == 0))
                return 1;
            if (chain->finish == STORE)
                convert(*last, chain->lane, out + (top * chain->cols + left) * width, width, rows * columns);
            else
                reduce(chain, *last, rows, columns, sums);
        }
        if (chain->finish != STORE)
            convert(sums, chain->wide ? 8 : 4, out + left * width, width, columns);
    }
    return 0;
}

/* Reduces rows: all columns of some rows, then of the next. */
static int run_across(const inos_chain *chain, const inos_frame *frame, char *out, int64_t width, inos_registers *registers)
{
    int64_t w = chain->cols < LANES ? chain->cols : LANES, h = w == chain->cols ? LANES / w : 1;
    char *sums = get_register(registers, MAX_REGISTERS);
    void *const *last = &registers->at[chain->last];
    for (int64_t top = 0; top < chain->rows; top += h) {
        int64_t rows = chain->rows - top < h ? chain->rows - top : h;
        start_sums(chain, sums);
        for (int64_t left = 0; left < chain->cols; left += w) {
            int64_t columns = chain->cols - left < w ? chain->cols - left : w;
            if (run_block(chain, frame, registers, top, left, rows, columns, top == 0 || w < chain->cols))
                return 1;
            reduce(chain, *last, rows, columns, sums);
        }
        convert(sums, chain->wide ? 8 : 4, out + top * width, width, rows);
    }
    return 0;
}

static int run_chain(const inos_chain *chain, const inos_frame *frame, void *out, int64_t width, char *memory)
{
    inos_registers registers;
    registers.memory = memory;
    for (int64_t n = 0; n < MAX_REGISTERS; n++)
        registers.at[n] = get_register(&registers, n);
    int is_across = chain->finish == SUM_ROWS || chain->finish == MAX_ROWS;
    return (is_across ? run_across : run_down)(chain, frame, out, width, &registers);
}
