/* Arm with i8mm. */
#if defined(__aarch64__)
#if defined(__linux__)
#include <sys/auxv.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#endif
#include "target.h"
INOS_TARGET("arch=armv8.2-a+dotprod+i8mm")
#define INOS_I8MM
#include "inos_native.h"
#include "arm.h"
#include "plain.h"
#include "engine.h"

#ifndef HWCAP2_I8MM
#define HWCAP2_I8MM (1ul << 13)
#endif

static int is_supported(void)
{
#if defined(__linux__)
    return (getauxval(AT_HWCAP2) & HWCAP2_I8MM) != 0;
#elif defined(__APPLE__)
    int has = 0;
    size_t size = sizeof has;
    return sysctlbyname("hw.optional.arm.FEAT_I8MM", &has, &size, 0, 0) == 0 && has;
#else
    return 0;
#endif
}

const inos_kernels inos_i8mm = INOS_KERNELS("i8mm");
INOS_TARGET_END
#endif
