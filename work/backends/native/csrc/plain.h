/* Peeling and Freivalds' product in plain C, for processors without special code for them. */

static void peel(const int16_t *x, const int16_t *w, int64_t stride, int n, const int32_t *block, int32_t *start,
                 int64_t row, int64_t strip)
{
    place out = {start, row, strip};
    (void)stride, (void)n;
    for (int r = 0; r < ROWS; r++, x += PEEL_DEPTH, block += ROWS, out.start += out.row) {
        uint32_t sums[ROWS]; /* unsigned: what is not yet peeled may pass 2^31, the exact product does not */
        memcpy(sums, block, sizeof sums);
        for (int pair = 0; pair < PEEL_DEPTH / 2; pair++)
            for (int c = 0; c < ROWS; c++) {
                const int16_t *columns = w + (pair * ROWS + c) * 2;
                sums[c] += (uint32_t)(x[2 * pair] * columns[0]) + (uint32_t)(x[2 * pair + 1] * columns[1]);
            }
        memcpy(out.start, sums, sizeof sums);
    }
}

/* out[row][v] += sum over pairs of a[row] . b[pair][v], for up to DOT_PAIRS pairs. */
static void dot(const int16_t *a, int64_t rows, int64_t stride, const int16_t *b, int64_t pairs, int64_t *out)
{
    for (int64_t r = 0; r < rows; r++, a += stride, out += VECTORS) {
        int32_t sums[VECTORS] = {0};
        for (int64_t pair = 0; pair < pairs; pair++)
            for (int v = 0; v < VECTORS; v++)
                sums[v] += a[2 * pair] * b[(pair * VECTORS + v) * 2] + a[2 * pair + 1] * b[(pair * VECTORS + v) * 2 + 1];
        for (int v = 0; v < VECTORS; v++)
            out[v] += sums[v];
    }
}
