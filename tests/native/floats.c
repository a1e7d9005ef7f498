/* Checks the steps of float products on every kernel: rows are measured, split and joined, products reduced. Numbers are
 * whole, so that remainders of integers say what must come out. Buffers have the exact size. */
#include <stdlib.h>
#include <string.h>

#include "floats.h"

#define M 21
#define K 531
#define MODULI 6

static const int32_t moduli[MODULI] = {128, 127, 125, 123, 121, 119};

static void *allocate(size_t bytes)
{
    void *memory = malloc(bytes);
    if (!memory)
        exit(2);
    return memset(memory, 0, bytes);
}

/* A number of up to 40 bits, or 20 if it has to be exact as float; the matrix is stored by rows or by columns. */
static int64_t make_entry(int64_t row, int64_t col, int is_single)
{
    const uint64_t mixed = ((uint64_t)row * 1000003u + (uint64_t)col + 1) * 0x9e3779b97f4a7c15u;
    return ((int64_t)mixed >> (is_single ? 44 : 24)) * (row != 3);
}

static int checks_rows(int kernel, int is_single, int by_cols)
{
    inos_floats job = {.is_single = is_single, .rows = M, .cols = K, .row_step = by_cols ? 1 : K, .col_step = by_cols ? M : 1,
                       .digits = is_single ? 2 : 3, .moduli = moduli, .count = MODULI, .plane = M * K};
    void *entries = allocate(M * K * (is_single ? sizeof(float) : sizeof(double)));
    int32_t *shifts = allocate(M * sizeof *shifts);
    for (int64_t r = 0; r < M; r++)
        for (int64_t c = 0; c < K; c++) {
            const int64_t at = r * job.row_step + c * job.col_step;
            if (is_single)
                ((float *)entries)[at] = (float)make_entry(r, c, 1);
            else
                ((double *)entries)[at] = (double)make_entry(r, c, 0);
        }
    job.entries = entries, job.shifts = shifts;
    job.measured = allocate(M * 4 * sizeof(double)), job.leading = allocate(M * K);
    job.residues = allocate(MODULI * M * K);
    inos_run_measure_rows(kernel, &job);
    job.next = 0;
    inos_run_split_rows(kernel, &job);
    int is_right = job.measured[3 * 4] == 0 && isinf(job.measured[3 * 4 + 3]);
    for (int64_t r = 0; r < M; r++) {
        double sum = 0, most = 0;
        for (int64_t c = 0; c < K; c++) {
            const int64_t entry = make_entry(r, c, is_single);
            const double size = (double)(entry < 0 ? -entry : entry);
            sum += size, most = size > most ? size : most;
            for (int64_t at = 0; at < MODULI; at++) {
                const int8_t residue = job.residues[(at * M + r) * K + c];
                is_right &= (entry - residue) % moduli[at] == 0 && residue >= -64 && residue <= 63;
            }
        }
        const int exponent = most > 0 ? ilogb(most) + 1 : 0;
        for (int64_t c = 0; c < K; c++)
            is_right &= job.leading[r * K + c] == (int)ldexp(fabs((double)make_entry(r, c, is_single)), 6 - exponent);
        is_right &= job.measured[4 * r] == most && fabs(job.measured[4 * r + 1] - sum) <= 1e-12 * sum;
    }
    free(entries), free(shifts), free(job.measured), free(job.leading), free(job.residues);
    return is_right;
}

/* Numbers between -M/2 and M/2, whose M has less than 42 bits: one limb holds everything, and the other one is zero. */
static int checks_joining(int kernel, int is_single)
{
    int64_t product = 1;
    for (int at = 0; at < MODULI; at++)
        product *= moduli[at];
    inos_joined job = {.rows = M, .cols = K, .count = MODULI, .plane = M * K, .limbs = 2, .product = {(double)product},
                       .inverse = 4398046511104.0 / (double)product, .is_single = is_single, .out_step = K};
    double *weights = allocate(MODULI * 4 * sizeof(double)), *scales = allocate((M + K) * sizeof(double));
    int8_t *residues = allocate(MODULI * M * K);
    for (int at = 0; at < MODULI; at++) {
        int64_t other = product / moduli[at], inverse = 1;
        while (other % moduli[at] * inverse % moduli[at] != 1)
            inverse++;
        const int64_t weight = other * inverse;
        weights[4 * at] = (double)(2 * weight > product ? weight - product : weight);
        for (int64_t entry = 0; entry < M * K; entry++) {
            int64_t rest = make_entry(entry / K, entry % K, is_single) % moduli[at];
            rest -= rest > 63 ? moduli[at] : 0;
            residues[at * M * K + entry] = (int8_t)(rest < -64 ? rest + moduli[at] : rest);
        }
    }
    for (int at = 0; at < M + K; at++)
        scales[at] = at < M ? 4 : 0.25;
    job.residues = residues, job.weights = weights, job.row_scales = scales, job.col_scales = scales + M;
    job.out = allocate(M * K * (is_single ? sizeof(float) : sizeof(double)));
    inos_run_join_rows(kernel, &job);
    int is_right = 1;
    for (int64_t at = 0; at < M * K; at++) {
        const double found = is_single ? (double)((float *)job.out)[at] : ((double *)job.out)[at];
        is_right &= found == (double)make_entry(at / K, at % K, is_single);
    }
    free(weights), free(scales), free(residues), free(job.out);
    return is_right;
}

static int checks_products(int kernel)
{
    int32_t *product = allocate(M * K * sizeof *product);
    float *weights = allocate((2 * M + 2 * K) * sizeof(float)), *least = allocate((M + K) * sizeof(float));
    int8_t *out = allocate(M * K);
    for (int64_t at = 0; at < M * K; at++)
        product[at] = (int32_t)(make_entry(at / K, at % K, 0) >> 12);
    for (int at = 0; at < 2 * M + 2 * K; at++)
        weights[at] = at < M || (at >= 2 * M && at < 2 * M + K) ? 0.5f : 1.0f;
    inos_least job = {.product = product, .rows = M, .cols = K, .row_weights = weights, .row_extra = weights + M,
                      .col_weights = weights + 2 * M, .col_extra = weights + 2 * M + K, .least_of_rows = least,
                      .least_of_cols = least + M};
    inos_run_find_least(kernel, &job);
    int is_right = 1;
    for (int64_t r = 0; r < M; r++) {
        float expected = HUGE_VALF;
        for (int64_t c = 0; c < K; c++)
            expected = fminf(expected, (float)product[r * K + c] * 0.5f + 1.0f);
        is_right &= least[r] == expected;
    }
    for (int64_t c = 0; c < K; c++) {
        float expected = HUGE_VALF;
        for (int64_t r = 0; r < M; r++)
            expected = fminf(expected, (float)product[r * K + c] * 0.5f + 1.0f);
        is_right &= least[M + c] == expected;
    }
    for (int adds = 0; adds < 2; adds++) {
        inos_reduced reduced = {.product = product, .count = M * K, .modulus = 113, .adds = adds, .out = out};
        inos_run_reduce_product(kernel, &reduced);
        for (int64_t at = 0; at < M * K; at++)
            is_right &= ((adds + 1) * (int64_t)product[at] - out[at]) % 113 == 0 && abs(out[at]) <= 112;
    }
    free(product), free(weights), free(least), free(out);
    return is_right;
}

static int checks_layers(int kernel)
{
    float *entries = allocate(M * K * sizeof(float)), *scales = allocate((M + 2 * K) * sizeof(float));
    float *out = allocate(M * K * sizeof(float));
    int8_t *quantised = allocate(M * K);
    int32_t *product = allocate(M * K * sizeof *product);
    for (int64_t at = 0; at < M * K; at++)
        entries[at] = (float)make_entry(at / K, at % K, 1);
    inos_quantised layer = {.entries = entries, .rows = M, .cols = K, .out = quantised, .scales = scales};
    inos_run_quantise_rows(kernel, &layer);
    for (int64_t c = 0; c < K; c++)
        scales[M + c] = 2, scales[M + K + c] = 1;
    for (int64_t at = 0; at < M * K; at++)
        product[at] = quantised[at];
    inos_scaled back = {.product = product, .rows = M, .cols = K, .row_scales = scales, .col_scales = scales + M,
                        .bias = scales + M + K, .out = out};
    inos_run_scale_product(kernel, &back);
    int is_right = inos_run_limit(kernel, 3) >= 0;
    for (int64_t at = 0; at < M * K; at++)
        is_right &= abs(quantised[at]) <= 63 && fabsf(out[at] - 1 - 2 * entries[at]) <= 1.01f * scales[at / K];
    free(entries), free(scales), free(out), free(quantised), free(product);
    return is_right;
}

int checks_floats(int kernel)
{
    int is_right = checks_products(kernel) && checks_layers(kernel);
    for (int is_single = 0; is_single < 2; is_single++)
        is_right &= checks_rows(kernel, is_single, 0) && checks_rows(kernel, is_single, 1) &&
                    checks_joining(kernel, is_single);
    return is_right;
}
