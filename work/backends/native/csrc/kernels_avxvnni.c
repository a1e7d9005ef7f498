/* AVX-VNNI (Alder Lake, Zen 5). */
#if defined(__x86_64__)
#include <cpuid.h>
#include "target.h"
INOS_TARGET("avx2,avxvnni,fma,bmi2")
#include "inos_native.h"
#define INOS_AVXVNNI
#include "avx2.h"
#include "engine.h"

/* Bit 4 of EAX of leaf 7.1 reports AVX-VNNI. Compilers learned its name late. Leaf 7 says whether leaf 7.1 exists. */
static int inos_has_avxvnni(void)
{
    unsigned a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || a < 1)
        return 0;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1);
}

static int is_supported(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2") &&
           inos_has_avxvnni();
}

const inos_kernels inos_avxvnni = INOS_KERNELS("avxvnni");
INOS_TARGET_END
#endif
