/* Products of int7 matrices, Y_b = X_b * W_b^T for equal blocks of rows: pairs of 16-bit entries are multiplied and
 * added in 32 bits, which compilers turn into one instruction. 64 * 64 * 65536 < 2^31. */

#define PRODUCT_ROWS 32
#define PRODUCT_DEPTH 1024
#define STRIPE 4

/* Adds the products of STRIPE rows of X with one of W to a column of Y. */
static void add_stripe(const int16_t *restrict x, const int16_t *restrict w, int64_t depth, int32_t *restrict y,
                       int64_t step)
{
    const int16_t *x1 = x + PRODUCT_DEPTH, *x2 = x1 + PRODUCT_DEPTH, *x3 = x2 + PRODUCT_DEPTH;
    int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    for (int64_t i = 0; i < depth; i++) {
        s0 += x[i] * w[i];
        s1 += x1[i] * w[i];
        s2 += x2[i] * w[i];
        s3 += x3[i] * w[i];
    }
    y[0] += s0;
    y[step] += s1;
    y[2 * step] += s2;
    y[3 * step] += s3;
}

static void add_row(const int16_t *restrict x, const int16_t *restrict w, int64_t depth, int32_t *restrict y)
{
    int32_t sum = 0;
    for (int64_t i = 0; i < depth; i++)
        sum += x[i] * w[i];
    *y += sum;
}

static void multiply_block(const int8_t *x, const int8_t *w, int64_t m, int64_t n, int64_t k, int32_t *y, int16_t *packed)
{
    int16_t *row = packed + PRODUCT_ROWS * PRODUCT_DEPTH;
    memset(y, 0, (size_t)(m * n) * sizeof *y);
    for (int64_t top = 0; top < m; top += PRODUCT_ROWS) {
        int64_t rows = m - top < PRODUCT_ROWS ? m - top : PRODUCT_ROWS;
        for (int64_t left = 0; left < k; left += PRODUCT_DEPTH) {
            int64_t depth = k - left < PRODUCT_DEPTH ? k - left : PRODUCT_DEPTH;
            for (int64_t r = 0; r < rows; r++)
                move_1_2(x + (top + r) * k + left, packed + r * PRODUCT_DEPTH, depth);
            for (int64_t j = 0; j < n; j++) {
                int64_t r = 0;
                int32_t *column = y + top * n + j;
                move_1_2(w + j * k + left, row, depth);
                for (; r + STRIPE <= rows; r += STRIPE)
                    add_stripe(packed + r * PRODUCT_DEPTH, row, depth, column + r * n, n);
                for (; r < rows; r++)
                    add_row(packed + r * PRODUCT_DEPTH, row, depth, column + r * n);
            }
        }
    }
}

/* `packed` has room for PRODUCT_ROWS + 1 rows of PRODUCT_DEPTH. */
static void multiply(const inos_shape *xs, const inos_shape *ws, int64_t blocks, const int8_t *x, const int8_t *w,
                     int32_t *y, void *packed)
{
    int64_t m = xs->rows / blocks, n = ws->rows / blocks, k = xs->cols;
    for (int64_t b = 0; b < blocks; b++)
        multiply_block(x + b * m * k, w + b * n * k, m, n, k, y + b * m * n, packed);
}
