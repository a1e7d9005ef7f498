// MicroPython as a function: the first argument is the script, stdin its input, stdout its answer.
//
// MicroPython raises exceptions by setjmp and longjmp, which WebAssembly without exceptions lacks. Binaryen's asyncify
// rewrites the module so that its calls can be unwound into memory and continued from there: setjmp saves the frames of
// all calls and goes on, and longjmp continues the saved ones. The garbage collector finds pointers there too.
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "py/compile.h"
#include "py/gc.h"
#include "py/mphal.h"
#include "py/objlist.h"
#include "py/runtime.h"
#include "py/stackctrl.h"

enum {
    HEAP_BYTES = 16 << 20,   // the objects of the script
    FRAME_BYTES = 8 << 20,   // frames that were saved
    DROPPED_BYTES = 1 << 20, // frames that an exception leaves, which nothing reads
    RESERVE_BYTES = 512 << 10,
    STACK_BYTES = 192 << 10, // what the C code may use of its stack of 256 KiB
};

#define ASYNCIFY(name) __attribute__((import_module("asyncify"), import_name(#name)))
ASYNCIFY(start_unwind) void asyncify_start_unwind(void *);
ASYNCIFY(stop_unwind) void asyncify_stop_unwind(void);
ASYNCIFY(start_rewind) void asyncify_start_rewind(void *);
ASYNCIFY(stop_rewind) void asyncify_stop_rewind(void);

static char heap[HEAP_BYTES], frames[FRAME_BYTES], dropped[DROPPED_BYTES];
static jmp_buf drop_env;
static jmp_buf *target; // the frames that main continues next, or is continuing
static int value;       // what setjmp returns then
static int is_rewinding, is_collecting, exit_code;
static char **arguments;
static int argument_count;

static void *get_stack(void) {
    void *stack;
    __asm__ volatile("global.get __stack_pointer\nlocal.set %0" : "=r"(stack));
    return stack;
}

static void set_stack(void *stack) {
    __asm__ volatile("local.get %0\nglobal.set __stack_pointer" : : "r"(stack));
}

__attribute__((noinline)) static void save_frames(jmp_buf *env, char *start) {
    if (is_rewinding) {
        asyncify_stop_rewind();
        is_rewinding = 0;
        return;
    }
    (*env)->start = (*env)->top = start;
    (*env)->limit = frames + FRAME_BYTES;
    (*env)->end = NULL;
    target = env;
    value = 0;
    asyncify_start_unwind(env);
}

int setjmp(jmp_buf env) {
    // nlr_push put the buffer of `env` on top, so the frames of the one below end where these begin. All frames are saved
    // each time, so that their number bounds how deep calls go.
    nlr_buf_t *below = MP_STATE_THREAD(nlr_top)->prev;
    char *start = below == NULL ? frames : below->jmpbuf->end;
    size_t expected = below == NULL ? 0 : below->jmpbuf->end - below->jmpbuf->start;
    if (!is_collecting && (size_t)(frames + FRAME_BYTES - start) < expected + RESERVE_BYTES) {
        nlr_pop();
        mp_raise_recursion_depth();
    }
    (*(jmp_buf *)env)->stack = get_stack();
    save_frames((jmp_buf *)env, start);
    return value;
}

__attribute__((noinline)) static void drop_frames(void) {
    drop_env->top = dropped;
    drop_env->limit = dropped + DROPPED_BYTES;
    asyncify_start_unwind(drop_env);
}

void longjmp(jmp_buf env, int result) {
    target = (jmp_buf *)env;
    value = result;
    drop_frames();
    __builtin_unreachable();
}

void nlr_jump_fail(void *error) {
    fprintf(stderr, "micropython: an exception outside of the script\n");
    exit(2);
}

void mp_hal_stdout_tx_strn_cooked(const char *text, size_t length) {
    fwrite(text, 1, length, stdout);
}

static void print_error(void *env, const char *text, size_t length) {
    fwrite(text, 1, length, stderr);
}

void gc_collect(void) {
    // The locals of all calls are saved with the frames; the rest is on the stack of the C code.
    nlr_buf_t here;
    gc_collect_start();
    is_collecting = 1;
    if (nlr_push(&here) == 0) {
        is_collecting = 0;
        nlr_pop();
        char *stack = get_stack();
        gc_collect_root((void **)stack, ((char *)MP_STATE_THREAD(stack_top) - stack) / sizeof(void *));
        gc_collect_root((void **)frames, (here.jmpbuf->end - frames) / sizeof(void *));
    }
    gc_collect_end();
}

__attribute__((noinline)) static void run_script(void) {
    nlr_buf_t outer;
    if (nlr_push(&outer) == 0) {
        for (int i = 1; i < argument_count; i++) {
            mp_obj_list_append(mp_sys_argv, mp_obj_new_str(arguments[i], strlen(arguments[i])));
        }
        mp_lexer_t *lexer = mp_lexer_new_from_str_len(MP_QSTR__lt_string_gt_, arguments[1], strlen(arguments[1]), 0);
        mp_parse_tree_t tree = mp_parse(lexer, MP_PARSE_FILE_INPUT);
        mp_call_function_0(mp_compile(&tree, MP_QSTR__lt_string_gt_, false));
        nlr_pop();
        return;
    }
    mp_obj_t error = MP_OBJ_FROM_PTR(outer.ret_val);
    exit_code = 1;
    if (mp_obj_is_subclass_fast(MP_OBJ_FROM_PTR(mp_obj_get_type(error)), MP_OBJ_FROM_PTR(&mp_type_SystemExit))) {
        mp_obj_t code = mp_obj_exception_get_value(error);
        exit_code = code == mp_const_none ? 0 : mp_obj_is_small_int(code) ? MP_OBJ_SMALL_INT_VALUE(code) : 1;
    } else {
        static const mp_print_t to_stderr = { NULL, print_error };
        mp_obj_print_exception(&to_stderr, error);
    }
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "micropython: the first argument is the script\n");
        return 2;
    }
    arguments = argv, argument_count = argc;
    mp_stack_set_top(get_stack());
    mp_stack_set_limit(STACK_BYTES);
    gc_init(heap, heap + HEAP_BYTES);
    mp_init();
    for (;;) {
        run_script();
        if (target == NULL) {
            return exit_code;
        }
        asyncify_stop_unwind();
        if ((*target)->end == NULL) {
            (*target)->end = (*target)->top;
        }
        (*target)->top = (*target)->end;
        set_stack((*target)->stack);
        is_rewinding = 1;
        jmp_buf *next = target;
        target = NULL;
        asyncify_start_rewind(next);
    }
}
