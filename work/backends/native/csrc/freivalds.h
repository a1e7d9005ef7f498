/* Freivalds' check (protocol, section 5) in exact integers. Threads take pieces until none is left: first W^T R by
 * blocks of columns, then Y R = X (W^T R) by blocks of rows, so that each operand is read once. This file is for
 * processors without a product of bytes: all products are of int16 by int16, and are added up in int32 for 64 pairs and
 * in int64 above that. X is multiplied by W^T R in 16-bit limbs, and Y R uses the two halves of Y. The including file
 * provides `dot`. */

/* Copies rows of Y from `source`, which another process may write, so that what is checked is what is kept. */
static inline void take_rows(const inos_check *job, int64_t top, int64_t rows)
{
    if (job->source)
        memcpy(job->y + top * job->n, job->source + top * job->n, (size_t)(4 * rows * job->n));
}

#ifdef INOS_AVX512
#include "freivalds512.h"
#else
#define DEPTH (2 * DOT_PAIRS)
#define BLOCK_ROWS 16
#define R_ROW_BYTES (4 * VECTORS)
#define P_ROW_BYTES (6 * VECTORS)
#define PROJECT_COLUMNS 128

/* R as int16, once in pairs of rows, [pair][16][2], and once transposed, 16 rows of `n` rounded up to even; zero
 * beyond. */
static void form_r(inos_check *job)
{
    const int64_t even = job->n + job->n % 2;
    int16_t *pairs = (int16_t *)(void *)job->form_r, *columns = pairs + even * VECTORS;
    for (int64_t row = 0; row < even; row++)
        for (int v = 0; v < VECTORS; v++) {
            const int16_t value = row < job->n ? job->vectors[row * VECTORS + v] : 0;
            pairs[(row / 2 * VECTORS + v) * 2 + row % 2] = columns[v * even + row] = value;
            job->sums_r[v] += value;
        }
}

/* W^T R, which is below 2^36, in signed limbs of 16 bits, lowest first, as many as are needed: [limb][pair][16][2]. */
static void form_p(inos_check *job)
{
    const int64_t size = (job->k + job->k % 2) * VECTORS;
    int16_t *limbs = (int16_t *)(void *)job->form_p;
    int64_t largest = 0;
    memset(limbs, 0, (size_t)(6 * size));
    for (int64_t row = 0; row < job->k; row++)
        for (int v = 0; v < VECTORS; v++) {
            int64_t rest = job->projected[row * VECTORS + v];
            largest |= rest < 0 ? -rest : rest;
            for (int limb = 0; limb < 3; limb++) {
                const int16_t low = (int16_t)rest;
                limbs[limb * size + (row / 2 * VECTORS + v) * 2 + row % 2] = low;
                rest = (rest - low) >> 16;
            }
        }
    job->limbs = largest < 0x7fff ? 1 : largest < 0x7fff7fff ? 2 : 3;
}

/* Two rows of W, up to 64 columns, as pairs of int16. */
static inline void pair_columns(const int8_t *first, const int8_t *second, int64_t cols, uint32_t pairs[STEP])
{
    int8_t edge[2][STEP] = {{0}};
    if (cols < STEP || !second) {
        memcpy(edge[0], first, (size_t)cols);
        if (second)
            memcpy(edge[1], second, (size_t)cols);
        first = edge[0];
        second = edge[1];
    }
    for (int c = 0; c < STEP; c++)
        pairs[c] = (uint16_t)(int16_t)first[c] | (uint32_t)(int32_t)second[c] << 16;
}

/* Computes W^T R for columns [first, last). Columns of W are processed a cache line at a time, since rows of W are far
 * apart in memory. */
static void project_columns(const inos_check *job, int64_t first, int64_t last)
{
    const int64_t n = job->n, k = job->k, stride = n + n % 2;
    const int16_t *vectors = (const int16_t *)(const void *)job->form_r + stride * VECTORS;
    for (int64_t left = first; left < last; left += STEP) {
        const int64_t cols = inos_min(STEP, last - left);
        int64_t sums[STEP / VECTORS][VECTORS * VECTORS] = {{0}};
        for (int64_t top = 0; top < n; top += DEPTH) {
            uint32_t block[STEP / VECTORS][DOT_PAIRS][VECTORS], line[STEP];
            const int64_t pairs = (inos_min(DEPTH, n - top) + 1) / 2;
            for (int64_t pair = 0; pair < pairs; pair++) {
                const int64_t row = top + 2 * pair;
                const int8_t *place = job->w + row * k + left;
                pair_columns(place, row + 1 < n ? place + k : 0, cols, line);
                for (int part = 0; part < STEP / VECTORS; part++)
                    memcpy(block[part][pair], line + part * VECTORS, 4 * VECTORS);
            }
            for (int part = 0; part < STEP / VECTORS; part++)
                dot(vectors + top, VECTORS, stride, (const int16_t *)(const void *)block[part], pairs, sums[part]);
        }
        for (int64_t c = 0; c < cols; c++)
            for (int v = 0; v < VECTORS; v++)
                job->projected[(left + c) * VECTORS + v] += sums[c / VECTORS][v * VECTORS + c % VECTORS];
    }
}

/* Computes sums[limb][row][v], the product of X's rows and each limb. */
static void multiply_x(const inos_check *job, int64_t top, int64_t rows, int64_t sums[][BLOCK_ROWS * VECTORS])
{
    int16_t block[BLOCK_ROWS][DEPTH];
    const int16_t *limbs = (const int16_t *)(const void *)job->form_p;
    const int64_t limb_words = (job->k + 1) / 2 * 2 * VECTORS;
    for (int64_t left = 0; left < job->k; left += DEPTH) {
        const int64_t cols = inos_min(DEPTH, job->k - left), pairs = (cols + 1) / 2;
        for (int64_t r = 0; r < rows; r++) {
            for (int64_t c = 0; c < DEPTH; c += 64)
                __builtin_prefetch((const char *)job->x + (top + r) * job->k + left + DEPTH + c);
            for (int64_t c = 0; c < cols; c++)
                block[r][c] = job->x[(top + r) * job->k + left + c];
            if (cols < 2 * pairs)
                block[r][cols] = 0;
        }
        for (int64_t limb = 0; limb < job->limbs; limb++)
            dot(block[0], rows, DEPTH, limbs + limb * limb_words + left * VECTORS, pairs, sums[limb]);
    }
}

/* Multiplies Y's rows by R in two parts, low and high, with Y = 2^16 high + low + 2^15 and both parts signed. */
static void multiply_y(const inos_check *job, int64_t top, int64_t rows, int64_t *low, int64_t *high)
{
    const int16_t *vectors = (const int16_t *)(const void *)job->form_r;
    int16_t lows[BLOCK_ROWS][DEPTH], highs[BLOCK_ROWS][DEPTH];
    for (int64_t left = 0; left < job->n; left += DEPTH) {
        const int64_t cols = inos_min(DEPTH, job->n - left), pairs = (cols + 1) / 2;
        for (int64_t r = 0; r < rows; r++) {
            const int32_t *y = job->y + (top + r) * job->n + left;
            /* Pieces of rows are too short for the processor to prefetch them. */
            for (int64_t c = 0; c < DEPTH; c += 16)
                __builtin_prefetch((const char *)y + 4 * (DEPTH + c));
            for (int64_t c = 0; c < cols; c++) {
                lows[r][c] = (int16_t)((y[c] & 0xffff) - 32768);
                highs[r][c] = (int16_t)(y[c] >> 16);
            }
            if (cols < 2 * pairs)
                lows[r][cols] = highs[r][cols] = 0;
        }
        dot(lows[0], rows, DEPTH, vectors + left * VECTORS, pairs, low);
        dot(highs[0], rows, DEPTH, vectors + left * VECTORS, pairs, high);
    }
}

static int compare_rows(const inos_check *job, int64_t first, int64_t last)
{
    int64_t sums[3][BLOCK_ROWS * VECTORS], low[BLOCK_ROWS * VECTORS], high[BLOCK_ROWS * VECTORS];
    for (int64_t top = first; top < last; top += BLOCK_ROWS) {
        const int64_t rows = inos_min(BLOCK_ROWS, last - top);
        take_rows(job, top, rows);
        memset(sums, 0, sizeof sums);
        memset(low, 0, sizeof low);
        memset(high, 0, sizeof high);
        multiply_x(job, top, rows, sums);
        multiply_y(job, top, rows, low, high);
        /* Both sides stay below 2^60, so that unsigned arithmetic modulo 2^64 compares them exactly. */
        for (int64_t at = 0; at < rows * VECTORS; at++) {
            const uint64_t left = (uint64_t)sums[0][at] + ((uint64_t)sums[1][at] << 16) + ((uint64_t)sums[2][at] << 32);
            const uint64_t base = (uint64_t)job->sums_r[at % VECTORS] << 15;
            const uint64_t right = (uint64_t)low[at] + ((uint64_t)high[at] << 16) + base;
            if (left != right)
                return 0;
        }
    }
    return 1;
}
#endif

static void start_check(inos_check *job)
{
    memset(job->sums_r, 0, sizeof job->sums_r);
    memset(job->sums_p, 0, sizeof job->sums_p);
    form_r(job);
}

static void project(inos_check *job)
{
    for (int64_t first; (first = __atomic_fetch_add(&job->next, PROJECT_COLUMNS, __ATOMIC_RELAXED)) < job->k;)
        project_columns(job, first, inos_min(first + PROJECT_COLUMNS, job->k));
}

static void compare(inos_check *job)
{
    for (int64_t first; (first = __atomic_fetch_add(&job->next, COMPARED_ROWS, __ATOMIC_RELAXED)) < job->m;) {
        if (__atomic_load_n(&job->is_wrong, __ATOMIC_RELAXED))
            return;
        if (!compare_rows(job, first, inos_min(first + COMPARED_ROWS, job->m)))
            __atomic_store_n(&job->is_wrong, 1, __ATOMIC_RELAXED);
    }
}
