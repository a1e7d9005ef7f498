/* Chains for x86-64 with AVX2. */
#if defined(__x86_64__)
#include "target.h"
INOS_TARGET("avx2,fma,bmi2")
#include "lanes.h"
#include "simd2.h"
#include "chain.h"
#include "products.h"

static int is_supported(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
}

const inos_target inos_avx2 = {"avx2", is_supported, run_chain, multiply, convert};
INOS_TARGET_END
#endif
