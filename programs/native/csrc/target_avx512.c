/* Chains for x86-64 with AVX512. */
#if defined(__x86_64__)
#include "target.h"
INOS_TARGET("avx512f,avx512bw,avx512dq,avx512vl,bmi2,fma,avx2,prefer-vector-width=512")
#include "lanes.h"
#include "simd512.h"
#include "chain.h"
#include "products.h"

static int is_supported(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma");
}

const inos_target inos_avx512 = {"avx512", is_supported, run_chain, multiply, convert};
INOS_TARGET_END
#endif
