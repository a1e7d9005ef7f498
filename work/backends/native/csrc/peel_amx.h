/* The removal of noise in tiles, and what becomes of the product. Sums of columns have 16 bits; their high and low bytes
 * are multiplied apart. */

/* Parts of 1 KiB of either side's peeling: noise, and the sums' high and low bytes. */
#define PEEL_PART 1024
/* A product of 16 MiB or more is not read again from the second-level cache. */
#define STREAMED_ENTRIES (1 << 22)

/* A strip's side of the peeling, of which X's lies row by row and W's as operands do. */
#define WRITE_PEEL write_peel_amx
static void write_peel_amx(int is_x, uint8_t noise[ROWS][RANK], int16_t (*sums)[RANK], int16_t *peel)
{
    uint8_t parts[3][ROWS][RANK] __attribute__((aligned(64)));
    memcpy(parts[0], noise, sizeof parts[0]);
    for (int r = 0; r < ROWS; r++)
        for (int q = 0; q < RANK; q++) {
            parts[1][r][q] = (uint8_t)(sums[r][q] >> 8);
            parts[2][r][q] = (uint8_t)sums[r][q];
        }
    if (is_x)
        memcpy(peel, parts, sizeof parts);
    else
        for (int part = 0; part < 3; part++)
            transpose(parts[part][0], RANK, (uint8_t *)peel + part * PEEL_PART);
}

/* X F^T + (64 + E) W'^T of a strip of X and two of W: 256 times the tiles 0 and 2, plus 1 and 3. */
static inline void dot_peel(const uint8_t *x, const uint8_t *w0, const uint8_t *w1)
{
    CLEAR_TILE(0);
    CLEAR_TILE(1);
    CLEAR_TILE(2);
    CLEAR_TILE(3);
    LOAD_TILE(4, w0);
    LOAD_TILE(6, x + PEEL_PART);
    DOT_TILES(ss, 0, 6, 4);
    LOAD_TILE(5, w1);
    DOT_TILES(ss, 2, 6, 5);
    LOAD_TILE(7, x + 2 * PEEL_PART);
    DOT_TILES(us, 1, 7, 4);
    DOT_TILES(us, 3, 7, 5);
    LOAD_TILE(6, x);
    LOAD_TILE(4, w0 + PEEL_PART);
    DOT_TILES(us, 0, 6, 4);
    LOAD_TILE(5, w1 + PEEL_PART);
    DOT_TILES(us, 2, 6, 5);
    LOAD_TILE(4, w0 + 2 * PEEL_PART);
    DOT_TILES(uu, 1, 6, 4);
    LOAD_TILE(5, w1 + 2 * PEEL_PART);
    DOT_TILES(uu, 3, 6, 5);
}

typedef int32_t peeled[2][2][SUMS] __attribute__((aligned(64)));

static inline void store_peel(peeled sums)
{
    STORE_TILE(0, sums[0][0]);
    STORE_TILE(1, sums[0][1]);
    STORE_TILE(2, sums[1][0]);
    STORE_TILE(3, sums[1][1]);
}

static inline __attribute__((always_inline)) __m512i subtract_row(const int32_t sums[2][SUMS], const int32_t *block, int r)
{
    const __m512i high = _mm512_slli_epi32(_mm512_load_si512(sums[0] + r * ROWS), 8);
    const __m512i sum = _mm512_add_epi32(high, _mm512_load_si512(sums[1] + r * ROWS));
    return _mm512_sub_epi32(_mm512_loadu_si512(block + r * ROWS), sum);
}

static inline void stream_block(const int32_t sums[2][SUMS], const int32_t *block, int32_t *out, int64_t stride)
{
    for (int r = 0; r < ROWS; r++)
        _mm512_stream_si512((__m512i *)(void *)(out + r * stride), subtract_row(sums, block, r));
}

/* Whether a product goes past the caches: it is larger than they are, and all its lines are written whole. */
static inline int streams(const inos_slab *slab)
{
    const int64_t entries = (slab->x.rows - slab->out_first * ROWS) * slab->w.rows;
    return entries >= STREAMED_ENTRIES && slab->w.rows % ROWS == 0 && (uintptr_t)slab->out % 64 == 0 && !slab->modulus
        && !slab->adds && !slab->x.is_bare;
}

/* Writes a tile of whole blocks past the caches, and returns 0 if it is another one. The two strips of W stay in the
 * first-level cache while all of X pass. */
#define FINISH_TILE stream_tile
static int stream_tile(const inos_slab *slab, const inos_worker *worker)
{
    const inos_tile *tile = &worker->tile;
    const int64_t size = 2 * PEEL_WORDS, stride = slab->w.rows;
    if (!streams(slab) || (tile->i + tile->x_strips) * ROWS > slab->x.rows)
        return 0;
    for (int64_t j = 0; j < tile->w_strips; j += 2)
        for (int64_t i = 0; i < tile->x_strips; i++) {
            const uint8_t *x = (const uint8_t *)tile->peel_x + i * size, *w = (const uint8_t *)tile->peel_w + j * size;
            const int32_t *block = worker->scratch + (i * tile->w_strips + j) * SUMS;
            int32_t *out = slab->out + ((tile->i + i - slab->out_first) * stride + tile->j + j) * ROWS;
            const int is_pair = j + 1 < tile->w_strips;
            peeled sums;
            dot_peel(x, w, w + (is_pair ? size : 0));
            store_peel(sums);
            stream_block(sums[0], block, out, stride);
            if (is_pair)
                stream_block(sums[1], block + SUMS, out + ROWS, stride);
        }
    _mm_sfence();
    return 1;
}

#define PEEL_W 2
static void peel(const int16_t *x, const int16_t *w, int64_t stride, int n, const int32_t *block, int32_t *start,
                 int64_t row, int64_t strip)
{
    const uint8_t *first = (const uint8_t *)w;
    peeled sums;
    dot_peel((const uint8_t *)x, first, first + (n == 2 ? 2 * stride : 0));
    store_peel(sums);
    for (int s = 0; s < n; s++)
        for (int r = 0; r < ROWS; r++)
            _mm512_storeu_si512(start + s * strip + r * row, subtract_row(sums[s], block + s * SUMS, r));
}
