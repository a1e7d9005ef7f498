/* The run of a program: values are allocated when they are made, and freed after the last step that reads them. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "code.h"

enum { DONE, ENDED, NO_MEMORY, OUT_OF_RANGE };

#define MAX_CALL_OPERANDS 2
/* The caller is asked this often if the run goes on. */
#define PATIENCE_NS 50000000

static const inos_target *const targets[] = {
#if defined(__x86_64__)
    &inos_avx512, &inos_avx2,
#endif
    &inos_portable,
};

typedef struct {
    const inos_target *target;
    const int64_t *code;
    inos_call call;
    void *handle;
    char *registers;
    struct timespec asked;
} inos_context;

/* One plan's values. `owned` are those that are freed here; others belong to the caller or the loop around. */
typedef struct {
    inos_frame frame;
    uint8_t *owned;
} inos_room;

int inos_count(void)
{
    return (int)(sizeof targets / sizeof targets[0]);
}

const char *inos_name(int target)
{
    return targets[target]->name;
}

int inos_is_supported(int target)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
#endif
    return targets[target]->is_supported();
}

static int run_plan(inos_context *context, inos_room *room, void *const *outputs);

static int open_room(inos_room *room, const inos_plan *plan)
{
    room->frame.plan = plan;
    room->frame.shapes = get_shapes(plan);
    room->frame.slots = calloc((size_t)plan->values, sizeof *room->frame.slots);
    room->owned = calloc((size_t)plan->values, 1);
    return room->frame.slots && room->owned ? DONE : NO_MEMORY;
}

static void give_up(inos_room *room, int64_t value)
{
    if (room->owned[value])
        free(room->frame.slots[value]);
    room->frame.slots[value] = NULL;
    room->owned[value] = 0;
}

static void close_room(inos_room *room)
{
    if (room->frame.slots && room->owned)
        for (int64_t value = 0; value < room->frame.plan->values; value++)
            give_up(room, value);
    free(room->frame.slots);
    free(room->owned);
}

/* Gives memory to the results that have none yet: outputs were given theirs before. */
static int make_results(inos_room *room, const inos_step *step)
{
    for (int64_t value = step->result; value < step->result + step->results; value++)
        if (!room->frame.slots[value]) {
            room->frame.slots[value] = malloc((size_t)count_bytes(&room->frame.shapes[value]));
            if (!room->frame.slots[value])
                return NO_MEMORY;
            room->owned[value] = 1;
        }
    return DONE;
}

static int is_going_on(inos_context *context)
{
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now))
        return 1;
    int64_t passed = (int64_t)(now.tv_sec - context->asked.tv_sec) * 1000000000 + now.tv_nsec - context->asked.tv_nsec;
    if (passed < PATIENCE_NS)
        return 1;
    context->asked = now;
    return !context->call(context->handle, -1, NULL, NULL);
}

static int run_call(inos_context *context, const inos_frame *frame, const inos_step *step)
{
    const inos_called *called = get_details(step);
    void *operands[MAX_CALL_OPERANDS];
    for (int64_t n = 0; n < step->operands; n++)
        operands[n] = frame->slots[get_operands(step)[n]];
    return context->call(context->handle, called->number, operands, frame->slots[step->result]) ? ENDED : DONE;
}

static void run_product(const inos_context *context, const inos_frame *frame, const inos_step *step)
{
    const inos_product *product = get_details(step);
    int64_t x = get_operands(step)[0], w = get_operands(step)[1];
    context->target->multiply(&frame->shapes[x], &frame->shapes[w], product->blocks, frame->slots[x], frame->slots[w],
                              frame->slots[step->result], context->registers);
}

static int run_gather(const inos_frame *frame, const inos_step *step)
{
    int64_t source = get_operands(step)[0], named = get_operands(step)[1];
    const char *table = frame->slots[source], *index = frame->slots[named];
    char *out = frame->slots[step->result];
    const inos_shape *shape = &frame->shapes[source];
    size_t bytes = (size_t)(shape->cols * shape->width);
    int64_t width = frame->shapes[named].width;
    for (int64_t n = 0; n < frame->shapes[named].rows; n++, index += width, out += bytes) {
        int64_t row;
        switch (width) {
        case 1: row = *(const int8_t *)index; break;
        case 4: row = *(const int32_t *)index; break;
        default: row = *(const int64_t *)index; break;
        }
        if (row < 0 || row >= shape->rows)
            return OUT_OF_RANGE;
        memcpy(out, table + (size_t)row * bytes, bytes);
    }
    return DONE;
}

static void run_concat(const inos_context *context, const inos_frame *frame, const inos_step *step)
{
    const inos_concat *concat = get_details(step);
    const inos_shape *whole = &frame->shapes[step->result];
    char *out = frame->slots[step->result];
    for (int64_t n = 0; n < step->operands; n++) {
        int64_t value = get_operands(step)[n];
        const inos_shape *part = &frame->shapes[value];
        const char *x = frame->slots[value];
        if (concat->axis == 0) {
            context->target->convert(x, part->width, out, whole->width, part->rows * part->cols);
            out += part->rows * part->cols * whole->width;
            continue;
        }
        for (int64_t row = 0; row < part->rows; row++)
            context->target->convert(x + row * part->cols * part->width, part->width,
                                     out + row * whole->cols * whole->width, whole->width, part->cols);
        out += part->cols * whole->width;
    }
}

/* A loop's own memory, all arrays with an entry for each operand or result of the body. */
typedef struct {
    inos_room room;
    void **operands;   /* in the widths that the body declares */
    void **outputs;    /* where this iteration writes */
    void **other;      /* the second buffer of each carried value; the loop's result is the first */
    void **narrow;     /* where a carried result goes whose width is not the declared one */
    uint8_t *converted;
} inos_loop;

static void close_loop(inos_loop *loop, const inos_repeat *repeat, const inos_plan *body)
{
    if (loop->operands && loop->converted)
        for (int64_t n = 0; n < body->inputs; n++)
            if (loop->converted[n])
                free(loop->operands[n]);
    for (int64_t n = 0; n < repeat->carried; n++) {
        if (loop->other)
            free(loop->other[n]);
        if (loop->narrow)
            free(loop->narrow[n]);
    }
    free(loop->operands);
    free(loop->outputs);
    free(loop->other);
    free(loop->narrow);
    free(loop->converted);
    close_room(&loop->room);
}

static int open_loop(inos_context *context, inos_loop *loop, const inos_frame *frame, const inos_step *step,
                     const inos_plan *body)
{
    const inos_repeat *repeat = get_details(step);
    const inos_shape *shapes = get_shapes(body);
    size_t ins = (size_t)body->inputs + 1, outs = (size_t)body->outputs + 1;
    loop->operands = calloc(ins, sizeof(void *));
    loop->converted = calloc(ins, 1);
    loop->outputs = calloc(outs, sizeof(void *));
    loop->other = calloc(outs, sizeof(void *));
    loop->narrow = calloc(outs, sizeof(void *));
    if (open_room(&loop->room, body) || !loop->operands || !loop->converted || !loop->outputs || !loop->other ||
        !loop->narrow)
        return NO_MEMORY;
    for (int64_t n = 0; n < body->inputs; n++) {
        int64_t value = get_operands(step)[n];
        const inos_shape *given = &frame->shapes[value];
        loop->operands[n] = frame->slots[value];
        if (given->width == shapes[n].width)
            continue;
        loop->operands[n] = malloc((size_t)(given->rows * given->cols * shapes[n].width));
        if (!loop->operands[n])
            return NO_MEMORY;
        loop->converted[n] = 1;
        context->target->convert(frame->slots[value], given->width, loop->operands[n], shapes[n].width,
                                 given->rows * given->cols);
    }
    for (int64_t n = 0; n < repeat->carried; n++) {
        const inos_shape *result = &shapes[get_outputs(body)[n]];
        if (repeat->count > 1 && !(loop->other[n] = malloc((size_t)count_bytes(&shapes[n]))))
            return NO_MEMORY;
        if (result->width != shapes[n].width && !(loop->narrow[n] = malloc((size_t)count_bytes(result))))
            return NO_MEMORY;
    }
    return DONE;
}

static int run_iteration(inos_context *context, inos_loop *loop, const inos_frame *frame, const inos_step *step,
                         int64_t index)
{
    const inos_repeat *repeat = get_details(step);
    const inos_plan *body = loop->room.frame.plan;
    const inos_shape *shapes = loop->room.frame.shapes;
    void **slots = loop->room.frame.slots;
    int64_t stop = repeat->carried + repeat->scanned;
    for (int64_t n = 0; n < body->inputs; n++) {
        int is_slice = n >= repeat->carried && n < stop;
        slots[n] = (char *)loop->operands[n] + (is_slice ? index * count_bytes(&shapes[n]) : 0);
    }
    int is_own = (repeat->count - 1 - index) % 2 == 0; /* the last iteration writes the loop's own results */
    for (int64_t n = 0; n < body->outputs; n++) {
        char *result = frame->slots[step->result + n];
        if (n >= repeat->carried)
            loop->outputs[n] = result + index * count_bytes(&shapes[get_outputs(body)[n]]);
        else
            loop->outputs[n] = loop->narrow[n] ? loop->narrow[n] : is_own ? result : loop->other[n];
    }
    int failed = run_plan(context, &loop->room, loop->outputs);
    if (failed)
        return failed;
    for (int64_t n = 0; n < repeat->carried; n++) {
        void *next = is_own ? frame->slots[step->result + n] : loop->other[n];
        const inos_shape *result = &shapes[get_outputs(body)[n]];
        if (loop->narrow[n])
            context->target->convert(loop->narrow[n], result->width, next, shapes[n].width,
                                     result->rows * result->cols);
        if (loop->converted[n]) {
            free(loop->operands[n]);
            loop->converted[n] = 0;
        }
        loop->operands[n] = next;
    }
    return DONE;
}

static int run_repeat(inos_context *context, const inos_frame *frame, const inos_step *step)
{
    const inos_repeat *repeat = get_details(step);
    const inos_plan *body = (const inos_plan *)(context->code + repeat->body);
    inos_loop loop;
    memset(&loop, 0, sizeof loop);
    int failed = open_loop(context, &loop, frame, step, body);
    for (int64_t index = 0; index < repeat->count && !failed; index++)
        failed = run_iteration(context, &loop, frame, step, index);
    close_loop(&loop, repeat, body);
    return failed;
}

static int run_step(inos_context *context, inos_room *room, const inos_step *step)
{
    inos_frame *frame = &room->frame;
    if (make_results(room, step))
        return NO_MEMORY;
    switch (step->kind) {
    case CHAIN:
        return context->target->run_chain(get_details(step), frame, frame->slots[step->result],
                                          frame->shapes[step->result].width, context->registers)
                   ? OUT_OF_RANGE
                   : DONE;
    case CALL: return run_call(context, frame, step);
    case PRODUCT: run_product(context, frame, step); return DONE;
    case GATHER: return run_gather(frame, step);
    case CONCAT: run_concat(context, frame, step); return DONE;
    default: return run_repeat(context, frame, step);
    }
}

/* Runs a plan whose inputs are in their slots. Its values are given up, so that it can run again. */
static int run_plan(inos_context *context, inos_room *room, void *const *outputs)
{
    inos_frame *frame = &room->frame;
    const inos_plan *plan = frame->plan;
    const int64_t *numbers = get_outputs(plan);
    for (int64_t n = 0; n < plan->outputs; n++)
        if (!frame->slots[numbers[n]])
            frame->slots[numbers[n]] = outputs[n];
    const inos_step *step = get_steps(plan);
    for (int64_t n = 0; n < plan->steps; n++) {
        if (!is_going_on(context))
            return ENDED;
        int failed = run_step(context, room, step);
        if (failed)
            return failed;
        for (int64_t d = 0; d < step->dead; d++)
            give_up(room, get_dead(step)[d]);
        step = (const inos_step *)((const int64_t *)step + step->words);
    }
    for (int64_t n = 0; n < plan->outputs; n++)
        if (frame->slots[numbers[n]] != outputs[n])
            memcpy(outputs[n], frame->slots[numbers[n]], (size_t)count_bytes(&frame->shapes[numbers[n]]));
    for (int64_t value = 0; value < plan->values; value++)
        give_up(room, value);
    return DONE;
}

int inos_run(int target, const int64_t *code, void *const *inputs, void *const *outputs, inos_call call, void *handle)
{
    inos_context context = {targets[target], code, call, handle, NULL, {0, 0}};
    inos_room room;
    memset(&room, 0, sizeof room);
    context.registers = malloc((MAX_REGISTERS + 1) * REGISTER_BYTES);
    int failed = !context.registers || open_room(&room, (const inos_plan *)(code + code[0])) ? NO_MEMORY : DONE;
    clock_gettime(CLOCK_MONOTONIC, &context.asked);
    if (!failed) {
        for (int64_t n = 0; n < room.frame.plan->inputs; n++)
            room.frame.slots[n] = inputs[n];
        failed = run_plan(&context, &room, outputs);
    }
    close_room(&room);
    free(context.registers);
    return failed;
}
