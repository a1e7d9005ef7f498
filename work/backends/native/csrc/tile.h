/* One tile of Y from packed operands: product and fold panel by panel, ticket hashes, peeling.
 *
 * The including file gives, for n adjacent strips of W (n <= TILE_W or PEEL_W), strides in elements:
 *   product(x, w, w_stride, n, acc, acc_is_new, states, bare)   acc: n blocks of 16 x 16 int32, added to
 *   peel(x, w, w_stride, n, acc)                                acc += negated corrections, one chunk
 */
static void write_block(const int32_t *block, int32_t *out, int64_t stride, int64_t rows, int64_t cols)
{
    if (rows >= ROWS && cols >= ROWS) {
        for (int r = 0; r < ROWS; r++)
            memcpy(out + r * stride, block + r * ROWS, 4 * ROWS);
        return;
    }
    for (int64_t r = 0; r < rows && r < ROWS; r++)
        memcpy(out + r * stride, block + r * ROWS, (size_t)(4 * inos_min(cols, ROWS)));
}

static void finish_tile(inos_tile *job)
{
    const int64_t chunks = inos_chunks(job->panels);
    for (int64_t j = 0; j < job->w_strips; j += PEEL_W)
        for (int64_t i = 0; i < job->x_strips; i++) {
            const int n = (int)inos_min(PEEL_W, job->w_strips - j);
            int32_t *block = job->scratch + (i * job->w_strips + j) * ROWS * ROWS;
            if (!job->bare)
                for (int64_t c = 0; c < chunks; c++)
                    peel(job->peel_x + (i * chunks + c) * PEEL_WORDS, job->peel_w + (j * chunks + c) * PEEL_WORDS,
                         chunks * PEEL_WORDS, n, block);
            for (int s = 0; s < n; s++)
                write_block(block + s * ROWS * ROWS, job->out + i * ROWS * job->out_stride + (j + s) * ROWS,
                            job->out_stride, job->out_rows - i * ROWS, job->out_cols - (j + s) * ROWS);
        }
}

static void tile(inos_tile *job)
{
    uint32_t states[MAX_TILE_TICKETS * STATE_WORDS] __attribute__((aligned(64)));
    const int64_t stride = job->panels * STRIP_BYTES;
    for (int64_t p = 0; p < job->panels; p++) {
        for (int64_t j = 0; j < job->w_strips; j += TILE_W) {
            const int n = (int)inos_min(TILE_W, job->w_strips - j);
            const int8_t *w = job->w + j * stride + p * STRIP_BYTES;
#ifdef WIDEN_W
            int16_t wide[2 * STRIP_BYTES / 2] __attribute__((aligned(64)));
            WIDEN_W(w, wide);
#else
            const int8_t *wide = w;
#endif
            if (inos_is_stopped(job->stop))
                return;
            for (int64_t i = 0; i < job->x_strips; i++)
                product(job->x + (i * stride + p * STRIP_BYTES) * X_SCALE, wide, stride, n,
                        job->scratch + (i * job->w_strips + j) * ROWS * ROWS, p == 0,
                        states + (i * job->w_strips + j) * STATE_WORDS, job->bare);
        }
        if (!job->bare)
            draw_tickets(job, states, p);
    }
    finish_tile(job);
}
