/* The table of kernels compiled in, best first. */
#include <stddef.h>

#include "inos_native.h"

static const inos_kernels *const kernels[] = {
#if defined(__x86_64__)
    &inos_avx512vbmi, &inos_avx512, &inos_avxvnni, &inos_avx2,
#elif defined(__aarch64__)
    &inos_i8mm, &inos_dotprod,
#endif
    &inos_portable,
};

int inos_count(void)
{
    return (int)(sizeof kernels / sizeof kernels[0]);
}

const char *inos_name(int kernel)
{
    return kernels[kernel]->name;
}

int inos_is_supported(int kernel)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
#endif
    return kernels[kernel]->is_supported();
}

int inos_x_scale(int kernel)
{
    return kernels[kernel]->x_scale;
}

int64_t inos_run_hash_leaves(int kernel, const int8_t *raw, int64_t rows, int64_t cols, int64_t first, int64_t last,
                             const char *context, uint8_t *leaves, const int *stop)
{
    return kernels[kernel]->hash_leaves(raw, rows, cols, first, last, context, leaves, stop);
}

void inos_run_pack(int kernel, const inos_pack *job)
{
    kernels[kernel]->pack(job);
}

void inos_run_sum_w(int kernel, const int8_t *packed, int64_t strips, int64_t panels, const uint8_t *noise,
                    const uint8_t *inverse, int16_t *peel, const int *stop)
{
    kernels[kernel]->sum_w(packed, strips, panels, noise, inverse, peel, stop);
}

void inos_run_tile(int kernel, inos_tile *job)
{
    kernels[kernel]->tile(job);
}

void inos_run_project(int kernel, const int8_t *w, int64_t n, int64_t k, const int16_t *vectors, int64_t stride,
                      int64_t first, int64_t last, int64_t *out)
{
    kernels[kernel]->project(w, n, k, vectors, stride, first, last, out);
}

int inos_run_check(int kernel, const inos_check *job, int64_t first, int64_t last)
{
    return kernels[kernel]->check(job, first, last);
}
