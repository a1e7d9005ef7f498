/* What Python sees. Read by cffi as well as by the compiler: no preprocessor lines here. */

/* Strips [first, last) of one operand to be noised and packed. */
typedef struct {
    const int8_t *raw;      /* whole matrix, rows x cols, row-major */
    int64_t rows, cols;
    int64_t first, last, panels;
    const uint8_t *noise;   /* strips' rows x 64: 64 + E_L, or F_L as bytes */
    const uint8_t *perms;   /* steps x 64: P_b or Q_b */
    const uint8_t *inverse; /* X only: steps x 64, inverse of Q_b; else NULL */
    uint8_t *packed;        /* strip `first` lies at its start */
    int16_t *peel;          /* X only: [strip][chunk][16 rows][128], negated */
    const int *stop;
} inos_pack;

/* x_strips of X' by w_strips of W', all panels; x_strips * w_strips <= MAX_TILE_TICKETS. */
typedef struct {
    const uint8_t *x;
    const int16_t *peel_x;
    const int8_t *w;
    const int16_t *peel_w;  /* [strip][chunk][64 pairs][16 rows][2] */
    int64_t x_strips, w_strips, panels;
    int32_t *scratch;       /* x_strips * w_strips * 256 */
    int32_t *out;           /* top left of the tile in the product */
    int64_t out_rows, out_cols, out_stride;
    uint32_t key[8];
    uint32_t target[8];     /* most significant first */
    const int *stop;
    uint32_t *wins;         /* room for x_strips * w_strips * panels wins */
    int64_t win_count;
    int64_t tickets;
    int32_t bare;           /* benchmarks: neither fold nor hash nor peel */
} inos_tile;

/* W^T R and the comparison of Freivalds' check, on blocks of rows or columns. */
typedef struct {
    const int8_t *x;        /* m x k */
    const int32_t *y;       /* m x n */
    int64_t k, n;
    const int16_t *vectors; /* R as int16, [pair of rows][16][2], a missing last row zero */
    const int16_t *limbs;   /* W^T R in signed 16-bit limbs, [limb][pair of rows][16][2] */
    int64_t limb_count;
    const int64_t *sums;    /* 2^15 times the column sums of R: 16 */
} inos_check;

/* The kernels compiled in, best first; the number is what the other functions take. */
int inos_count(void);
const char *inos_name(int kernel);
int inos_is_supported(int kernel);
int inos_x_scale(int kernel);

/* Leaves of an int8 matrix's strips [first, last), hashed under `context` (at most 64 bytes); returns how many
 * strips were hashed before one that has an entry outside -64 .. 63, or before `stop`. */
int64_t inos_run_hash_leaves(int kernel, const int8_t *raw, int64_t rows, int64_t cols, int64_t first, int64_t last,
                             const char *context, uint8_t *leaves, const int *stop);

void inos_run_pack(int kernel, const inos_pack *job);
/* W's side of the peeling from packed strips; peel: [strip][chunk][64 pairs][16 rows][2]. */
void inos_run_sum_w(int kernel, const int8_t *packed, int64_t strips, int64_t panels, const uint8_t *noise,
                    const uint8_t *inverse, int16_t *peel, const int *stop);
void inos_run_tile(int kernel, inos_tile *job);

/* out (k x 16) += W^T R for columns [first, last) of W; vectors: R transposed, 16 rows of `stride` int16,
 * zero beyond n. */
void inos_run_project(int kernel, const int8_t *w, int64_t n, int64_t k, const int16_t *vectors, int64_t stride,
                      int64_t first, int64_t last, int64_t *out);
/* Whether Y R = X (W^T R) in rows [first, last). */
int inos_run_check(int kernel, const inos_check *job, int64_t first, int64_t last);
