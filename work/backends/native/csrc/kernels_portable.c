/* Plain C for whatever processor the compiler builds for. */
#include "inos_native.h"
#include "generic.h"
#include "plain.h"
#include "freivalds.h"
#include "pack.h"
#include "blake3.h"
#include "leaves.h"
#include "tickets.h"
#include "tile.h"

static int is_supported(void)
{
    return 1;
}

const inos_kernels inos_portable = {"portable", is_supported, X_SCALE, pack, sum_w, hash_leaves, tile, project, check};
