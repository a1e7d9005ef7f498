/* Runs every kernel of this processor on small ragged shapes, without Python. It compares the product with a plain one,
 * and checks wins, leaves and Freivalds' check against plain C. `make sanitize` runs it under ASan and UBSan, `make
 * cross` as an Arm program if qemu is installed. Buffers have the exact size, so that any step beyond them is detected. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "floats.h"
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

typedef struct {
    int64_t m, n, k;
    int8_t *x, *w;
} operands;

typedef struct {
    int32_t *product;
    uint32_t *wins;
    int64_t win_count;
    uint8_t *leaves, *parents;
} results;

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static inos_side make_side(int kernel, const operands *o, int is_x, int64_t panels)
{
    inos_side side = {.raw = is_x ? o->x : o->w, .rows = is_x ? o->m : o->n, .cols = o->k, .is_x = is_x};
    const uint32_t seed = is_x ? 7 : 8, other = is_x ? 8 : 7;
    const uint32_t others[8] = {other};
    const size_t size = (size_t)(panels * STEPS * STEP);
    uint8_t *perms = allocate(size), *inverse = allocate(size), *unused = allocate(size);
    side.seed[0] = seed;
    inos_run_draw_perms(kernel, side.seed, 0, panels * STEPS, perms, unused);
    inos_run_draw_perms(kernel, others, 0, panels * STEPS, unused, inverse);
    free(unused);
    side.perms = perms;
    side.inverse = inverse;
    return side;
}

/* Multiplies panels [first, last) with either side kept; W's sums are made once more from what was packed. */
static void run_slab(int kernel, inos_slab *slab, int64_t first, int64_t last, results *made)
{
    const int64_t strips = slab->kept_last, panels = last - first;
    const int64_t scale = inos_x_scale(kernel), tile = slab->tile_streamed, tickets = tile * slab->tile_kept;
    inos_worker worker = {.packed = allocate((size_t)(tile * panels * STRIP_BYTES * (slab->keeps_x ? 1 : scale))),
                          .peel = allocate((size_t)(tile * PEEL_WORDS * 2)),
                          .scratch = allocate((size_t)(tickets * ROWS * ROWS * 4)),
                          .wins = allocate((size_t)(tickets * WIN_WORDS * 4))};
    slab->x.first_panel = slab->w.first_panel = first;
    slab->x.last_panel = slab->w.last_panel = last;
    slab->kept = allocate((size_t)(strips * panels * STRIP_BYTES * (slab->keeps_x ? scale : 1)));
    slab->kept_peel = allocate((size_t)(strips * PEEL_WORDS * 2));
    slab->adds = first > 0;
    for (slab->is_packed = 0; slab->is_packed < 2 - slab->keeps_x; slab->is_packed++) {
        slab->next = 0;
        inos_run_keep(kernel, slab);
    }
    slab->next = 0;
    for (int again = 1; again;) {
        again = inos_run_multiply(kernel, slab, &worker);
        memcpy(made->wins + made->win_count * WIN_WORDS, worker.wins, (size_t)(worker.win_count * WIN_WORDS * 4));
        made->win_count += worker.win_count;
    }
    free(worker.packed), free(worker.peel), free(worker.scratch), free(worker.wins);
    free(slab->kept), free(slab->kept_peel);
}

static int compare_wins(const void *a, const void *b)
{
    return memcmp(a, b, WIN_WORDS * 4);
}

static results run(int kernel, const operands *o, int keeps_x, int64_t most, int needs_rows)
{
    const int64_t i = divide_up(o->m, ROWS), j = divide_up(o->n, ROWS), p = divide_up(o->k, PANEL);
    results made = {allocate((size_t)(o->m * o->n * 4)), allocate((size_t)(i * j * p * WIN_WORDS * 4)), 0,
                    allocate((size_t)(i * p * 32)), allocate((size_t)((i * p + 1) / 2 * 32))};
    inos_slab slab = {.x = make_side(kernel, o, 1, p), .w = make_side(kernel, o, 0, p), .keeps_x = keeps_x,
                      .kept_last = keeps_x ? i : j, .streamed_last = keeps_x ? j : i, .tile_kept = 16, .tile_streamed = 4, .threads = 1,
                      .out = needs_rows ? made.product : 0};
    inos_leaves leaves = {.raw = o->x, .rows = o->m, .cols = o->k, .context = "inos v1 matrix strip",
                          .leaves = made.leaves};
    memset(slab.target, 0xff, sizeof slab.target);
    for (int64_t first = 0; first < p; first += most)
        run_slab(kernel, &slab, first, first + most < p ? first + most : p, &made);
    qsort(made.wins, (size_t)made.win_count, WIN_WORDS * 4, compare_wins);
    inos_run_hash_leaves(kernel, &leaves);
    if (made.win_count != i * j * p || leaves.is_bad)
        made.win_count = -1;
    inos_run_hash_parents(kernel, made.leaves, i * p, "inos v1 matrix node", made.parents);
    free((void *)slab.x.perms), free((void *)slab.x.inverse), free((void *)slab.w.perms), free((void *)slab.w.inverse);
    return made;
}

static void release(results made)
{
    free(made.product), free(made.wins), free(made.leaves), free(made.parents);
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

/* Checks a small product in one call, with nothing known of W and with all, where every ticket wins and where none does,
 * and that an entry out of range is noticed. */
static int checks_small_products(int kernel, const operands *o, int64_t tickets)
{
    const size_t panels = (size_t)divide_up(o->k, PANEL);
    uint8_t anchor[32] = {1}, ids[32], seeds[32], has_won = 2;
    inos_products job = {.x = o->x, .w = o->w, .x_rows = o->m, .w_rows = o->n, .cols = o->k, .last = 1, .anchor = anchor,
                         .w_ids = ids, .w_seeds = seeds, .w_perms = allocate(panels * PANEL),
                         .w_inverse = allocate(panels * PANEL), .tile_streamed = 4,
                         .out = allocate((size_t)(o->m * o->n * 4)), .has_won = &has_won};
    int is_right = 1;
    for (int way = 0; way < 4; way++) {
        job.keeps_x = way % 2, job.w_known = way < 2 ? 0 : 2;
        memset(job.target, way % 2 ? 0xff : 0, sizeof job.target);
        job.memory = allocate((size_t)inos_products_bytes(kernel, &job));
        memset(job.out, 0, (size_t)(o->m * o->n * 4));
        is_right &= inos_run_products(kernel, &job) && is_product(o, job.out) && job.tickets == tickets
            && has_won == way % 2;
        free(job.memory);
    }
    const int32_t modulus = 113;
    job.memory = allocate((size_t)inos_products_bytes(kernel, &job));
    job.moduli = &modulus, job.reduced = allocate((size_t)(o->m * o->n));
    job.w_known = 0, job.team = &job, job.threads = 1;
    is_right &= inos_run_products(kernel, &job) && job.tickets == tickets;
    for (int64_t at = 0; at < o->m * o->n; at++)
        is_right &= (job.out[at] - job.reduced[at]) % modulus == 0 && abs(job.reduced[at]) <= 112;
    job.next = 0;
    o->x[o->m * o->k - 1] ^= 64;
    is_right &= !inos_run_products(kernel, &job);
    o->x[o->m * o->k - 1] ^= 64;
    free(job.memory), free(job.w_perms), free(job.w_inverse), free(job.out), free(job.reduced);
    return is_right;
}

/* Checks that a right Y is accepted, and one with a wrong bit is not. */
static int checks_products(int kernel, const operands *o, int32_t *product)
{
    inos_check job = {.x = o->x, .w = o->w, .y = product, .m = o->m, .n = o->n, .k = o->k,
                      .vectors = draw_bytes((size_t)(o->n * VECTORS), 0, 256),
                      .projected = allocate((size_t)(o->k * VECTORS * 8)),
                      .form_r = allocate((size_t)(inos_r_row_bytes(kernel) * (o->n + 63))),
                      .form_p = allocate((size_t)(inos_p_row_bytes(kernel) * (o->k + 63)))};
    inos_run_start_check(kernel, &job);
    inos_run_project(kernel, &job);
    inos_run_form_p(kernel, &job);
    job.next = 0;
    inos_run_compare(kernel, &job);
    const int accepts = !job.is_wrong;
    product[o->m * o->n - 1] ^= 1 << 16;
    job.next = 0;
    inos_run_compare(kernel, &job);
    product[o->m * o->n - 1] ^= 1 << 16;
    free((void *)job.vectors), free(job.projected), free(job.form_r), free(job.form_p);
    return accepts && job.is_wrong;
}

/* Checks ticket (1, 0, 1) of a 17 x 1025 matrix of zeros with itself against the numpy reference, and that any changed
 * bit is noticed. */
static int checks_certificates(int kernel)
{
    static const uint8_t leaf[32] = {
        0x35, 0x68, 0x82, 0x9c, 0x34, 0x05, 0xae, 0xa9, 0x8e, 0x1a, 0x1a, 0x58, 0x1d, 0x05, 0x76, 0x7a,
        0xc7, 0xe0, 0x65, 0xb6, 0xa2, 0xef, 0x44, 0x1c, 0x2c, 0x93, 0x3c, 0x4d, 0x7d, 0x21, 0xbc, 0x1e};
    static const uint8_t node[32] = {
        0x8f, 0x43, 0x1a, 0x65, 0x9b, 0xdc, 0x4d, 0x7c, 0xa2, 0xd4, 0x4a, 0x6a, 0x72, 0x4f, 0xa2, 0x77,
        0x89, 0x61, 0xd4, 0x06, 0xf9, 0x98, 0xf2, 0x5d, 0x38, 0x3f, 0x48, 0x80, 0x00, 0x6e, 0xe3, 0x8b};
    static const uint8_t root[32] = {
        0x83, 0xf9, 0x5c, 0xcd, 0x63, 0x67, 0xd8, 0xd5, 0x56, 0x8c, 0xa9, 0x88, 0x24, 0x7f, 0x24, 0x0c,
        0xa8, 0xef, 0xa6, 0x49, 0x9d, 0xc5, 0x46, 0x11, 0x67, 0x16, 0xfe, 0xb1, 0xfa, 0x3b, 0x22, 0xbf};
    static const uint8_t id[32] = {
        0xb6, 0xf3, 0xd9, 0xbf, 0xe8, 0xf8, 0x0c, 0x12, 0x43, 0x9c, 0x55, 0xe6, 0x62, 0x23, 0xd2, 0x3f,
        0x36, 0xf5, 0x4b, 0x13, 0x78, 0x3f, 0x73, 0x5a, 0x5b, 0x8b, 0xd8, 0x48, 0xdf, 0x88, 0x0f, 0x66};
    static const uint8_t digest[32] = {
        0x85, 0x32, 0x0a, 0xec, 0xd5, 0x73, 0x87, 0x17, 0x2a, 0xc8, 0x88, 0xe6, 0xa8, 0x32, 0x4c, 0xda,
        0x7e, 0xcf, 0x60, 0x6e, 0x0e, 0xa6, 0x18, 0x9c, 0xca, 0x5c, 0x69, 0x22, 0x3a, 0x15, 0xdb, 0xda};
    uint8_t path[64], wrong[32], ends[64], *data = allocate(STRIP_BYTES);
    memcpy(path, leaf, 32);
    memcpy(path + 32, node, 32);
    memset(ends, 0, 32);
    memset(ends + 32, 0xff, 32);
    memcpy(wrong, digest, 32);
    wrong[31] ^= 1;
    inos_opened x = {.rows = 17, .cols = 1025, .id = id, .root = root, .strip = 1, .data = (int8_t *)data, .path = path,
                     .path_length = 2}, w = x;
    w.strip = 0;
    const inos_proof right = {x, w, 1, ends, ends + 32, digest};
    inos_proof other = right, high = right, shifted = right;
    other.digest = wrong;
    high.target = ends;
    shifted.panel = 0;
    int is_right = inos_run_verify(kernel, &right) && !inos_run_verify(kernel, &other)
        && !inos_run_verify(kernel, &high) && !inos_run_verify(kernel, &shifted);
    data[0] = 1;
    is_right &= !inos_run_verify(kernel, &right);
    free(data);
    return is_right;
}

int main(void)
{
    static const int64_t shapes[][3] = {{1, 1, 1},     {17, 33, 65},    {16, 16, 1024}, {50, 70, 1100},
                                        {33, 97, 2049}, {5, 130, 17000}, {129, 31, 64}};
    const int plain = inos_count() - 1;
    int failed = 0;
    for (int kernel = 0; kernel < inos_count(); kernel++)
        if (inos_is_supported(kernel)) {
            const int is_right = checks_floats(kernel);
            printf("%-10s floats              %s\n", inos_name(kernel), is_right ? "ok" : "WRONG");
            failed |= !is_right;
        }
    for (size_t at = 0; at < sizeof shapes / sizeof shapes[0]; at++) {
        operands o = {.m = shapes[at][0], .n = shapes[at][1], .k = shapes[at][2]};
        o.x = (int8_t *)draw_bytes((size_t)(o.m * o.k), -64, 128);
        o.w = (int8_t *)draw_bytes((size_t)(o.n * o.k), -64, 128);
        const results expected = run(plain, &o, 0, 16, 1);
        for (int way = 0; way < 2 * inos_count(); way++) {
            const int kernel = way / 2;
            if (!inos_is_supported(kernel))
                continue;
            const results got = run(kernel, &o, way % 2, way % 2 ? 1 : 16, 1);
            const results tickets = run(kernel, &o, way % 2, way % 2 ? 1 : 16, 0);
            const int64_t strips = divide_up(o.m, ROWS) * divide_up(o.k, PANEL);
            const int is_right = got.win_count == expected.win_count && got.win_count > 0 && is_product(&o, got.product)
                && !memcmp(got.wins, expected.wins, (size_t)(got.win_count * WIN_WORDS * 4))
                && tickets.win_count == got.win_count
                && !memcmp(tickets.wins, got.wins, (size_t)(got.win_count * WIN_WORDS * 4))
                && !memcmp(got.leaves, expected.leaves, (size_t)(strips * 32))
                && !memcmp(got.parents, expected.parents, (size_t)((strips + 1) / 2 * 32))
                && checks_products(kernel, &o, got.product) && checks_certificates(kernel)
                && (strips > 64 || checks_small_products(kernel, &o, got.win_count));
            printf("%-10s %4d x %4d x %5d %s\n", inos_name(kernel), (int)o.m, (int)o.n, (int)o.k,
                   is_right ? "ok" : "WRONG");
            failed |= !is_right;
            release(got);
            release(tickets);
        }
        release(expected);
        free(o.x), free(o.w);
    }
    return failed;
}
