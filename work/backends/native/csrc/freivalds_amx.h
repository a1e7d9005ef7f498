/* The rows of both sides of Freivalds' check by AMX, 16 at a time. X's bytes and the digits of W^T R are signed. The
 * bytes of Y's entries are put apart, of which the lower three are unsigned; so no offset is to be corrected. The
 * including file provides `add_wide` and R and the digits in its layout, and this one the order of R's rows. */
#define BLOCK_BYTES (16 * 64)
/* 255 * 255 * 32768 < 2^31, so the products of this many columns are added up in int32. */
#define MAX_COLUMNS 32768

/* Where four rows of R lie among 16 times four: in the order in which `split_bytes` leaves columns of Y. */
static inline int64_t place_quad(int64_t quad)
{
    return quad / 16 * 16 + quad % 4 * 4 + quad % 16 / 4;
}

/* Puts the bytes of up to 64 entries apart, into one line of each of four blocks. */
static inline void split_bytes(const int32_t *row, int64_t cols, uint8_t *out)
{
    const __m512i order = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    __m512i part[4];
#pragma GCC unroll 4
    for (int q = 0; q < 4; q++) {
        const int64_t left = cols - 16 * q;
        const __mmask16 mask = left >= 16 ? 0xffff : left <= 0 ? 0 : (__mmask16)((1u << left) - 1);
        part[q] = _mm512_shuffle_epi8(_mm512_maskz_loadu_epi32(mask, row + 16 * q), order);
    }
    const __m512i a = _mm512_unpacklo_epi32(part[0], part[1]), b = _mm512_unpackhi_epi32(part[0], part[1]);
    const __m512i c = _mm512_unpacklo_epi32(part[2], part[3]), d = _mm512_unpackhi_epi32(part[2], part[3]);
    _mm512_store_si512(out, _mm512_unpacklo_epi64(a, c));
    _mm512_store_si512(out + BLOCK_BYTES, _mm512_unpackhi_epi64(a, c));
    _mm512_store_si512(out + 2 * BLOCK_BYTES, _mm512_unpacklo_epi64(b, d));
    _mm512_store_si512(out + 3 * BLOCK_BYTES, _mm512_unpackhi_epi64(b, d));
}

static inline void split_block(const inos_check *job, int64_t top, int64_t rows, int64_t left, uint8_t *out)
{
    const int32_t *place = job->y + top * job->n + left;
    for (int64_t r = 0; r < DOT_ROWS; r++)
        split_bytes(place + (r < rows ? r : 0) * job->n, job->n - left, out + 64 * r);
}

static inline void add_rows(int64_t *sums, const int32_t dots[DOT_ROWS * VECTORS], int64_t rows, int64_t shift)
{
    for (int64_t r = 0; r < rows; r++)
        add_wide(sums + r * VECTORS, _mm512_load_si512(dots + r * VECTORS), (int)shift);
}

/* Adds Y R to sums[row][v], for up to 16 rows. Each block is split while the one before it is multiplied. */
static void multiply_y(const inos_check *job, int64_t top, int64_t rows, int64_t *sums)
{
    uint8_t blocks[2][4 * BLOCK_BYTES] __attribute__((aligned(64)));
    int32_t dots[4][DOT_ROWS * VECTORS] __attribute__((aligned(64)));
    split_block(job, top, rows, 0, blocks[0]);
    for (int64_t base = 0; base < job->n; base += MAX_COLUMNS) {
        const int64_t end = inos_min(base + MAX_COLUMNS, job->n);
        CLEAR_TILE(0);
        CLEAR_TILE(1);
        CLEAR_TILE(2);
        CLEAR_TILE(3);
        for (int64_t left = base; left < end; left += 64) {
            const uint8_t *block = blocks[left / 64 % 2];
            if (left + 64 < job->n)
                split_block(job, top, rows, left + 64, blocks[(left / 64 + 1) % 2]);
            LOAD_TILE(4, job->form_r + left * VECTORS);
            LOAD_TILE(5, block);
            DOT_TILES(uu, 0, 5, 4);
            LOAD_TILE(6, block + BLOCK_BYTES);
            DOT_TILES(uu, 1, 6, 4);
            LOAD_TILE(7, block + 2 * BLOCK_BYTES);
            DOT_TILES(uu, 2, 7, 4);
            LOAD_TILE(5, block + 3 * BLOCK_BYTES);
            DOT_TILES(su, 3, 5, 4);
        }
        STORE_TILE(0, dots[0]);
        STORE_TILE(1, dots[1]);
        STORE_TILE(2, dots[2]);
        STORE_TILE(3, dots[3]);
        for (int64_t byte = 0; byte < 4; byte++)
            add_rows(sums, dots[byte], rows, 8 * byte);
    }
}

/* Up to 16 rows of X by up to 64 columns as a block, zero beyond the matrix. */
static void copy_block(const int8_t *x, int64_t stride, int64_t rows, int64_t cols, int8_t block[BLOCK_BYTES])
{
    memset(block, 0, BLOCK_BYTES);
    for (int64_t r = 0; r < rows; r++)
        memcpy(block + 64 * r, x + r * stride, (size_t)cols);
}

#define LOAD_ROWS(tile, from, stride) \
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #tile : : "r"(from), "r"(stride) : "memory")
#define DOT_DIGIT(digit, tile) \
    if (digit < job->limbs) { \
        LOAD_TILE(tile, digits + digit * size); \
        DOT_TILES(ss, digit, 5, tile); \
    }

/* Adds X (W^T R) to sums[row][v], for up to 16 rows. */
static void multiply_x(const inos_check *job, int64_t top, int64_t rows, int64_t *sums)
{
    const int64_t size = (job->k + 3) / 4 * 4 * VECTORS;
    int8_t block[BLOCK_BYTES];
    int32_t dots[5][DOT_ROWS * VECTORS] __attribute__((aligned(64)));
    for (int64_t base = 0; base < job->k; base += MAX_COLUMNS) {
        const int64_t end = inos_min(base + MAX_COLUMNS, job->k);
        CLEAR_TILE(0);
        CLEAR_TILE(1);
        CLEAR_TILE(2);
        CLEAR_TILE(3);
        CLEAR_TILE(4);
        for (int64_t left = base; left < end; left += 64) {
            const int8_t *x = job->x + top * job->k + left;
            const uint8_t *digits = job->form_p + left * VECTORS;
            if (rows == DOT_ROWS && left + 64 <= job->k)
                LOAD_ROWS(5, x, job->k);
            else {
                copy_block(x, job->k, rows, inos_min(64, job->k - left), block);
                LOAD_TILE(5, block);
            }
            DOT_DIGIT(0, 6)
            DOT_DIGIT(1, 7)
            DOT_DIGIT(2, 6)
            DOT_DIGIT(3, 7)
            DOT_DIGIT(4, 6)
        }
        STORE_TILE(0, dots[0]);
        STORE_TILE(1, dots[1]);
        STORE_TILE(2, dots[2]);
        STORE_TILE(3, dots[3]);
        STORE_TILE(4, dots[4]);
        for (int64_t digit = 0; digit < job->limbs; digit++)
            add_rows(sums, dots[digit], rows, 8 * digit);
    }
}

/* Returns whether both sides are equal in rows [first, last). Both stay below 2^60, so the comparison is exact. */
static int compare_rows(const inos_check *job, int64_t first, int64_t last)
{
    int is_equal = 1;
    OPEN_TILES;
    for (int64_t top = first; is_equal && top < last; top += DOT_ROWS) {
        const int64_t rows = inos_min(DOT_ROWS, last - top);
        int64_t left[DOT_ROWS * VECTORS] = {0}, right[DOT_ROWS * VECTORS] = {0};
        take_rows(job, top, rows);
        multiply_x(job, top, rows, left);
        multiply_y(job, top, rows, right);
        is_equal = memcmp(left, right, (size_t)(8 * rows * VECTORS)) == 0;
    }
    CLOSE_TILES;
    return is_equal;
}
