/* AVX512-VBMI: one look-up of 64 bytes yields a row's noise over 64 columns, and another the order that puts columns
 * with the same noise column together. A panel is processed row by row, as it lies in memory, and transposed from the
 * first-level cache afterwards, unless it is X's and multiplied in tiles, which takes rows. */
#define PACK_PANEL pack_panel_vbmi

/* Writes 64 columns of a row every `step` bytes from `line` on. */
static inline __attribute__((always_inline)) void add_row(
    const panel_view *view, int64_t row, __m512i noise, uint8_t *line, const int64_t step, int16_t *sums, const int is_x)
{
    const int8_t *raw = view->raw + row * view->stride;
    const __mmask64 exists = row < view->rows ? ~(__mmask64)0 : 0;
    __m512i low = _mm512_setzero_si512(), high = low;
    if (sums) {
        low = _mm512_loadu_si512(sums);
        high = _mm512_loadu_si512(sums + 32);
    }
    for (int64_t left = 0; left < PANEL; left += STEP) {
        const int64_t cols = view->cols - left;
        const __mmask64 mask = cols >= STEP ? exists : cols > 0 ? exists & (((__mmask64)1 << cols) - 1) : 0;
        const __m512i perm = _mm512_loadu_si512(view->perms + left);
        const __m512i entries = _mm512_maskz_loadu_epi8(mask, mask ? raw + left : view->raw);
        const __m512i noisy = _mm512_add_epi8(entries, _mm512_permutexvar_epi8(perm, noise));
        __builtin_prefetch((const void *)(view->next + (uintptr_t)(row * view->stride + left)), 0, 2);
        _mm512_storeu_si512(line + left / STEP * step, noisy);
        if (sums) {
            const __m512i inverse = _mm512_loadu_si512(view->inverse + left);
            const __m512i sorted = _mm512_permutexvar_epi8(inverse, is_x ? entries : noisy);
            low = _mm512_add_epi16(low, _mm512_cvtepi8_epi16(_mm512_castsi512_si256(sorted)));
            high = _mm512_add_epi16(high, _mm512_cvtepi8_epi16(_mm512_extracti64x4_epi64(sorted, 1)));
        }
    }
    if (sums) {
        _mm512_storeu_si512(sums, low);
        _mm512_storeu_si512(sums + 32, high);
    }
}

static void pack_panel_vbmi(const panel_view *view, uint8_t noise[ROWS][RANK], uint8_t *out, int16_t (*sums)[RANK])
{
    uint8_t lines[ROWS][PANEL] __attribute__((aligned(64)));
#ifdef INOS_AMX
    for (int64_t r = 0; view->is_x && r < ROWS; r++)
        add_row(view, r, _mm512_loadu_si512(noise[r]), out + r * STEP, STEP_BYTES, sums ? sums[r] : 0, 1);
    if (view->is_x)
        return;
#endif
    for (int64_t r = 0; r < ROWS; r++)
        if (view->is_x)
            add_row(view, r, _mm512_loadu_si512(noise[r]), lines[r], STEP, sums ? sums[r] : 0, 1);
        else
            add_row(view, r, _mm512_loadu_si512(noise[r]), lines[r], STEP, sums ? sums[r] : 0, 0);
    for (int64_t left = 0; left < PANEL; left += STEP, out += STEP_BYTES)
        transpose(lines[0] + left, PANEL, out);
}
