/* AMX for bytes, and AVX512-VNNI with VBMI for all but the products (Sapphire Rapids and later). Linux lends the tiles to
 * a process that asks for them, so that it knows how much to save of each thread. */
#include "inos_native.h"
#ifdef INOS_HAS_AMX
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "target.h"
INOS_TARGET("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vbmi,bmi2,fma,avx2,xsave")
#define INOS_VBMI
#include "avx512.h"
#include "amx.h"
#include "engine.h"

#define ASK_FOR_STATE 0x1023 /* ARCH_REQ_XCOMP_PERM of arch_prctl */
#define TILE_DATA 18         /* the place of the tiles' contents in the saved state; 17 is that of their shapes */

static int has_instructions(void)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> 24 & 3) == 3; /* AMX-TILE and AMX-INT8 */
}

/* The one kind of tiles there is must have eight of 16 rows of 64 bytes. */
static int has_full_tiles(void)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(0x1d, 1, &a, &b, &c, &d) && a >> 16 >= 1024 && (b & 0xffff) == 64 && b >> 16 >= 8
        && (c & 0xffff) == 16;
}

static int saves_tiles(void)
{
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 27 & 1)) /* OSXSAVE */
        return 0;
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low >> (TILE_DATA - 1) & 3) == 3;
}

/* Asks once for all threads of this process, those to come included. Threads that ask at the same time get one answer. */
static int gets_tiles(void)
{
    enum { UNKNOWN, REFUSED, LENT };
    static int answer = UNKNOWN;
    int known = __atomic_load_n(&answer, __ATOMIC_RELAXED);
    if (known == UNKNOWN) {
        known = syscall(SYS_arch_prctl, ASK_FOR_STATE, TILE_DATA) == 0 ? LENT : REFUSED;
        __atomic_store_n(&answer, known, __ATOMIC_RELAXED);
    }
    return known == LENT;
}

static int is_supported(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vbmi") &&
           __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma") && has_instructions() &&
           has_full_tiles() && saves_tiles() && gets_tiles();
}

const inos_kernels inos_amx = INOS_KERNELS("amx");
INOS_TARGET_END
#endif
