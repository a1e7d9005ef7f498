/* Runs compiled programs without Python, with every instruction set of the processor, and compares their results with
 * those in the file that tests/native/program_cases.py wrote. `make sanitize` runs it under ASan and UBSan. Inputs and
 * outputs have the exact size, so that any step beyond them is detected. Damaged code must be refused or stay within
 * its plan when it is checked. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "code.h"

#define DAMAGED 40

static uint32_t random_state = 1;

static uint32_t draw(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    return random_state ^= random_state << 5;
}

static void *allocate(size_t bytes)
{
    void *memory = malloc(bytes ? bytes : 1);
    if (!memory)
        exit(2);
    return memory;
}

typedef struct {
    int64_t count, at, *bytes;
    void **data;
} blobs;

static const int64_t *read_blobs(blobs *b, const int64_t *at)
{
    b->at = 0;
    b->count = *at++;
    b->bytes = allocate((size_t)b->count * sizeof *b->bytes);
    b->data = allocate((size_t)b->count * sizeof *b->data);
    for (int64_t n = 0; n < b->count; n++) {
        b->bytes[n] = *at++;
        b->data[n] = allocate((size_t)b->bytes[n]);
        memcpy(b->data[n], at, (size_t)b->bytes[n]);
        at += (b->bytes[n] + 7) / 8;
    }
    return at;
}

static void free_blobs(blobs *b)
{
    for (int64_t n = 0; n < b->count; n++)
        free(b->data[n]);
    free(b->data);
    free(b->bytes);
}

/* Answers with what Python computed at the same call; a run makes the calls in the order of its steps. */
static int answer(void *handle, int64_t number, void *const *operands, void *result)
{
    blobs *called = handle;
    (void)operands;
    if (number < 0)
        return 0;
    if (called->at == called->count)
        return 1;
    memcpy(result, called->data[called->at], (size_t)called->bytes[called->at]);
    called->at++;
    return 0;
}

static int is_right(int target, const int64_t *code, const blobs *inputs, blobs *called, const blobs *results)
{
    void **outputs = allocate((size_t)results->count * sizeof *outputs);
    for (int64_t n = 0; n < results->count; n++)
        outputs[n] = allocate((size_t)results->bytes[n]);
    called->at = 0;
    int is_same = !inos_run(target, code, inputs->data, outputs, answer, called) && called->at == called->count;
    for (int64_t n = 0; n < results->count; n++) {
        is_same = is_same && !memcmp(outputs[n], results->data[n], (size_t)results->bytes[n]);
        free(outputs[n]);
    }
    free(outputs);
    return is_same;
}

/* Checks code with a few damaged words; what the check says is of no interest. */
static void check_damaged(const int64_t *code, int64_t words)
{
    static const int64_t extremes[] = {-1, 0, 1, 2, 63, 64, INT64_MAX, INT64_MIN, INT64_C(1) << 31, INT64_C(1) << 61};
    int64_t *damaged = allocate((size_t)words * 8);
    for (int n = 0; n < DAMAGED; n++) {
        memcpy(damaged, code, (size_t)words * 8);
        for (uint32_t changes = draw() % 3 + 1; changes; changes--)
            damaged[draw() % (uint32_t)words] =
                draw() % 2 ? extremes[draw() % (sizeof extremes / sizeof *extremes)] : (int64_t)(draw() % 100);
        inos_check(damaged, words);
        inos_check(damaged, (int64_t)(draw() % (uint32_t)words));
    }
    free(damaged);
}

int main(int count, char **arguments)
{
    FILE *file = count == 2 ? fopen(arguments[1], "rb") : NULL;
    if (!file || fseek(file, 0, SEEK_END))
        return 2;
    long bytes = ftell(file);
    rewind(file);
    int64_t *cases = allocate((size_t)bytes);
    if (fread(cases, 1, (size_t)bytes, file) != (size_t)bytes)
        return 2;
    fclose(file);
    const int64_t *at = cases + 1;
    int wrong = 0, supported = 0;
    for (int target = 0; target < inos_count(); target++)
        supported += inos_is_supported(target);
    for (int64_t n = 0; n < cases[0]; n++) {
        int64_t words = *at++, *code = allocate((size_t)words * 8);
        blobs inputs, called, results;
        memcpy(code, at, (size_t)words * 8);
        at = read_blobs(&results, read_blobs(&called, read_blobs(&inputs, at + words)));
        int is_well_formed = inos_check(code, words);
        for (int target = 0; target < inos_count(); target++)
            if (inos_is_supported(target) &&
                !(is_well_formed && is_right(target, code, &inputs, &called, &results))) {
                printf("program %lld is wrong on %s\n", (long long)n, inos_name(target));
                wrong++;
            }
        check_damaged(code, words);
        free(code);
        free_blobs(&inputs);
        free_blobs(&called);
        free_blobs(&results);
    }
    printf("%lld programs, %d instruction sets, %d wrong\n", (long long)cases[0], supported, wrong);
    free(cases);
    return wrong != 0;
}
