/* Draws noise from a seed (protocol, section 3, point 3). An output block of BLAKE3 is one row, or a quarter of one
 * permutation, so 16 lanes draw a strip's rows or four permutations. */
/* Transposes 16 x 16 words; rows are `stride` bytes apart. */
static inline void turn(const void *from, int64_t stride, words to[16])
{
#ifdef TRANSPOSE
    TRANSPOSE(from, stride, to);
#else
    uint32_t rows[16][16], turned[16][16];
    for (int r = 0; r < 16; r++)
        memcpy(rows[r], (const char *)from + r * stride, sizeof rows[r]);
    for (int c = 0; c < 16; c++)
        for (int r = 0; r < 16; r++)
            turned[c][r] = rows[r][c];
    memcpy(to, turned, sizeof turned);
#endif
}

static const words noise_lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

/* A strip's 16 rows, as [lane][word]; `shift` is added to every byte. */
static void draw_rows(const uint32_t seed[8], int64_t strip, uint8_t shift, uint8_t rows[ROWS][RANK])
{
    const words counter = noise_lane + (uint32_t)(strip * ROWS);
    words out[16], lines[16];
    stream(seed, "rows", &counter, out);
    turn(out, sizeof out[0], lines);
    for (int r = 0; r < ROWS; r++) {
        const bytes line = (bytes)(lines[r] & 0x7f7f7f7fu) + shift;
        memcpy(rows[r], &line, RANK);
    }
}

#ifndef SORT_STEP
#define SORT_STEP sort_step
/* Computes the stable ascending argsort of 64 numbers, and its inverse, which is the rank of each. */
static void sort_step(const uint32_t *keys, uint8_t *perm, uint8_t *inverse)
{
    uint32_t rank[STEP] = {0};
    for (int a = 0; a < STEP; a++) {
        const uint32_t key = keys[a];
        uint32_t behind = 0;
        for (int b = 0; b < STEP; b++) {
            const uint32_t is_behind = (b > a) & (key <= keys[b]);
            rank[b] += is_behind;
            behind += is_behind;
        }
        rank[a] += (uint32_t)(STEP - 1 - a) - behind;
    }
    for (int c = 0; c < STEP; c++) {
        perm[rank[c]] = (uint8_t)c;
        inverse[c] = (uint8_t)rank[c];
    }
}
#endif

/* Draws the permutations of steps [first, last) and their inverses: 64 bytes each. */
static void draw_perms(const uint32_t seed[8], int64_t first, int64_t last, uint8_t *perms, uint8_t *inverse)
{
    for (int64_t at = first; at < last; at += 4) {
        const words counter = noise_lane + (uint32_t)(4 * at);
        words out[16], turned[16];
        uint32_t keys[4][STEP];
        stream(seed, "perm", &counter, out);
        turn(out, sizeof out[0], turned);
        memcpy(keys, turned, sizeof keys);
        for (int64_t b = at; b < at + 4 && b < last; b++, perms += STEP, inverse += STEP)
            SORT_STEP(keys[b - at], perms, inverse);
    }
}
