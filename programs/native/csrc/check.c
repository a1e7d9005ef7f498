/* The check of compiled code before it runs. The program's checker has established all of this already; it is asserted
 * again here, so that a mistake of the compiler in Python is an error and no access outside an array. */
#include <stdlib.h>
#include <string.h>

#include "code.h"

/* What is checked, and where: a plan's values that are live at this point, and the next word. */
typedef struct {
    const int64_t *code;
    int64_t words, at;
    const inos_plan *plan;
    const inos_shape *shapes;
    uint8_t *live;
    int depth;
} inos_checked;

static int is_plan(const int64_t *code, int64_t words, int64_t at, int depth);

/* Returns the next `count` records of `size` words, or NULL if the code ends before. */
static const void *take(inos_checked *c, int64_t count, int64_t size)
{
    if (count < 0 || count > c->words || c->words - c->at < count * size)
        return NULL;
    const int64_t *found = c->code + c->at;
    c->at += count * size;
    return found;
}

static int is_shape(const inos_shape *shape)
{
    int is_size = shape->rows >= 1 && shape->cols >= 1 && shape->rows <= MAX_SIZE && shape->cols <= MAX_SIZE &&
                  shape->rows * shape->cols <= MAX_SIZE;
    return is_size && (shape->width == 1 || shape->width == 4 || shape->width == 8);
}

static int is_live(const inos_checked *c, int64_t value)
{
    return value >= 0 && value < c->plan->values && c->live[value];
}

static int is_same(const inos_shape *a, const inos_shape *b)
{
    return a->rows == b->rows && a->cols == b->cols;
}

static int is_register(int64_t number)
{
    return number >= 0 && number < MAX_REGISTERS;
}

static int is_lane(int64_t lane)
{
    return lane == 2 || lane == 4 || lane == 8;
}

/* Adds the reach of some dimensions, and returns the product of their lengths, or 0 if they are not allowed. */
static int64_t measure(const inos_dim *dims, int64_t count, int64_t *least, int64_t *most)
{
    int64_t total = 1;
    for (int64_t d = 0; d < count; d++) {
        int64_t length = dims[d].length, stride = dims[d].stride;
        if (length < 1 || length > MAX_SIZE || total * length > MAX_SIZE || stride < -MAX_SIZE || stride > MAX_SIZE)
            return 0;
        total *= length;
        int64_t reach = (length - 1) * stride; /* at most 2^62 */
        int64_t *bound = reach < 0 ? least : most;
        if (reach > INT64_MAX - MAX_SIZE - *most || reach < INT64_MIN + MAX_SIZE - *least)
            return 0;
        *bound += reach;
    }
    return total;
}

static int is_leaf(inos_checked *c, const inos_chain *chain, uint8_t *lanes)
{
    const inos_leaf *leaf = take(c, 1, sizeof *leaf / 8);
    if (!leaf || leaf->row_dims < 1 || leaf->row_dims > MAX_DIMENSIONS || leaf->col_dims < 1 ||
        leaf->col_dims > MAX_DIMENSIONS || !take(c, leaf->row_dims + leaf->col_dims, sizeof(inos_dim) / 8))
        return 0;
    if (!is_live(c, leaf->value) || !is_register(leaf->target) || !is_lane(leaf->lane) || leaf->offset < 0 ||
        leaf->offset > MAX_SIZE)
        return 0;
    const inos_shape *shape = &c->shapes[leaf->value];
    if (shape->width == 8 && leaf->lane != 8)
        return 0;
    lanes[leaf->target] = (uint8_t)leaf->lane;
    int64_t least = leaf->offset, most = leaf->offset;
    return measure(get_dims(leaf), leaf->row_dims, &least, &most) == chain->rows &&
           measure(get_dims(leaf) + leaf->row_dims, leaf->col_dims, &least, &most) == chain->cols && least >= 0 &&
           most < shape->rows * shape->cols;
}

/* lanes: of each register's entries, 0 if it has none yet. */
static int is_instruction(inos_checked *c, uint8_t *lanes, const uint8_t *is_leaf_register)
{
    const inos_instruction *in = take(c, 1, sizeof *in / 8);
    if (!in || in->op < 0 || in->op >= OPERATIONS || !is_lane(in->lane) || !is_register(in->target) ||
        !is_register(in->a) || !is_register(in->b) || lanes[in->a] != in->lane || in->target == in->a ||
        in->target == in->b || is_leaf_register[in->target])
        return 0;
    int64_t lane = in->lane;
    int is_binary = in->op == ADD || in->op == MUL || in->op == MUL_LONG || in->op == DIV;
    if (is_binary && lanes[in->b] != in->lane)
        return 0;
    switch (in->op) {
    case MUL:
        if (in->p < 0 || in->p >= 8 * lane || in->q < 0 || in->q > (INT64_C(1) << 61))
            return 0;
        break;
    case MUL_LONG:
        if (lane != 4 || in->p < 0 || in->p > 62 || in->q < 0 || in->q > (INT64_C(1) << 61) || (in->r != 4 && in->r != 8))
            return 0;
        lane = in->r;
        break;
    case DIV:
        if (lane == 2)
            return 0;
        break;
    case TABLE:
        if (!is_live(c, in->p) || c->shapes[in->p].rows != 1 || c->shapes[in->p].width != in->r)
            return 0;
        lane = in->r == 1 ? 2 : in->r;
        break;
    case CONVERT:
        if (!is_lane(in->p))
            return 0;
        lane = in->p;
        break;
    default: break;
    }
    lanes[in->target] = (uint8_t)lane;
    return 1;
}

static int is_chain(inos_checked *c, const inos_step *step)
{
    const inos_chain *chain = take(c, 1, sizeof *chain / 8);
    uint8_t lanes[MAX_REGISTERS] = {0}, loaded[MAX_REGISTERS];
    if (!chain || step->results != 1 || chain->rows < 1 || chain->cols < 1 || chain->rows > MAX_SIZE ||
        chain->cols > MAX_SIZE || chain->rows * chain->cols > MAX_SIZE || chain->finish < 0 || chain->finish >= FINISHES ||
        chain->leaves < 1 || chain->leaves > MAX_LEAVES || chain->instructions < 0 ||
        chain->instructions > MAX_INSTRUCTIONS || !is_register(chain->last))
        return 0;
    for (int64_t n = 0; n < chain->leaves; n++)
        if (!is_leaf(c, chain, lanes))
            return 0;
    memcpy(loaded, lanes, sizeof loaded); /* a register that was loaded may be the value's own memory */
    for (int64_t n = 0; n < chain->instructions; n++)
        if (!is_instruction(c, lanes, loaded))
            return 0;
    if (lanes[chain->last] != chain->lane || chain->wide < 0 || chain->wide > 1 || (chain->finish != STORE && chain->lane == 8 && !chain->wide))
        return 0;
    const inos_shape *out = &c->shapes[step->result];
    int64_t size = out->rows * out->cols;
    switch (chain->finish) {
    case STORE: return size == chain->rows * chain->cols;
    case SUM_ROWS: case MAX_ROWS: return size == chain->rows;
    default: return size == chain->cols;
    }
}

static int is_product(const inos_checked *c, const inos_step *step, const inos_product *product)
{
    if (!product || step->operands != 2 || step->results != 1 || product->blocks < 1)
        return 0;
    const inos_shape *x = &c->shapes[get_operands(step)[0]], *w = &c->shapes[get_operands(step)[1]];
    const inos_shape *y = &c->shapes[step->result];
    return x->width == 1 && w->width == 1 && y->width == 4 && x->cols == w->cols && x->cols <= MAX_DEPTH &&
           x->rows % product->blocks == 0 && w->rows % product->blocks == 0 && y->rows == x->rows &&
           y->cols == w->rows / product->blocks;
}

static int is_concat(const inos_checked *c, const inos_step *step, const inos_concat *concat)
{
    int64_t rows = 0, cols = 0;
    const inos_shape *out = &c->shapes[step->result];
    for (int64_t n = 0; n < step->operands; n++) {
        const inos_shape *part = &c->shapes[get_operands(step)[n]];
        if (concat->axis == 0 ? part->cols != out->cols : part->rows != out->rows)
            return 0;
        rows += part->rows;
        cols += part->cols;
    }
    return concat->axis == 0 ? rows == out->rows : concat->axis == 1 && cols == out->cols;
}

static int is_repeat(const inos_checked *c, const inos_step *step, const inos_repeat *repeat)
{
    int64_t position = (const int64_t *)step - c->code;
    if (repeat->body < 1 || repeat->body >= position || !is_plan(c->code, position, repeat->body, c->depth + 1))
        return 0;
    const inos_plan *body = (const inos_plan *)(c->code + repeat->body);
    const inos_shape *shapes = get_shapes(body);
    if (repeat->count < 1 || repeat->count > MAX_SIZE || repeat->carried < 0 || repeat->scanned < 0 ||
        repeat->carried + repeat->scanned > body->inputs || body->inputs != step->operands ||
        body->outputs != step->results || repeat->carried > body->outputs)
        return 0;
    for (int64_t n = 0; n < body->inputs; n++) {
        inos_shape wanted = shapes[n];
        if (n >= repeat->carried && n < repeat->carried + repeat->scanned)
            wanted.rows *= repeat->count;
        if (!is_same(&c->shapes[get_operands(step)[n]], &wanted))
            return 0;
    }
    for (int64_t n = 0; n < body->outputs; n++) {
        inos_shape made = shapes[get_outputs(body)[n]];
        const inos_shape *result = &c->shapes[step->result + n];
        if (n < repeat->carried && (!is_same(&made, &shapes[n]) || result->width != shapes[n].width))
            return 0;
        if (n >= repeat->carried && made.width != result->width)
            return 0;
        made.rows *= n < repeat->carried ? 1 : repeat->count;
        if (!is_same(&made, result))
            return 0;
    }
    return 1;
}

static int is_step(inos_checked *c)
{
    const int64_t start = c->at;
    const inos_step *step = take(c, 1, sizeof *step / 8);
    const int64_t *operands = step ? take(c, step->operands, 1) : NULL, *dead = operands ? take(c, step->dead, 1) : NULL;
    if (!dead || step->result < c->plan->inputs || step->results < 1 || step->results > c->plan->values ||
        step->result > c->plan->values - step->results)
        return 0;
    for (int64_t n = 0; n < step->operands; n++)
        if (!is_live(c, operands[n]))
            return 0;
    for (int64_t n = 0; n < step->results; n++)
        if (c->live[step->result + n])
            return 0;
    const void *details;
    int is_right = 0;
    switch (step->kind) {
    case CHAIN: is_right = is_chain(c, step); break;
    case CALL: is_right = take(c, 1, sizeof(inos_called) / 8) && step->results == 1 && step->operands <= 2; break;
    case PRODUCT: is_right = is_product(c, step, take(c, 1, sizeof(inos_product) / 8)); break;
    case GATHER:
        is_right = step->operands == 2 && step->results == 1 && c->shapes[operands[1]].cols == 1 &&
                   c->shapes[step->result].rows == c->shapes[operands[1]].rows &&
                   c->shapes[step->result].cols == c->shapes[operands[0]].cols &&
                   c->shapes[step->result].width == c->shapes[operands[0]].width;
        break;
    case CONCAT:
        details = take(c, 1, sizeof(inos_concat) / 8);
        is_right = details && step->results == 1 && step->operands >= 1 && is_concat(c, step, details);
        break;
    case REPEAT:
        details = take(c, 1, sizeof(inos_repeat) / 8);
        is_right = details && is_repeat(c, step, details);
        break;
    default: break;
    }
    if (!is_right || step->words != c->at - start)
        return 0;
    for (int64_t n = 0; n < step->results; n++)
        c->live[step->result + n] = 1;
    for (int64_t n = 0; n < step->dead; n++) {
        if (!is_live(c, dead[n]))
            return 0;
        c->live[dead[n]] = 0;
    }
    return 1;
}

static int is_plan_from(inos_checked *c)
{
    c->plan = take(c, 1, sizeof *c->plan / 8);
    if (!c->plan || c->plan->inputs < 0 || c->plan->inputs > c->plan->values)
        return 0;
    c->shapes = take(c, c->plan->values, sizeof *c->shapes / 8);
    const int64_t *outputs = c->shapes ? take(c, c->plan->outputs, 1) : NULL;
    if (!outputs || !(c->live = calloc((size_t)c->plan->values + 1, 1)))
        return 0;
    for (int64_t n = 0; n < c->plan->values; n++) {
        if (!is_shape(&c->shapes[n]))
            return 0;
        c->live[n] = n < c->plan->inputs;
    }
    for (int64_t n = 0; n < c->plan->steps; n++)
        if (!is_step(c))
            return 0;
    for (int64_t n = 0; n < c->plan->outputs; n++)
        if (!is_live(c, outputs[n]))
            return 0;
    return 1;
}

static int is_plan(const int64_t *code, int64_t words, int64_t at, int depth)
{
    inos_checked checked = {code, words, at, NULL, NULL, NULL, depth};
    int is_right = depth <= MAX_NESTING && is_plan_from(&checked);
    free(checked.live);
    return is_right;
}

int inos_check(const int64_t *code, int64_t words)
{
    return words > 0 && code[0] > 0 && code[0] < words && is_plan(code, words, code[0], 0);
}
