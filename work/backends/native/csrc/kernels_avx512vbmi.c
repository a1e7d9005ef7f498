/* AVX512-VNNI with VBMI (Ice Lake, Zen 4 and later). */
#if defined(__x86_64__)
#include "target.h"
INOS_TARGET("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vbmi,bmi2,fma,avx2")
#define INOS_VBMI
#include "inos_native.h"
#include "avx512.h"
#include "vnni512.h"
#include "engine.h"

static int is_supported(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vbmi") &&
           __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma");
}

const inos_kernels inos_avx512vbmi = INOS_KERNELS("avx512vbmi");
INOS_TARGET_END
#endif
