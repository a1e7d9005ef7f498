/* Floats as residues: rows are measured, scaled to integers and reduced modulo small numbers, and products of residues
 * are put together again. Loops are plain C over cache-sized pieces, which the compiler vectorizes for the including
 * file's processor. All sums below are exact integers in float or double, so every processor gets the same residues up
 * to a multiple of the modulus. */

#define PIECE_COLS 128
#define JOINED_COLS 32
#define MAX_MODULI 32
/* A thread takes two times 16 rows: floats of the second ones come with the first, as lines come in pairs. */
#define TAKEN_ROWS 32
/* Adding and subtracting this rounds a double to an integer. */
#define ROUND_DOUBLE 6755399441055744.0

/* What is known of a row, in lanes of every eighth column. */
typedef struct {
    double most[8], sum[8], squares[8], lowest[8];
} measures;

#ifdef INOS_AVX512
#include "residues512.h"
#endif

/* Loads columns [left, left + count) of a row as doubles. Transposed matrices are read a line of 16 rows at a time. */
static inline void load_piece(const inos_floats *job, int64_t top, int64_t rows, int64_t left, int64_t count,
                              double piece[ROWS][PIECE_COLS])
{
    const int64_t down = job->row_step, along = job->col_step, start = top * down + left * along;
    int64_t done = 0;
#ifdef LOAD_COLUMNS
    if (along != 1 && down == 1 && rows == ROWS)
        done = LOAD_COLUMNS(job, start, count, piece);
#endif
    if (job->is_single) {
        const float *from = (const float *)job->entries + start;
        if (along == 1)
            for (int64_t r = 0; r < rows; r++)
                for (int64_t c = 0; c < count; c++)
                    piece[r][c] = from[r * down + c];
        else
            for (int64_t c = done; c < count; c++)
                for (int64_t r = 0; r < rows; r++)
                    piece[r][c] = from[r * down + c * along];
    } else {
        const double *from = (const double *)job->entries + start;
        if (along == 1)
            for (int64_t r = 0; r < rows; r++)
                memcpy(piece[r], from + r * down, (size_t)count * sizeof(double));
        else
            for (int64_t c = done; c < count; c++)
                for (int64_t r = 0; r < rows; r++)
                    piece[r][c] = from[r * down + c * along];
    }
}

#ifndef MEASURE_PIECE
#define MEASURE_PIECE measure_piece
/* Adds a piece of a row, which ends in zeros, to what is known of the row. Magnitudes compare like their bits. */
static inline void measure_piece(const double *piece, int64_t count, measures *row)
{
    doubles sum, squares;
    longs most, lowest;
    memcpy(&sum, row->sum, sizeof sum), memcpy(&squares, row->squares, sizeof squares);
    memcpy(&most, row->most, sizeof most), memcpy(&lowest, row->lowest, sizeof lowest);
    for (int64_t c = 0; c < count; c += 8) {
        longs bits;
        memcpy(&bits, piece + c, sizeof bits);
        bits &= INT64_MAX;
        const doubles size = (doubles)bits;
        const longs cleared = bits & (bits - 1) & ((bits << 12) != 0), is_more = bits > most;
        /* The lowest bit that is set, and for zero an infinite number. */
        const longs low = (longs)(size - (doubles)cleared) | ((bits == 0) & 0x7ff0000000000000);
        const longs is_less = low < lowest;
        most = (bits & is_more) | (most & ~is_more);
        lowest = (low & is_less) | (lowest & ~is_less);
        sum += size;
        squares += size * size;
    }
    memcpy(row->sum, &sum, sizeof sum), memcpy(row->squares, &squares, sizeof squares);
    memcpy(row->most, &most, sizeof most), memcpy(row->lowest, &lowest, sizeof lowest);
}

/* Writes the integer parts of magnitude * scale. */
#define LEAD_PIECE lead_piece
static inline void lead_piece(const double *piece, int64_t count, double scale, int8_t *out)
{
    for (int64_t c = 0; c < count; c++) {
        const double size = piece[c] * scale;
        out[c] = (int8_t)(int32_t)(size < 0 ? -size : size);
    }
}
#endif

/* Returns 2^n as a double, for n in -1022 .. 1023. */
static inline double power_of_two(int64_t n)
{
    const uint64_t bits = (uint64_t)(n + 1023) << 52;
    double power;
    memcpy(&power, &bits, 8);
    return power;
}

static void join_lanes(const measures *lanes, double row[4])
{
    row[0] = row[1] = row[2] = 0, row[3] = HUGE_VAL;
    for (int lane = 0; lane < 8; lane++) {
        row[0] = lanes->most[lane] > row[0] ? lanes->most[lane] : row[0];
        row[1] += lanes->sum[lane];
        row[2] += lanes->squares[lane];
        row[3] = lanes->lowest[lane] < row[3] ? lanes->lowest[lane] : row[3];
    }
}

/* Measures rows, and writes the leading six bits of each magnitude. */
static void measure_block(inos_floats *job, int64_t top, int64_t rows)
{
    double piece[ROWS][PIECE_COLS], scale[ROWS];
    measures known[ROWS];
    memset(known, 0, sizeof known);
    for (int64_t r = 0; r < rows; r++)
        for (int lane = 0; lane < 8; lane++)
            known[r].lowest[lane] = HUGE_VAL;
    for (int64_t left = 0; left < job->cols; left += PIECE_COLS) {
        const int64_t count = inos_min(PIECE_COLS, job->cols - left);
        if (count < PIECE_COLS)
            memset(piece, 0, sizeof piece);
        load_piece(job, top, rows, left, count, piece);
        for (int64_t r = 0; r < rows; r++)
            MEASURE_PIECE(piece[r], count, known + r);
    }
    for (int64_t r = 0; r < rows; r++) {
        uint64_t bits;
        join_lanes(known + r, job->measured + 4 * (top + r));
        memcpy(&bits, job->measured + 4 * (top + r), 8);
        const int64_t exponent = (int64_t)(bits >> 52) - 1022; /* the largest magnitude is below 2^exponent */
        scale[r] = exponent > -900 && exponent < 900 ? power_of_two(6 - exponent) : 0;
    }
    for (int64_t left = 0; left < job->cols; left += PIECE_COLS) {
        const int64_t count = inos_min(PIECE_COLS, job->cols - left);
        if (job->cols > PIECE_COLS)
            load_piece(job, top, rows, left, count, piece);
        for (int64_t r = 0; r < rows; r++)
            LEAD_PIECE(piece[r], count, scale[r], job->leading + (top + r) * job->cols + left);
    }
}

static void measure_rows(inos_floats *job)
{
    for (int64_t first; (first = __atomic_fetch_add(&job->next, TAKEN_ROWS, __ATOMIC_RELAXED)) < job->rows;)
        for (int64_t top = first; top < inos_min(first + TAKEN_ROWS, job->rows); top += ROWS)
            measure_block(job, top, inos_min(ROWS, job->rows - top));
}

#ifndef SPLIT_PIECE
/* Scales one piece of a row by 2^shift, rounds it, and writes it as signed digits to base 2^16. */
static inline __attribute__((always_inline)) void make_digits(
    const double *piece, int64_t count, int64_t shift, const int digits, float digit[4][PIECE_COLS])
{
    int64_t whole[PIECE_COLS];
    const double first = power_of_two(shift / 2), second = power_of_two(shift - shift / 2);
    for (int64_t c = 0; c < count; c++) {
        /* Beyond 2^52 all doubles are whole. */
        const double scaled = piece[c] * first * second, size = scaled < 0 ? -scaled : scaled;
        const double rounded = scaled + ROUND_DOUBLE - ROUND_DOUBLE;
        whole[c] = (int64_t)(size < 2251799813685248.0 ? rounded : scaled);
    }
    for (int d = 0; d < digits; d++)
        for (int64_t c = 0; c < count; c++) {
            const int64_t low = (int64_t)((uint64_t)whole[c] << 48) >> 48;
            whole[c] = (whole[c] - low) >> 16;
            digit[d][c] = (float)(int32_t)low;
        }
}

static inline __attribute__((always_inline)) void reduce_digits(
    float digit[4][PIECE_COLS], const int digits, int64_t count, int32_t modulus, int8_t *restrict out)
{
    const float m = (float)modulus, inverse = 1.0f / m;
    float power[4] = {1, 0, 0, 0};
    for (int64_t d = 1, value = 1; d < digits; d++) {
        value = (value << 16) % modulus;
        power[d] = (float)(2 * value > modulus ? value - modulus : value);
    }
    for (int64_t c = 0; c < count; c++) {
        float sum = digit[0][c];
        if (digits > 1)
            sum += power[1] * digit[1][c];
        if (digits > 2)
            sum += power[2] * digit[2][c];
        if (digits > 3)
            sum += power[3] * digit[3][c];
        const float times = sum * inverse + ROUND_FLOAT - ROUND_FLOAT;
        const int32_t rest = (int32_t)(sum - times * m);
        out[c] = (int8_t)(rest - (rest > 63 ? modulus : 0));
    }
}

static inline __attribute__((always_inline)) void split_digits(
    const double *piece, int64_t count, int64_t shift, const int digits, const int32_t *moduli, int64_t of_them,
    int8_t *out, int64_t stride)
{
    float digit[4][PIECE_COLS];
    make_digits(piece, count, shift, digits, digit);
    for (int64_t at = 0; at < of_them; at++)
        reduce_digits(digit, digits, count, moduli[at], out + at * stride);
}

typedef int32_t reducer;
#define SPLIT_PIECE split_piece
#define SPLIT_END ((void)0)
static void split_piece(const double *piece, int64_t count, int64_t shift, int64_t digits, const reducer *moduli,
                        int64_t of_them, int8_t *out, int64_t stride)
{
    switch (digits) {
    case 1: split_digits(piece, count, shift, 1, moduli, of_them, out, stride); break;
    case 2: split_digits(piece, count, shift, 2, moduli, of_them, out, stride); break;
    case 3: split_digits(piece, count, shift, 3, moduli, of_them, out, stride); break;
    default: split_digits(piece, count, shift, 4, moduli, of_them, out, stride);
    }
}

static void make_reducer(int32_t modulus, int64_t digits, reducer *made)
{
    (void)digits;
    *made = modulus;
}
#endif

/* Writes the residues of the scaled rows, -64 .. 63, modulus by modulus. */
static void split_rows(inos_floats *job)
{
    double piece[ROWS][PIECE_COLS];
    reducer reducers[MAX_MODULI];
    for (int64_t at = 0; at < job->count; at++)
        make_reducer(job->moduli[at], job->digits, reducers + at);
    for (int64_t first; (first = __atomic_fetch_add(&job->next, TAKEN_ROWS, __ATOMIC_RELAXED)) < job->rows;)
        for (int64_t top = first; top < inos_min(first + TAKEN_ROWS, job->rows); top += ROWS) {
            const int64_t rows = inos_min(ROWS, job->rows - top);
            for (int64_t left = 0; left < job->cols; left += PIECE_COLS) {
                const int64_t count = inos_min(PIECE_COLS, job->cols - left);
                load_piece(job, top, rows, left, count, piece);
                for (int64_t r = 0; r < rows; r++)
                    SPLIT_PIECE(piece[r], count, job->shifts[top + r], job->digits, reducers, job->count,
                                job->residues + (top + r) * job->cols + left, job->plane);
            }
        }
    SPLIT_END;
}

/* Finds the least of product * weight in each row and, for every block of rows, in each column. */
static void find_least(inos_least *job)
{
    for (int64_t top; (top = __atomic_fetch_add(&job->next, COMPARED_ROWS, __ATOMIC_RELAXED)) < job->rows;) {
        const int64_t last = inos_min(top + COMPARED_ROWS, job->rows), n = job->cols;
        float *of_cols = job->least_of_cols + top / COMPARED_ROWS * n;
        for (int64_t c = 0; c < n; c++)
            of_cols[c] = HUGE_VALF;
        for (int64_t r = top; r < last; r++) {
            const int32_t *product = job->product + r * n;
            const float weight = job->row_weights[r], extra = job->row_extra[r];
            float least[16];
            for (int lane = 0; lane < 16; lane++)
                least[lane] = HUGE_VALF;
            for (int64_t c = 0; c < n; c++) {
                const float by_row = (float)product[c] * weight + extra;
                of_cols[c] = by_row < of_cols[c] ? by_row : of_cols[c];
            }
            for (int64_t first = 0; first < n; first += 16)
                for (int lane = 0; lane < 16 && first + lane < n; lane++) {
                    const int64_t c = first + lane;
                    const float by_col = (float)product[c] * job->col_weights[c] + job->col_extra[c];
                    least[lane] = by_col < least[lane] ? by_col : least[lane];
                }
            for (int lane = 1; lane < 16; lane++)
                least[0] = least[lane] < least[0] ? least[lane] : least[0];
            job->least_of_rows[r] = least[0];
        }
    }
}

/* Reduces a product of residues to bytes, as write_residues does, and adds what an earlier piece of the depth left there
 * if `adds` is set. */
static void reduce_product(inos_reduced *job)
{
    const float inverse = 1.0f / (float)job->modulus;
    for (int64_t first; (first = __atomic_fetch_add(&job->next, REDUCED_ENTRIES, __ATOMIC_RELAXED)) < job->count;) {
        const int64_t count = inos_min(REDUCED_ENTRIES, job->count - first);
        const int32_t *product = job->product + first, modulus = job->modulus;
        int8_t *out = job->out + first;
        if (job->adds)
            for (int64_t c = 0; c < count; c++) {
                const int32_t sum = product[c] + out[c];
                const float times = (float)sum * inverse + ROUND_FLOAT - ROUND_FLOAT;
                out[c] = (int8_t)(sum - (int32_t)times * modulus);
            }
        else
            for (int64_t c = 0; c < count; c++) {
                const float times = (float)product[c] * inverse + ROUND_FLOAT - ROUND_FLOAT;
                out[c] = (int8_t)(product[c] - (int32_t)times * modulus);
            }
    }
}

#ifndef ADD_LIMBS
#define ADD_LIMBS add_limbs
/* Adds residues of some columns times the limbs of their weights to zero. */
static inline __attribute__((always_inline)) void add_limbs(
    const int8_t *residues, int64_t stride, const double *weights, int64_t count, const int limbs, double sum[4][JOINED_COLS])
{
    memset(sum, 0, 4 * sizeof sum[0]);
    for (int64_t at = 0; at < count; at++, residues += stride, weights += 4)
        for (int limb = 0; limb < limbs; limb++)
            for (int64_t c = 0; c < JOINED_COLS; c++)
                sum[limb][c] += (double)residues[c] * weights[limb];
}
#endif

/* Adds up residues times weights, whose limbs have 42 bits, subtracts the multiple of M that is nearest, and scales. */
static inline __attribute__((always_inline)) void join_piece(
    const inos_joined *job, int64_t row, int64_t left, int64_t count, const int limbs)
{
    double sum[4][JOINED_COLS], value[JOINED_COLS];
    int8_t edge[MAX_MODULI][JOINED_COLS];
    const double unit = 4398046511104.0, step[4] = {1, unit, unit * unit, unit * unit * unit};
    const int8_t *residues = job->residues + row * job->cols + left;
    int64_t stride = job->plane;
    if (count < JOINED_COLS) {
        for (int64_t at = 0; at < job->count; at++)
            for (int64_t c = 0; c < JOINED_COLS; c++)
                edge[at][c] = c < count ? residues[at * stride + c] : 0;
        residues = edge[0], stride = JOINED_COLS;
    }
    ADD_LIMBS(residues, stride, job->weights, job->count, limbs, sum);
    const int top = limbs - 1;
    for (int64_t c = 0; c < JOINED_COLS; c++) {
        const double nearly = sum[top][c] + sum[top - 1][c] * (1 / unit);
        const double times = nearly * job->inverse + ROUND_DOUBLE - ROUND_DOUBLE;
        double high = (sum[top][c] - times * job->product[top]) * step[top], low = 0;
        for (int limb = top - 1; limb > 0; limb--) { /* D. E. Knuth's two-sum */
            const double next = (sum[limb][c] - times * job->product[limb]) * step[limb];
            const double total = high + next, back = total - high;
            low += (high - (total - back)) + (next - back);
            high = total;
        }
        low += sum[0][c] - times * job->product[0];
        value[c] = (high + low) * job->row_scales[row];
    }
    for (int64_t c = 0; c < count; c++)
        value[c] *= job->col_scales[left + c];
    if (job->is_single)
        for (int64_t c = 0; c < count; c++)
            ((float *)job->out)[row * job->out_step + left + c] = (float)value[c];
    else
        memcpy((double *)job->out + row * job->out_step + left, value, (size_t)count * sizeof(double));
}

static void join_rows(inos_joined *job)
{
    for (int64_t row; (row = __atomic_fetch_add(&job->next, 1, __ATOMIC_RELAXED)) < job->rows;)
        for (int64_t left = 0; left < job->cols; left += JOINED_COLS) {
            const int64_t count = inos_min(JOINED_COLS, job->cols - left);
            if (job->limbs == 2)
                join_piece(job, row, left, count, 2);
            else if (job->limbs == 3)
                join_piece(job, row, left, count, 3);
            else
                join_piece(job, row, left, count, 4);
        }
}
