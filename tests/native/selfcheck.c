/* Every kernel this processor can run on small ragged shapes, without Python: the product against a plain one,
 * wins, leaves and Freivalds against plain C's. `make sanitize` runs it under ASan and UBSan, `make cross` as
 * an Arm program where qemu is installed. Buffers are of the exact size, so that any step beyond is seen.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inos_native.h"

static uint32_t random_state = 1;

static uint32_t draw(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    return random_state ^= random_state << 5;
}

static void *allocate(size_t bytes)
{
    void *memory = malloc(bytes);
    if (!memory)
        exit(2);
    return memset(memory, 0, bytes);
}

static uint8_t *draw_bytes(size_t count, int low, int range)
{
    uint8_t *bytes = allocate(count);
    for (size_t at = 0; at < count; at++)
        bytes[at] = (uint8_t)(low + (int)(draw() % (uint32_t)range));
    return bytes;
}

static uint8_t *draw_perms(int64_t steps, uint8_t **inverse)
{
    uint8_t *perms = allocate((size_t)(steps * STEP));
    *inverse = allocate((size_t)(steps * STEP));
    for (int64_t b = 0; b < steps; b++, perms += STEP) {
        for (int c = 0; c < STEP; c++)
            perms[c] = (uint8_t)c;
        for (int c = STEP - 1; c > 0; c--) {
            const int other = (int)(draw() % (uint32_t)(c + 1));
            const uint8_t kept = perms[c];
            perms[c] = perms[other];
            perms[other] = kept;
        }
        for (int c = 0; c < STEP; c++)
            (*inverse)[b * STEP + perms[c]] = (uint8_t)c;
    }
    return perms - steps * STEP;
}

typedef struct {
    int64_t m, n, k;
    int8_t *x, *w;
    uint8_t *noise_x, *noise_w, *perms_x, *perms_w, *inverse_x, *inverse_w;
} operands;

typedef struct {
    int32_t *product;
    uint32_t *wins;
    int64_t win_count;
    uint8_t *leaves;
} results;

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static results run(int kernel, const operands *o)
{
    const int64_t i = divide_up(o->m, ROWS), j = divide_up(o->n, ROWS), p = divide_up(o->k, PANEL);
    const int64_t chunks = divide_up(p, CHUNK_PANELS), scale = inos_x_scale(kernel);
    uint8_t *x = allocate((size_t)(i * p * STRIP_BYTES * scale)), *w = allocate((size_t)(j * p * STRIP_BYTES));
    int16_t *peel_x = allocate((size_t)(i * chunks * PEEL_WORDS * 2));
    int16_t *peel_w = allocate((size_t)(j * chunks * PEEL_WORDS * 2));
    inos_pack pack_x = {o->x, o->m, o->k, 0, i, p, o->noise_x, o->perms_x, o->inverse_w, x, peel_x, 0};
    inos_pack pack_w = {o->w, o->n, o->k, 0, j, p, o->noise_w, o->perms_w, 0, w, 0, 0};
    results made = {allocate((size_t)(o->m * o->n * 4)), allocate((size_t)(i * j * p * WIN_WORDS * 4)), 0,
                    allocate((size_t)(i * p * 32))};
    inos_tile tile = {.x = x, .peel_x = peel_x, .w = (int8_t *)w, .peel_w = peel_w, .x_strips = i, .w_strips = j,
                      .panels = p, .scratch = allocate((size_t)(i * j * ROWS * ROWS * 4)), .out = made.product,
                      .out_rows = o->m, .out_cols = o->n, .out_stride = o->n, .wins = made.wins};
    memset(tile.target, 0xff, sizeof tile.target);
    inos_run_pack(kernel, &pack_x);
    inos_run_pack(kernel, &pack_w);
    inos_run_sum_w(kernel, (int8_t *)w, j, p, o->noise_w, o->inverse_x, peel_w, 0);
    inos_run_tile(kernel, &tile);
    made.win_count = tile.win_count;
    if (tile.tickets != i * j * p || tile.win_count != tile.tickets)
        made.win_count = -1;
    if (inos_run_hash_leaves(kernel, o->x, o->m, o->k, 0, i, "inos v1 matrix strip", made.leaves, 0) != i)
        made.win_count = -1;
    free(x), free(w), free(peel_x), free(peel_w), free(tile.scratch);
    return made;
}

static int is_product(const operands *o, const int32_t *product)
{
    for (int64_t r = 0; r < o->m; r++)
        for (int64_t c = 0; c < o->n; c++) {
            int32_t sum = 0;
            for (int64_t t = 0; t < o->k; t++)
                sum += o->x[r * o->k + t] * o->w[c * o->k + t];
            if (sum != product[r * o->n + c])
                return 0;
        }
    return 1;
}

/* A right Y is accepted and one wrong bit is not. */
static int checks_products(int kernel, const operands *o, int32_t *product)
{
    const int64_t even_n = o->n + o->n % 2, even_k = o->k + o->k % 2;
    int16_t *columns = allocate((size_t)(even_n * VECTORS * 2)), *pairs = allocate((size_t)(even_n * VECTORS * 2));
    int16_t *limbs = allocate((size_t)(3 * even_k * VECTORS * 2));
    int64_t *projected = allocate((size_t)(o->k * VECTORS * 8)), sums[VECTORS] = {0};
    inos_check job = {o->x, product, o->k, o->n, pairs, limbs, 3, sums};
    for (int64_t row = 0; row < o->n; row++)
        for (int v = 0; v < VECTORS; v++) {
            const int16_t value = (int16_t)(draw() % 256);
            columns[v * even_n + row] = pairs[(row / 2 * VECTORS + v) * 2 + row % 2] = value;
            sums[v] += (int64_t)value << 15;
        }
    inos_run_project(kernel, o->w, o->n, o->k, columns, even_n, 0, o->k, projected);
    for (int64_t c = 0; c < o->k; c++)
        for (int v = 0; v < VECTORS; v++)
            for (int64_t limb = 0, rest = projected[c * VECTORS + v]; limb < 3; limb++) {
                const int16_t low = (int16_t)(rest & 0xffff);
                limbs[limb * even_k * VECTORS + (c / 2 * VECTORS + v) * 2 + c % 2] = low;
                rest = (rest - low) >> 16;
            }
    const int accepts = inos_run_check(kernel, &job, 0, o->m);
    product[o->m * o->n - 1] ^= 1 << 16;
    const int refuses = !inos_run_check(kernel, &job, 0, o->m);
    product[o->m * o->n - 1] ^= 1 << 16;
    free(columns), free(pairs), free(limbs), free(projected);
    return accepts && refuses;
}

int main(void)
{
    static const int64_t shapes[][3] = {{1, 1, 1},     {17, 33, 65},    {16, 16, 1024}, {50, 70, 1100},
                                        {33, 97, 2049}, {5, 130, 17000}, {129, 31, 64}};
    const int plain = inos_count() - 1;
    int failed = 0;
    for (size_t at = 0; at < sizeof shapes / sizeof shapes[0]; at++) {
        operands o = {.m = shapes[at][0], .n = shapes[at][1], .k = shapes[at][2]};
        const int64_t steps = divide_up(o.k, PANEL) * STEPS;
        o.x = (int8_t *)draw_bytes((size_t)(o.m * o.k), -64, 128);
        o.w = (int8_t *)draw_bytes((size_t)(o.n * o.k), -64, 128);
        o.noise_x = draw_bytes((size_t)(divide_up(o.m, ROWS) * ROWS * RANK), 64, 128);
        o.noise_w = draw_bytes((size_t)(divide_up(o.n, ROWS) * ROWS * RANK), -64, 128);
        o.perms_x = draw_perms(steps, &o.inverse_x);
        o.perms_w = draw_perms(steps, &o.inverse_w);
        const results expected = run(plain, &o);
        for (int kernel = 0; kernel < inos_count(); kernel++) {
            if (!inos_is_supported(kernel))
                continue;
            const results got = run(kernel, &o);
            const int64_t strips = divide_up(o.m, ROWS) * divide_up(o.k, PANEL);
            const int is_right = got.win_count == expected.win_count && got.win_count > 0 && is_product(&o, got.product)
                && !memcmp(got.wins, expected.wins, (size_t)(got.win_count * WIN_WORDS * 4))
                && !memcmp(got.leaves, expected.leaves, (size_t)(strips * 32))
                && checks_products(kernel, &o, got.product);
            printf("%-10s %4d x %4d x %5d %s\n", inos_name(kernel), (int)o.m, (int)o.n, (int)o.k,
                   is_right ? "ok" : "WRONG");
            failed |= !is_right;
            free(got.product), free(got.wins), free(got.leaves);
        }
        free(expected.product), free(expected.wins), free(expected.leaves);
        free(o.x), free(o.w), free(o.noise_x), free(o.noise_w);
        free(o.perms_x), free(o.perms_w), free(o.inverse_x), free(o.inverse_w);
    }
    return failed;
}
