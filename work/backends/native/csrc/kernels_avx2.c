/* AVX2 alone (Haswell, Zen 1 to 4 without AVX512). */
#if defined(__x86_64__)
#include "target.h"
INOS_TARGET("avx2,fma,bmi2")
#include "inos_native.h"
#include "avx2.h"
#include "engine.h"

static int is_supported(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
}

const inos_kernels inos_avx2 = INOS_KERNELS("avx2");
INOS_TARGET_END
#endif
