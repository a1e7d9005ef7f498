/* Noise and packing, and the sums that peel the noise off. Plain C that the compiler turns into vectors of
 * the including file's processor; a file that has a byte permutation defines ADD_NOISE itself. */
#include <string.h>

/* 16 rows of 4 columns, in the compiler's own vectors: it cuts them to what the processor has. */
typedef uint32_t words __attribute__((vector_size(4 * ROWS)));
typedef int32_t counts __attribute__((vector_size(4 * ROWS)));
typedef uint8_t bytes __attribute__((vector_size(4 * ROWS)));

/* 16 rows x 64 columns, zero beyond the matrix, as [group][row] words of 4 columns. */
static void load_step(const int8_t *raw, int64_t stride, int64_t rows, int64_t cols, words *step)
{
    int8_t edge[ROWS][STEP];
    uint32_t line[ROWS][16];
    if (rows < ROWS || cols < STEP) {
        memset(edge, 0, sizeof edge);
        for (int64_t r = 0; r < rows && cols > 0; r++)
            memcpy(edge[r], raw + r * stride, (size_t)inos_min(cols, STEP));
        raw = edge[0];
        stride = STEP;
    }
    for (int r = 0; r < ROWS; r++) {
        /* Sixteen rows far apart are more streams than the processor follows by itself. */
        __builtin_prefetch((const void *)((uintptr_t)(raw + r * stride) + 4 * STEP));
        memcpy(line[r], raw + r * stride, STEP);
    }
#ifdef TRANSPOSE
    TRANSPOSE(line, (uint32_t *)step);
#else
    for (int g = 0; g < 16; g++) {
        uint32_t column[ROWS];
        for (int r = 0; r < ROWS; r++)
            column[r] = line[r][g];
        memcpy(&step[g], column, sizeof column);
    }
#endif
}

/* Columns that share a noise column: sums[q][row] += step[row][inverse[q]]. */
static inline void sum_step(const words *step, const uint8_t *inverse, counts *sums)
{
    for (int q = 0; q < RANK; q++)
        sums[q] += (counts)(step[inverse[q] >> 2] << (24 - 8 * (inverse[q] & 3))) >> 24;
}

/* out[g][row] = step + noise of the four columns' noise columns; table[q][row]. */
static inline void add_noise(const words *step, const words *table, const uint8_t *perm, uint8_t *out)
{
    for (int g = 0; g < 16; g++, perm += 4) {
        const words noise = table[perm[0]] | table[perm[1]] << 8 | table[perm[2]] << 16 | table[perm[3]] << 24;
        const words sum = (words)((bytes)step[g] + (bytes)noise);
        memcpy(out + g * 64, &sum, sizeof sum);
    }
}

#if X_SCALE == 2
#include "wide.h"
#endif

static inline __attribute__((always_inline)) void pack_strip(const inos_pack *job, int64_t strip, int is_x)
{
    words step[16], table[RANK];
    counts sums[RANK];
    const int64_t done = strip - job->first, chunks = inos_chunks(job->panels), scale = is_x ? X_SCALE : 1;
    const uint8_t *noise = job->noise + done * ROWS * RANK;
    for (int q = 0; q < RANK; q++)
        for (int r = 0; r < ROWS; r++)
            table[q][r] = noise[r * RANK + q];
    memset(sums, 0, sizeof sums);
    for (int64_t b = 0; b < job->panels * STEPS; b++) {
        const int64_t left = b * STEP;
        uint8_t *out = job->packed + (done * job->panels * STEPS + b) * STEP_BYTES * scale;
        if (b % STEPS == 0 && inos_is_stopped(job->stop))
            return;
        /* A step beyond the matrix must not even be pointed at. */
        const int8_t *raw = job->raw + strip * ROWS * job->cols + (left < job->cols ? left : 0);
        load_step(raw, job->cols, inos_min(ROWS, job->rows - strip * ROWS), job->cols - left, step);
        if (is_x) {
            sum_step(step, job->inverse + b * RANK, sums);
            PACK_X(step, table, job->perms + b * RANK, out);
            if ((b + 1) % (CHUNK_PANELS * STEPS) == 0 || b + 1 == job->panels * STEPS) {
                int16_t *peel = job->peel + (done * chunks + b / (CHUNK_PANELS * STEPS)) * PEEL_WORDS;
                for (int r = 0; r < ROWS; r++)
                    for (int q = 0; q < RANK; q++) {
                        peel[r * PEEL_DEPTH + q] = (int16_t)-sums[q][r];
                        peel[r * PEEL_DEPTH + RANK + q] = (int16_t)-(int32_t)table[q][r];
                    }
                memset(sums, 0, sizeof sums);
            }
        } else {
            add_noise(step, table, job->perms + b * RANK, out);
        }
    }
}

static void pack(const inos_pack *job)
{
    for (int64_t strip = job->first; strip < job->last; strip++)
        if (job->inverse)
            pack_strip(job, strip, 1);
        else
            pack_strip(job, strip, 0);
}

/* W's side of the peeling: F_L, and the columns of W' that share a noise column of X added up. */
static void sum_w(const int8_t *packed, int64_t strips, int64_t panels, const uint8_t *noise,
                  const uint8_t *inverse, int16_t *peel, const int *stop)
{
    words step[16];
    counts sums[RANK];
    for (int64_t strip = 0; strip < strips; strip++, noise += ROWS * RANK)
        for (int64_t chunk = 0; chunk < inos_chunks(panels); chunk++, peel += PEEL_WORDS) {
            const int64_t steps = inos_min(CHUNK_PANELS, panels - chunk * CHUNK_PANELS) * STEPS;
            if (inos_is_stopped(stop))
                return;
            memset(sums, 0, sizeof sums);
            for (int64_t b = 0; b < steps; b++, packed += STEP_BYTES) {
                memcpy(step, packed, STEP_BYTES);
                sum_step(step, inverse + (chunk * CHUNK_PANELS * STEPS + b) * RANK, sums);
            }
            for (int q = 0; q < RANK; q++)
                for (int r = 0; r < ROWS; r++) {
                    peel[(q / 2 * ROWS + r) * 2 + q % 2] = (int8_t)noise[r * RANK + q];
                    peel[((RANK + q) / 2 * ROWS + r) * 2 + q % 2] = (int16_t)sums[q][r];
                }
        }
}
