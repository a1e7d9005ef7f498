/* The part of the kernels that Python calls. cffi reads this file as well as the compiler, so it has no preprocessor
 * lines. */

/* One operand under its noise, over panels [first_panel, last_panel). */
typedef struct {
    const int8_t *raw;      /* whole matrix, rows x cols, row-major */
    int64_t rows, cols;
    int64_t first_panel, last_panel;
    const uint8_t *perms;   /* permutations of all steps, 64 bytes each: P_b or Q_b */
    const uint8_t *inverse; /* the same number of inverses of the other operand's permutations */
    uint32_t seed[8];
    int32_t is_x;
    int32_t is_bare;        /* for benchmarks: no noise, fold, hashes or peeling */
} inos_side;

/* Some strips of X times some of W, over the sides' panels. All threads share this struct. */
typedef struct {
    inos_side x, w;
    int32_t keeps_x;        /* 1: X's strips are packed beforehand and W's are streamed; 0: the other way round */
    int64_t kept_first, kept_last, streamed_first, streamed_last;
    int32_t is_packed;      /* W was packed before, under another X, so only its sums for peeling are new */
    uint8_t *kept;          /* [strip][panel], 16 KiB each, of X times inos_x_scale */
    int16_t *kept_peel;     /* 4 KiB per strip */
    int64_t tile_kept, tile_streamed; /* number of strips in a tile; their product is at most 256 */
    int64_t threads;
    int64_t next;           /* next strip that a thread takes, from kept_first or streamed_first on */
    int32_t *out;           /* all columns of the product, from strip `out_first` of X on; 0 if only tickets are wanted */
    int64_t out_first;
    int32_t adds;           /* `out` already contains earlier panels */
    int32_t modulus;        /* not 0: entries are reduced by it, as of inos_reduced, and written to `reduced`, not `out` */
    int8_t *reduced;
    uint32_t target[8];     /* most significant first */
    const int *stop;
} inos_slab;

/* A block of strips of X, from i on, and of W, from j on. */
typedef struct {
    int64_t i, x_strips, j, w_strips;
    int32_t keeps_x;
    const uint8_t *x;
    const int16_t *peel_x;
    const int8_t *w;
    const int16_t *peel_w;
} inos_tile;

/* The memory and the progress of one thread. kept_at, kept_last and panels_left are 0 before each product. */
typedef struct {
    uint8_t *packed;        /* tile_streamed strips of the streamed side */
    int16_t *peel;
    int32_t *scratch;       /* 1 KiB for each ticket of a panel of a tile */
    uint32_t *wins;         /* room for all tickets of a panel of a tile; i, j, p and the digest's 8 words each */
    int64_t win_count, tickets;
    int64_t first, count, kept_at, kept_last;
    inos_tile tile;
    int64_t panels_left;    /* of the tile */
} inos_worker;

/* Whole products of blocks, X_b * W_b^T, each by one thread: it hashes the operands, draws their noise, multiplies and
 * draws the tickets. All blocks have the same shape, and at most 16 panels. */
typedef struct inos_products {
    const int8_t *x, *w;    /* blocks x rows x cols, row-major */
    int64_t x_rows, w_rows, cols; /* of one block */
    int64_t x_plane, w_plane, out_plane; /* entries from one block to the next; 0 if they lie side by side */
    int64_t first, last;    /* the blocks that are multiplied */
    const uint8_t *anchor;  /* 32 bytes */
    uint32_t target[8];     /* most significant first */
    int32_t w_known;        /* 0: nothing of W; 1: the ids; 2: seeds and permutations under this anchor too */
    uint8_t *w_ids, *w_seeds; /* 32 bytes for each block */
    uint8_t *w_perms, *w_inverse; /* permutations of all steps, 64 bytes each, for each block */
    int32_t keeps_x;        /* as of inos_slab */
    int64_t tile_streamed;
    uint8_t *memory;        /* inos_products_bytes, from a cache line on */
    int32_t *out;           /* blocks x x_rows x w_rows */
    const int32_t *moduli;  /* one for each block, 37 .. 128, or 0 */
    int8_t *reduced;        /* with moduli: products are reduced, as of inos_reduced, and written here in place of `out` */
    uint8_t *has_won;       /* for each block: 1 if a ticket is a win */
    int64_t tickets;        /* drawn by this call */
    /* Threads that share the blocks have one struct each, side by side. The last products are shared too, by threads
     * that find no block left. */
    struct inos_products *team; /* 0 if there is one thread */
    int64_t threads;        /* in the team */
    int64_t next;           /* of the team's first: the next block that a thread takes, `first` before */
    int32_t is_open;        /* other threads may take strips from `slab`; 0 before */
    int64_t opened;         /* the block of `slab` */
    inos_slab slab;
} inos_products;

/* An int8 matrix that several threads hash. */
typedef struct {
    const int8_t *raw;
    int64_t rows, cols;
    const char *context;    /* at most 64 bytes */
    uint8_t *leaves;        /* 32 bytes each, strip by strip */
    int64_t next;
    int32_t is_bad;         /* an entry is outside -64 .. 63 */
    const int *stop;
} inos_leaves;

/* One operand of a certificate. Its numbers are in the protocol's ranges for a matrix, and strip and panel are not
 * negative. */
typedef struct {
    int64_t rows, cols;
    const uint8_t *id, *root; /* 32 bytes each */
    int64_t strip;
    const int8_t *data;     /* 16 x 1024 */
    const uint8_t *path;    /* 32 bytes each */
    int64_t path_length;
    int32_t is_own;         /* the strip is of a matrix that the caller has: neither its path nor padding is checked */
} inos_opened;

typedef struct {
    inos_opened x, w;
    int64_t panel;
    const uint8_t *anchor, *target, *digest; /* 32 bytes each; target and digest big-endian */
} inos_proof;

/* Freivalds' check, in the order of its functions below. */
typedef struct {
    const int8_t *x, *w;    /* m x k, n x k */
    int32_t *y;             /* m x n */
    const int32_t *source;  /* Y is copied from there before it is checked; 0 if it is there already */
    int64_t m, n, k;
    const uint8_t *vectors; /* R: n x 16 */
    int64_t *projected;     /* W^T R: k x 16, zero at first */
    uint8_t *form_r;        /* room for R in the kernel's layout: inos_r_row_bytes for each row of n + 63 */
    uint8_t *form_p;        /* the same for W^T R: inos_p_row_bytes for each row of k + 63 */
    int64_t limbs;
    int64_t sums_r[16], sums_p[16];
    int64_t next;           /* 0 before project and before compare */
    int32_t is_wrong;
} inos_check;

/* A matrix of floats, and what is made of it row by row. */
typedef struct {
    const void *entries;    /* float if is_single, else double; finite */
    int32_t is_single;
    int64_t rows, cols, row_step, col_step; /* steps in entries */
    double *measured;       /* 4 per row: the largest magnitude, their sum, that of their squares, the lowest bit set */
    int8_t *leading;        /* rows x cols: the integer part of magnitude / 2^e * 64, where all of a row are below 2^e */
    const int32_t *shifts;  /* a row is multiplied by 2^shift and rounded to integers below 2^62 */
    int64_t digits;         /* so many digits to base 2^16 hold each of these integers, 1 .. 4 */
    const int32_t *moduli;  /* 2 .. 128 */
    int64_t count;          /* number of moduli, at most 32 */
    int8_t *residues;       /* count x rows x cols, -64 .. 63 */
    int64_t plane;          /* entries from one modulus to the next */
    int64_t next;           /* 0 before each function */
} inos_floats;

/* The least of product * weight + extra along both sides of a product. */
typedef struct {
    const int32_t *product;
    int64_t rows, cols;
    const float *row_weights, *row_extra, *col_weights, *col_extra;
    float *least_of_rows;   /* over the columns, by their weights */
    float *least_of_cols;   /* over 64 rows each, by their weights: ceil(rows / 64) x cols */
    int64_t next;
} inos_least;

/* A product that is reduced modulo a number. */
typedef struct {
    const int32_t *product;
    int64_t count;
    int32_t modulus;        /* 37 .. 128 */
    int32_t adds;           /* `out` holds the residues of an earlier piece of the depth */
    int8_t *out;
    int64_t next;
} inos_reduced;

/* Residues that become one number each, between -M/2 and M/2, times a power of two for its row and its column. */
typedef struct {
    const int8_t *residues; /* count x rows x cols, at most 32 */
    int64_t rows, cols, count;
    int64_t plane;          /* entries from one modulus to the next */
    int64_t limbs;          /* 2 .. 4; a number is the sum of limb * 2^(42 * its place), and limbs are signed */
    const double *weights;  /* 4 limbs for each modulus */
    double product[4];      /* the limbs of M */
    double inverse;         /* 2^(42 * (limbs - 1)) / M */
    const double *row_scales, *col_scales;
    void *out;              /* float if is_single, else double */
    int32_t is_single;
    int64_t out_step;       /* entries from one row of `out` to the next */
    int64_t next;
} inos_joined;

/* Rows that become int7 entries times one scale each. */
typedef struct {
    const float *entries;   /* rows x cols */
    int64_t rows, cols;
    int8_t *out;            /* -63 .. 63 */
    float *scales;          /* the largest magnitude of each row / 63 */
    int64_t next;
} inos_quantised;

/* A product of such matrices that becomes float32 again: product * (row scale * column scale) + bias. */
typedef struct {
    const int32_t *product; /* rows x cols */
    int64_t rows, cols;
    const float *row_scales, *col_scales, *bias;
    float *out;
    int64_t next;
} inos_scaled;

/* The kernels that were compiled, best first. The other functions take their index. */
int inos_count(void);
const char *inos_name(int kernel);
int inos_is_supported(int kernel);
int inos_x_scale(int kernel);

/* Draws the permutations of steps [first, last) from a seed, and their inverses: 64 bytes each. */
void inos_run_draw_perms(int kernel, const uint32_t *seed, int64_t first, int64_t last, uint8_t *perms,
                         uint8_t *inverse);
/* Each thread calls both functions: first keep, and when all have returned, multiply. Multiply returns 1 if there are
 * wins to report and it must be called again, and 0 at the end and if `stop` was set. */
void inos_run_keep(int kernel, inos_slab *slab);
int inos_run_multiply(int kernel, inos_slab *slab, inos_worker *worker);

/* The bytes of memory that inos_run_products needs. */
int64_t inos_products_bytes(int kernel, const inos_products *job);
/* Returns 1, or 0 if an operand has an entry outside -64 .. 63. */
int inos_run_products(int kernel, inos_products *job);

void inos_run_hash_leaves(int kernel, inos_leaves *job);
/* Hashes `count` nodes of 32 bytes into the level above. */
void inos_run_hash_parents(int kernel, const uint8_t *nodes, int64_t count, const char *context, uint8_t *parents);

int inos_r_row_bytes(int kernel);
int inos_p_row_bytes(int kernel);
void inos_run_start_check(int kernel, inos_check *job);
void inos_run_project(int kernel, inos_check *job);   /* in each thread */
void inos_run_form_p(int kernel, inos_check *job);
void inos_run_compare(int kernel, inos_check *job);   /* in each thread */

/* Returns whether a certificate is valid. */
int inos_run_verify(int kernel, const inos_proof *proof);

/* Products of floats by residues; each function is called in each thread. */
void inos_run_measure_rows(int kernel, inos_floats *job);
void inos_run_split_rows(int kernel, inos_floats *job);
void inos_run_find_least(int kernel, inos_least *job);
void inos_run_reduce_product(int kernel, inos_reduced *job);
void inos_run_join_rows(int kernel, inos_joined *job);

/* Layers on int7 operands; each function is called in each thread. */
void inos_run_quantise_rows(int kernel, inos_quantised *job);
void inos_run_scale_product(int kernel, inos_scaled *job);

/* Multiplies `rounds` times as many numbers in registers as the processor can have under way, and returns how many
 * multiplications that were: the speed of which no product can be faster. It returns 0 if the kernel has no such loop. */
int64_t inos_run_limit(int kernel, int64_t rounds);
