/* Loops over the lanes of a register, compiled once per processor and written so that compilers vectorise them.
 * Unsigned arithmetic is meant where values wrap: the checker has shown that results fit, and a wrong input must not be
 * undefined behaviour. */

#include <string.h>

#include "code.h"

#define FOR_LANES for (int64_t i = 0; i < n; i++)

/* Widths of storage and of lanes, from and to. */
#define DEFINE_MOVE(name, S, T) \
    static void name(const S *restrict a, T *restrict out, int64_t n) \
    { \
        FOR_LANES out[i] = (T)a[i]; \
    }
DEFINE_MOVE(move_1_2, int8_t, int16_t)
DEFINE_MOVE(move_1_4, int8_t, int32_t)
DEFINE_MOVE(move_1_8, int8_t, int64_t)
DEFINE_MOVE(move_2_1, int16_t, int8_t)
DEFINE_MOVE(move_2_4, int16_t, int32_t)
DEFINE_MOVE(move_2_8, int16_t, int64_t)
DEFINE_MOVE(move_4_1, int32_t, int8_t)
DEFINE_MOVE(move_4_2, int32_t, int16_t)
DEFINE_MOVE(move_4_8, int32_t, int64_t)
DEFINE_MOVE(move_8_1, int64_t, int8_t)
DEFINE_MOVE(move_8_2, int64_t, int16_t)
DEFINE_MOVE(move_8_4, int64_t, int32_t)

static void convert(const void *a, int64_t from, void *out, int64_t to, int64_t n)
{
    switch (from * 16 + to) {
    case 0x11: case 0x22: case 0x44: case 0x88: memcpy(out, a, (size_t)(n * from)); break;
    case 0x12: move_1_2(a, out, n); break;
    case 0x14: move_1_4(a, out, n); break;
    case 0x18: move_1_8(a, out, n); break;
    case 0x21: move_2_1(a, out, n); break;
    case 0x24: move_2_4(a, out, n); break;
    case 0x28: move_2_8(a, out, n); break;
    case 0x41: move_4_1(a, out, n); break;
    case 0x42: move_4_2(a, out, n); break;
    case 0x48: move_4_8(a, out, n); break;
    case 0x81: move_8_1(a, out, n); break;
    case 0x82: move_8_2(a, out, n); break;
    case 0x84: move_8_4(a, out, n); break;
    }
}

/* T: the lane, U: an unsigned type that holds its products modulo 2^bits without promotion to int. */
#define DEFINE_ARITHMETIC(T, U, bits) \
    static void add_##bits(const T *restrict a, const T *restrict b, T *restrict out, int64_t n) \
    { \
        FOR_LANES out[i] = (T)((U)a[i] + (U)b[i]); \
    } \
    static void mul_##bits(const T *restrict a, const T *restrict b, T *restrict out, int64_t n, int p, T q) \
    { \
        if (p) \
            FOR_LANES out[i] = (T)((T)((U)a[i] * (U)b[i] + (U)q) >> p); \
        else \
            FOR_LANES out[i] = (T)((U)a[i] * (U)b[i]); \
    } \
    static void clamp_##bits(const T *restrict a, T *restrict out, int64_t n, T p, T q) \
    { \
        FOR_LANES \
        { \
            T kept = a[i] > p ? a[i] : p; \
            out[i] = kept < q ? kept : q; \
        } \
    }
DEFINE_ARITHMETIC(int16_t, uint32_t, 16)
DEFINE_ARITHMETIC(int32_t, uint32_t, 32)
DEFINE_ARITHMETIC(int64_t, uint64_t, 64)

/* A quotient of integers below 2^52 is exact in doubles: it is at least 1 / b below the next integer, and that is more
 * than half a unit in its last place. Floats do not trap if a divisor is 0 in spite of its type. */
static void div_32(const int32_t *restrict a, const int32_t *restrict b, int32_t *restrict out, int64_t n)
{
    FOR_LANES out[i] = (int32_t)((double)a[i] / (double)b[i]);
}

/* The same holds for floats below 2^22. */
static void div_float(const int32_t *restrict a, const int32_t *restrict b, int32_t *restrict out, int64_t n)
{
    FOR_LANES out[i] = (int32_t)((float)a[i] / (float)b[i]);
}

static void div_double(const int64_t *restrict a, const int64_t *restrict b, int64_t *restrict out, int64_t n)
{
    FOR_LANES out[i] = (int64_t)((double)a[i] / (double)b[i]);
}

static void div_64(const int64_t *restrict a, const int64_t *restrict b, int64_t *restrict out, int64_t n)
{
    FOR_LANES out[i] = a[i] / (b[i] > 0 ? b[i] : 1);
}

/* Where a table is read: indices from 0, all inside, for LANES entries at most. Returns 1 if one was outside. */
#define DEFINE_INDEX(name, T, U) \
    static int name(const T *restrict a, int32_t *restrict at, int64_t n, int64_t size, int64_t first) \
    { \
        U start = (U)first, last = (U)(size - 1), most = 0; \
        FOR_LANES \
        { \
            U place = (U)a[i] - start; \
            most = place > most ? place : most; \
            at[i] = (int32_t)(place < last ? place : last); \
        } \
        return most > last; \
    }
DEFINE_INDEX(index_2, int16_t, uint32_t)
DEFINE_INDEX(index_4, int32_t, uint32_t)
DEFINE_INDEX(index_8, int64_t, uint64_t)

/* T: the lane, A: the accumulator, which holds every sum. */
#define DEFINE_REDUCTION(T, A, name) \
    static void sum_rows_##name(const T *restrict x, int64_t h, int64_t n, A *restrict out) \
    { \
        for (int64_t r = 0; r < h; r++, x += n) { \
            A sum = 0; \
            FOR_LANES sum += x[i]; \
            out[r] += sum; \
        } \
    } \
    static void sum_cols_##name(const T *restrict x, int64_t h, int64_t n, A *restrict out) \
    { \
        for (int64_t r = 0; r < h; r++, x += n) \
            FOR_LANES out[i] += x[i]; \
    } \
    static void max_rows_##name(const T *restrict x, int64_t h, int64_t n, A *restrict out) \
    { \
        for (int64_t r = 0; r < h; r++, x += n) { \
            T most = x[0]; \
            FOR_LANES most = x[i] > most ? x[i] : most; \
            out[r] = most > out[r] ? most : out[r]; \
        } \
    } \
    static void max_cols_##name(const T *restrict x, int64_t h, int64_t n, A *restrict out) \
    { \
        for (int64_t r = 0; r < h; r++, x += n) \
            FOR_LANES out[i] = x[i] > out[i] ? x[i] : out[i]; \
    } \
    static void reduce_##name(int64_t finish, const void *x, int64_t h, int64_t n, void *out) \
    { \
        switch (finish) { \
        case SUM_ROWS: sum_rows_##name(x, h, n, out); break; \
        case SUM_COLS: sum_cols_##name(x, h, n, out); break; \
        case MAX_ROWS: max_rows_##name(x, h, n, out); break; \
        case MAX_COLS: max_cols_##name(x, h, n, out); break; \
        } \
    }
DEFINE_REDUCTION(int16_t, int32_t, 2_4)
DEFINE_REDUCTION(int16_t, int64_t, 2_8)
DEFINE_REDUCTION(int32_t, int32_t, 4_4)
DEFINE_REDUCTION(int32_t, int64_t, 4_8)
DEFINE_REDUCTION(int64_t, int64_t, 8_8)
