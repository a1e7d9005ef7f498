/* Loops in plain C that compilers do not vectorise well. A processor's own header may define some of them before. */

/* Products of 32-bit lanes in 64 bits. */
#define DEFINE_LONG(name, T) \
    static void name(const int32_t *restrict a, const int32_t *restrict b, T *restrict out, int64_t n, int p, int64_t q) \
    { \
        FOR_LANES out[i] = (T)(((int64_t)a[i] * b[i] + q) >> p); \
    }
#ifndef HAS_MUL_LONG
DEFINE_LONG(mul_long_32, int32_t)
#endif
DEFINE_LONG(mul_long_64, int64_t)

/* W: the table's storage, M: the lane of its entries. Indices are inside. */
#define DEFINE_TABLE(name, W, M) \
    static void name(const int32_t *restrict at, M *restrict out, int64_t n, const W *restrict table, int64_t size) \
    { \
        (void)size; \
        FOR_LANES out[i] = (M)table[at[i]]; \
    }
#ifdef HAS_TABLES
DEFINE_TABLE(plain_table_1, int8_t, int16_t)
#else
DEFINE_TABLE(table_1, int8_t, int16_t)
DEFINE_TABLE(table_4, int32_t, int32_t)
#endif
DEFINE_TABLE(table_8, int64_t, int64_t)
