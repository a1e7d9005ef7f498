/* Arm with dotprod. */
#if defined(__aarch64__)
#if defined(__linux__)
#include <sys/auxv.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#endif
#include "target.h"
INOS_TARGET("arch=armv8.2-a+dotprod")
#include "inos_native.h"
#include "arm.h"
#include "plain.h"
#include "engine.h"

#ifndef HWCAP_ASIMDDP
#define HWCAP_ASIMDDP (1ul << 20)
#endif

static int is_supported(void)
{
#if defined(__linux__)
    return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#elif defined(__APPLE__)
    int has = 0;
    size_t size = sizeof has;
    return sysctlbyname("hw.optional.arm.FEAT_DotProd", &has, &size, 0, 0) == 0 && has;
#else
    return 0;
#endif
}

const inos_kernels inos_dotprod = INOS_KERNELS("dotprod");
INOS_TARGET_END
#endif
