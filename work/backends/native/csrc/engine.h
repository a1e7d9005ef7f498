/* Everything that is compiled once per processor. The including file selects the processor, and provides product and
 * peeling. */
#include "freivalds.h"
#include "blake3.h"
#include "noise.h"
#include "pack.h"
#include "tickets.h"
#include "leaves.h"
#include "tile.h"
#include "slab.h"
#include "identity.h"
#include "verify.h"
#include "products.h"
#include "residues.h"
#include "quantised.h"

#define INOS_KERNELS(name) \
    {name, is_supported, X_SCALE, draw_perms, keep, multiply, products_bytes, run_products, hash_leaves, hash_parents, \
     R_ROW_BYTES, P_ROW_BYTES, start_check, project, form_p, compare, verify, \
     measure_rows, split_rows, find_least, reduce_product, join_rows, \
     quantise_rows, scale_product, run_limit}
