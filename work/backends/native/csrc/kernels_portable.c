/* Kernels in plain C, for any processor that the compiler builds for. */
#include "inos_native.h"
#include "generic.h"
#include "plain.h"
#include "engine.h"

static int is_supported(void)
{
    return 1;
}

const inos_kernels inos_portable = INOS_KERNELS("portable");
