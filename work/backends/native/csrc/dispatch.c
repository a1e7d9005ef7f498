/* The table of the compiled kernels, best first. */
#include <stddef.h>

#include "inos_native.h"

static const inos_kernels *const kernels[] = {
#ifdef INOS_HAS_AMX
    &inos_amx,
#endif
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

void inos_run_draw_perms(int kernel, const uint32_t *seed, int64_t first, int64_t last, uint8_t *perms,
                         uint8_t *inverse)
{
    kernels[kernel]->draw_perms(seed, first, last, perms, inverse);
}

void inos_run_keep(int kernel, inos_slab *slab)
{
    kernels[kernel]->keep(slab);
}

int inos_run_multiply(int kernel, inos_slab *slab, inos_worker *worker)
{
    return kernels[kernel]->multiply(slab, worker);
}

int64_t inos_products_bytes(int kernel, const inos_products *job)
{
    return kernels[kernel]->products_bytes(job);
}

int inos_run_products(int kernel, inos_products *job)
{
    return kernels[kernel]->run_products(job);
}

void inos_run_hash_leaves(int kernel, inos_leaves *job)
{
    kernels[kernel]->hash_leaves(job);
}

void inos_run_hash_parents(int kernel, const uint8_t *nodes, int64_t count, const char *context, uint8_t *parents)
{
    kernels[kernel]->hash_parents(nodes, count, context, parents);
}

int inos_r_row_bytes(int kernel)
{
    return kernels[kernel]->r_row_bytes;
}

int inos_p_row_bytes(int kernel)
{
    return kernels[kernel]->p_row_bytes;
}

void inos_run_start_check(int kernel, inos_check *job)
{
    kernels[kernel]->start_check(job);
}

void inos_run_project(int kernel, inos_check *job)
{
    kernels[kernel]->project(job);
}

void inos_run_form_p(int kernel, inos_check *job)
{
    kernels[kernel]->form_p(job);
}

void inos_run_compare(int kernel, inos_check *job)
{
    kernels[kernel]->compare(job);
}

int inos_run_verify(int kernel, const inos_proof *proof)
{
    return kernels[kernel]->verify(proof);
}

void inos_run_measure_rows(int kernel, inos_floats *job)
{
    kernels[kernel]->measure_rows(job);
}

void inos_run_split_rows(int kernel, inos_floats *job)
{
    kernels[kernel]->split_rows(job);
}

void inos_run_find_least(int kernel, inos_least *job)
{
    kernels[kernel]->find_least(job);
}

void inos_run_reduce_product(int kernel, inos_reduced *job)
{
    kernels[kernel]->reduce_product(job);
}

void inos_run_join_rows(int kernel, inos_joined *job)
{
    kernels[kernel]->join_rows(job);
}

void inos_run_quantise_rows(int kernel, inos_quantised *job)
{
    kernels[kernel]->quantise_rows(job);
}

void inos_run_scale_product(int kernel, inos_scaled *job)
{
    kernels[kernel]->scale_product(job);
}

int64_t inos_run_limit(int kernel, int64_t rounds)
{
    return kernels[kernel]->run_limit(rounds);
}
