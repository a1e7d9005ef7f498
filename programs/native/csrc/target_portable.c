/* Chains in plain C, for any processor that the compiler builds for; 64-bit Arm has NEON without asking for it. */
#include "lanes.h"
#include "plain.h"
#include "chain.h"
#include "products.h"

static int is_supported(void)
{
    return 1;
}

const inos_target inos_portable = {"portable", is_supported, run_chain, multiply, convert};
