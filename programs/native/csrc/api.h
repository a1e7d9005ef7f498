/* The part of the interpreter that Python calls. cffi reads this file as well as the compiler, so it has no preprocessor
 * lines. A program is compiled into words of 64 bits (code.h). */

/* Computes what the caller provides: a product, or random numbers. It returns 0, or 1 to end the run. A call with
 * number -1 and no operands only asks if the run goes on. */
typedef int (*inos_call)(void *handle, int64_t number, void *const *operands, void *result);

int inos_count(void);
const char *inos_name(int target);
int inos_is_supported(int target);

/* Returns whether the code is well-formed, so that running it stays within its arrays. */
int inos_check(const int64_t *code, int64_t words);

/* Runs code that inos_check accepted. Inputs and outputs have the shapes that the code states. Returns 0, or 1: `call`
 * ended the run, 2: no memory, 3: an entry is outside its type. */
int inos_run(int target, const int64_t *code, void *const *inputs, void *const *outputs, inos_call call, void *handle);
