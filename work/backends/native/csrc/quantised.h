/* Rows of float32 as int7 entries with one scale each, and products of those as float32 again: one pass each. */

#define QUANTISED_ROWS 16
#define LARGEST_ENTRY 63

static void quantise_rows(inos_quantised *job)
{
    const int64_t k = job->cols;
    for (int64_t top; (top = __atomic_fetch_add(&job->next, QUANTISED_ROWS, __ATOMIC_RELAXED)) < job->rows;)
        for (int64_t r = top; r < inos_min(top + QUANTISED_ROWS, job->rows); r++) {
            const float *row = job->entries + r * k;
            int8_t *restrict out = job->out + r * k;
            int32_t most = 0; /* magnitudes compare like their bits */
            float scale;
            for (int64_t c = 0; c < k; c++) {
                int32_t bits;
                memcpy(&bits, row + c, 4);
                bits &= INT32_MAX;
                most = bits > most ? bits : most;
            }
            memcpy(&scale, &most, 4);
            scale = (scale < 1e-30f ? 1e-30f : scale) / LARGEST_ENTRY;
            job->scales[r] = scale;
            for (int64_t c = 0; c < k; c++) {
                float entry = row[c] / scale;
                entry = entry < LARGEST_ENTRY ? entry : LARGEST_ENTRY; /* NaN too, which has no integer */
                entry = entry > -LARGEST_ENTRY ? entry : -LARGEST_ENTRY;
                out[c] = (int8_t)(int32_t)(entry + ROUND_FLOAT - ROUND_FLOAT);
            }
        }
}

static void scale_product(inos_scaled *job)
{
    const int64_t n = job->cols;
    for (int64_t top; (top = __atomic_fetch_add(&job->next, QUANTISED_ROWS, __ATOMIC_RELAXED)) < job->rows;)
        for (int64_t r = top; r < inos_min(top + QUANTISED_ROWS, job->rows); r++) {
            const int32_t *product = job->product + r * n;
            const float scale = job->row_scales[r];
            float *restrict out = job->out + r * n;
            for (int64_t c = 0; c < n; c++)
                out[c] = (float)product[c] * (scale * job->col_scales[c]) + job->bias[c];
        }
}
