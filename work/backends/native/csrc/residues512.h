/* Rows of floats by AVX512: columns are turned into rows in registers, and residues are sums of bytes times powers of 256,
 * which the processor makes four at a time. Everything is the same as in residues.h, which says what it is for. */
#define LOAD_COLUMNS load_columns_512
#define MEASURE_PIECE measure_piece_512
#define LEAD_PIECE lead_piece_512
#define SPLIT_PIECE split_piece_512
#define ADD_LIMBS add_limbs_512
/* Streamed stores are seen by other threads after a fence. */
#define SPLIT_END _mm_sfence()
/* Numbers of so many digits to base 2^16 fit four bytes. */
#define SHORT_DIGITS 2

/* Transposes 8 x 8 doubles, by exchanging pairs of rows 4 apart three times. */
static inline __attribute__((always_inline)) void turn_doubles(__m512d rows[8])
{
    const __m512i low = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11), high = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
    __m512d next[8];
#pragma GCC unroll 3
    for (int pass = 0; pass < 3; pass++) {
#pragma GCC unroll 4
        for (int r = 0; r < 4; r++) {
            next[2 * r] = _mm512_permutex2var_pd(rows[r], low, rows[r + 4]);
            next[2 * r + 1] = _mm512_permutex2var_pd(rows[r], high, rows[r + 4]);
        }
#pragma GCC unroll 8
        for (int r = 0; r < 8; r++)
            rows[r] = next[r];
    }
}

/* Loads whole columns of 16 rows that lie side by side, as many eights of them as there are, and returns their number. */
static int64_t load_columns_512(const inos_floats *job, const int64_t start, int64_t count, double piece[ROWS][PIECE_COLS])
{
    const int64_t along = job->col_step;
    for (int64_t c = 0; c + 8 <= count; c += 8)
        for (int half = 0; half < ROWS; half += 8) {
            const int64_t at = start + c * along + half;
            __m512d lines[8];
#pragma GCC unroll 8
            for (int l = 0; l < 8; l++)
                lines[l] = job->is_single ? _mm512_cvtps_pd(_mm256_loadu_ps((const float *)job->entries + at + l * along))
                                          : _mm512_loadu_pd((const double *)job->entries + at + l * along);
            turn_doubles(lines);
#pragma GCC unroll 8
            for (int l = 0; l < 8; l++)
                _mm512_storeu_pd(piece[half + l] + c, lines[l]);
        }
    return count / 8 * 8;
}

static inline void measure_piece_512(const double *piece, int64_t count, measures *row)
{
    __m512d most, sum, squares, lowest;
    most = _mm512_loadu_pd(row->most), sum = _mm512_loadu_pd(row->sum);
    squares = _mm512_loadu_pd(row->squares), lowest = _mm512_loadu_pd(row->lowest);
    for (int64_t c = 0; c < count; c += 8) {
        const __m512d size = _mm512_abs_pd(_mm512_loadu_pd(piece + c));
        const __m512i bits = _mm512_castpd_si512(size), below = _mm512_add_epi64(bits, _mm512_set1_epi64(-1));
        const __mmask8 has_fraction = _mm512_test_epi64_mask(bits, _mm512_set1_epi64(0xfffffffffffff));
        const __m512d cleared = _mm512_castsi512_pd(_mm512_maskz_and_epi64(has_fraction, bits, below));
        most = _mm512_max_pd(most, size);
        sum = _mm512_add_pd(sum, size);
        squares = _mm512_fmadd_pd(size, size, squares);
        lowest = _mm512_mask_min_pd(lowest, _mm512_test_epi64_mask(bits, bits), lowest, _mm512_sub_pd(size, cleared));
    }
    _mm512_storeu_pd(row->most, most), _mm512_storeu_pd(row->sum, sum);
    _mm512_storeu_pd(row->squares, squares), _mm512_storeu_pd(row->lowest, lowest);
}

static inline void lead_piece_512(const double *piece, int64_t count, double scale, int8_t *out)
{
    const __m512d by = _mm512_set1_pd(scale);
    for (int64_t c = 0; c < count; c += 16) {
        const __m512d low = _mm512_mul_pd(_mm512_abs_pd(_mm512_loadu_pd(piece + c)), by);
        const __m512d high = _mm512_mul_pd(_mm512_abs_pd(_mm512_loadu_pd(piece + c + 8)), by);
        const __m512i both = _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvttpd_epi32(low)), _mm512_cvttpd_epi32(high), 1);
        const int64_t left = inos_min(16, count - c);
        _mm512_mask_cvtepi32_storeu_epi8(out + c, (__mmask16)((1u << left) - 1), both);
    }
}

/* How residues of one modulus are made of the bytes of a number, eight or for short ones four, to which half their range
 * was added so that none has a sign. */
typedef struct {
    int32_t low, high;  /* powers of 256 modulo the modulus, four signed bytes each */
    int32_t start;      /* minus what was added, modulo the modulus */
    int32_t negated;    /* the modulus as an int16 that is subtracted */
    float inverse;
} reducer;

static void make_reducer(int32_t modulus, int64_t digits, reducer *powers)
{
    uint8_t bytes[8];
    int32_t power = 1;
    for (int b = 0; b < 8; b++) {
        bytes[b] = (uint8_t)(2 * power > modulus ? power - modulus : power);
        if (b == (digits <= SHORT_DIGITS ? 3 : 7))
            powers->start = modulus - power * 128 % modulus;
        power = power * 256 % modulus;
    }
    memcpy(&powers->low, bytes, 4);
    memcpy(&powers->high, bytes + 4, 4);
    powers->negated = (uint16_t)-modulus;
    powers->inverse = 1.0f / (float)modulus;
}

/* Scales eight numbers by 2^shift and rounds them to integers. Beyond 2^52 all doubles are whole. */
static inline __m512i round_eight(const double *piece, __m512d shift)
{
    return _mm512_cvtpd_epi64(_mm512_scalef_pd(_mm512_loadu_pd(piece), shift));
}

/* Writes residues of 64 numbers: they lie between -64 and 63, since a quotient that ends in a half, which only powers of
 * two have, is rounded up. Whole lines are written past the caches, which need not read them for that. */
static inline __attribute__((always_inline)) void split_sixty_four(
    const double *piece, __m512d shift, const int is_short, const reducer *powers, int64_t count, int8_t *out,
    int64_t stride, __mmask64 exists)
{
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    const __m512i sign = is_short ? _mm512_set1_epi32(INT32_MIN) : _mm512_set1_epi64(INT64_MIN);
    /* Packing twice brings quarters of 16 bytes together, of which every word has four numbers of one register. */
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __m512i low[4], high[4];
    const int streams = exists == ~(__mmask64)0 && ((uintptr_t)out | (uintptr_t)stride) % 64 == 0;
#pragma GCC unroll 4
    for (int q = 0; q < 4; q++) {
        const __m512i first = _mm512_xor_si512(round_eight(piece + 16 * q, shift), sign);
        const __m512i second = _mm512_xor_si512(round_eight(piece + 16 * q + 8, shift), sign);
        low[q] = _mm512_permutex2var_epi32(first, even, second);
        high[q] = _mm512_permutex2var_epi32(first, odd, second);
    }
    for (int64_t at = 0; at < count; at++, out += stride) {
        const __m512i negated = _mm512_set1_epi32(powers[at].negated);
        const __m512 inverse = _mm512_set1_ps(powers[at].inverse);
        __m512i rest[4];
#pragma GCC unroll 4
        for (int q = 0; q < 4; q++) {
            __m512i sum = _mm512_set1_epi32(powers[at].start);
            sum = _mm512_dpbusd_epi32(sum, low[q], _mm512_set1_epi32(powers[at].low));
            if (!is_short)
                sum = _mm512_dpbusd_epi32(sum, high[q], _mm512_set1_epi32(powers[at].high));
            const __m512 times = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), inverse, _mm512_set1_ps(1.0f / 512));
            rest[q] = _mm512_dpwssd_epi32(sum, _mm512_cvtps_epi32(times), negated);
        }
        const __m512i pairs = _mm512_packs_epi32(rest[0], rest[1]), others = _mm512_packs_epi32(rest[2], rest[3]);
        const __m512i packed = _mm512_permutexvar_epi32(order, _mm512_packs_epi16(pairs, others));
        if (streams)
            _mm512_stream_si512((__m512i *)(void *)out, packed);
        else
            _mm512_mask_storeu_epi8(out, exists, packed);
    }
}

/* Writes residues of all moduli of a piece of a row; a piece ends in numbers that may be anything. */
static void split_piece_512(const double *piece, int64_t count, int64_t shift, int64_t digits, const reducer *powers,
                            int64_t moduli, int8_t *out, int64_t stride)
{
    const __m512d by = _mm512_set1_pd((double)shift);
    for (int64_t c = 0; c < count; c += 64) {
        const int64_t rest = count - c;
        const __mmask64 exists = rest >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << rest) - 1;
        if (digits <= SHORT_DIGITS)
            split_sixty_four(piece + c, by, 1, powers, moduli, out + c, stride, exists);
        else
            split_sixty_four(piece + c, by, 0, powers, moduli, out + c, stride, exists);
    }
}

/* Adds residues of 32 columns times the limbs of their weights to zero. */
static inline __attribute__((always_inline)) void add_limbs_512(
    const int8_t *residues, int64_t stride, const double *weights, int64_t count, const int limbs, double sum[4][JOINED_COLS])
{
    __m512d total[4][4];
#pragma GCC unroll 4
    for (int limb = 0; limb < limbs; limb++)
#pragma GCC unroll 4
        for (int q = 0; q < 4; q++)
            total[limb][q] = _mm512_setzero_pd();
    for (int64_t at = 0; at < count; at++, residues += stride, weights += 4) {
#pragma GCC unroll 4
        for (int q = 0; q < 4; q++) {
            const __m128i eight = _mm_loadl_epi64((const __m128i *)(const void *)(residues + 8 * q));
            const __m512d residue = _mm512_cvtepi32_pd(_mm256_cvtepi8_epi32(eight));
#pragma GCC unroll 4
            for (int limb = 0; limb < limbs; limb++)
                total[limb][q] = _mm512_fmadd_pd(residue, _mm512_set1_pd(weights[limb]), total[limb][q]);
        }
    }
#pragma GCC unroll 4
    for (int limb = 0; limb < limbs; limb++)
#pragma GCC unroll 4
        for (int q = 0; q < 4; q++)
            _mm512_storeu_pd(sum[limb] + 8 * q, total[limb][q]);
}
