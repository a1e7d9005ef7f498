/* Freivalds' check (protocol, section 5) in exact integers. Everything is one product of int16 by int16,
 * added up in int32 for 64 pairs and in int64 above: W^T R has bytes on one side, X (W^T R) takes W^T R in
 * 16-bit limbs, and Y R takes Y's two halves. Y is read once.
 */
#include <string.h>

#include "inos_native.h"

#define DEPTH (2 * DOT_PAIRS)
#define BLOCK_COLS 64
#define BLOCK_ROWS 16

const inos_kernels *inos_get(int kernel);

void inos_run_project(int kernel, const int8_t *w, int64_t n, int64_t k, const int16_t *vectors,
                      int64_t first, int64_t last, int64_t *out)
{
    int16_t block[BLOCK_COLS][DEPTH];
    for (int64_t left = first; left < last; left += BLOCK_COLS) {
        const int64_t cols = inos_min(BLOCK_COLS, last - left);
        for (int64_t top = 0; top < n; top += DEPTH) {
            const int64_t rows = inos_min(DEPTH, n - top), pairs = (rows + 1) / 2;
            for (int64_t j = 0; j < 2 * pairs; j++)
                for (int64_t c = 0; c < cols; c++)
                    block[c][j] = j < rows ? w[(top + j) * k + left + c] : 0;
            inos_get(kernel)->dot(block[0], cols, DEPTH, vectors + top * VECTORS, pairs, out + left * VECTORS);
        }
    }
}

/* sums[limb][row][v] = X's rows times each limb. */
static void multiply_x(int kernel, const inos_check *job, int64_t top, int64_t rows, int64_t sums[][BLOCK_ROWS * VECTORS])
{
    int16_t block[BLOCK_ROWS][DEPTH];
    const int64_t limb_words = (job->k + 1) / 2 * 2 * VECTORS;
    for (int64_t left = 0; left < job->k; left += DEPTH) {
        const int64_t cols = inos_min(DEPTH, job->k - left), pairs = (cols + 1) / 2;
        for (int64_t r = 0; r < rows; r++) {
            for (int64_t c = 0; c < cols; c++)
                block[r][c] = job->x[(top + r) * job->k + left + c];
            if (cols < 2 * pairs)
                block[r][cols] = 0;
        }
        for (int64_t limb = 0; limb < job->limb_count; limb++)
            inos_get(kernel)->dot(block[0], rows, DEPTH, job->limbs + limb * limb_words + left * VECTORS, pairs,
                                  sums[limb]);
    }
}

/* low, high: Y's rows as 2^16 high + low + 2^15, low and high signed, times R. */
static void multiply_y(int kernel, const inos_check *job, int64_t top, int64_t rows, int64_t *low, int64_t *high)
{
    int16_t lows[BLOCK_ROWS][DEPTH], highs[BLOCK_ROWS][DEPTH];
    for (int64_t left = 0; left < job->n; left += DEPTH) {
        const int64_t cols = inos_min(DEPTH, job->n - left), pairs = (cols + 1) / 2;
        for (int64_t r = 0; r < rows; r++) {
            const int32_t *y = job->y + (top + r) * job->n + left;
            for (int64_t c = 0; c < cols; c++) {
                lows[r][c] = (int16_t)((y[c] & 0xffff) - 32768);
                highs[r][c] = (int16_t)(y[c] >> 16);
            }
            if (cols < 2 * pairs)
                lows[r][cols] = highs[r][cols] = 0;
        }
        inos_get(kernel)->dot(lows[0], rows, DEPTH, job->vectors + left * VECTORS, pairs, low);
        inos_get(kernel)->dot(highs[0], rows, DEPTH, job->vectors + left * VECTORS, pairs, high);
    }
}

int inos_run_check(int kernel, const inos_check *job, int64_t first, int64_t last)
{
    int64_t sums[3][BLOCK_ROWS * VECTORS], low[BLOCK_ROWS * VECTORS], high[BLOCK_ROWS * VECTORS];
    for (int64_t top = first; top < last; top += BLOCK_ROWS) {
        const int64_t rows = inos_min(BLOCK_ROWS, last - top);
        memset(sums, 0, sizeof sums);
        memset(low, 0, sizeof low);
        memset(high, 0, sizeof high);
        multiply_x(kernel, job, top, rows, sums);
        multiply_y(kernel, job, top, rows, low, high);
        /* Both sides stay below 2^60, so that unsigned arithmetic modulo 2^64 compares them exactly. */
        for (int64_t at = 0; at < rows * VECTORS; at++) {
            const uint64_t left = (uint64_t)sums[0][at] + ((uint64_t)sums[1][at] << 16) + ((uint64_t)sums[2][at] << 32);
            const uint64_t right = (uint64_t)low[at] + ((uint64_t)high[at] << 16) + (uint64_t)job->sums[at % VECTORS];
            if (left != right)
                return 0;
        }
    }
    return 1;
}
