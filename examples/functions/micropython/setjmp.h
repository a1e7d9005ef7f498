// setjmp and longjmp for WebAssembly without exceptions, by Binaryen's asyncify; see main.c. Calls must be nested.
#ifndef FUNCTION_SETJMP_H
#define FUNCTION_SETJMP_H

typedef struct {
    char *top, *limit; // asyncify's own two fields: where the next frame goes, and the end of the room
    char *start, *end; // the frames that were saved
    void *stack;       // the stack pointer of the C code
} jmp_buf[1];

int setjmp(jmp_buf env) __attribute__((returns_twice));
void longjmp(jmp_buf env, int value) __attribute__((noreturn));

#endif
