/* Everything after INOS_TARGET in a file is compiled for that processor, independent of the build's own flags. The
 * build has no -march, and a kernel is only called if the processor was found to support it. */
#define INOS_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#if defined(__x86_64__)
#include <immintrin.h>
#else
#include <arm_neon.h>
#endif
#define INOS_TARGET(list) INOS_PRAGMA(clang attribute push(__attribute__((target(list))), apply_to = function))
#define INOS_TARGET_END _Pragma("clang attribute pop")
#else
#define INOS_TARGET(list) _Pragma("GCC push_options") INOS_PRAGMA(GCC target(list))
#define INOS_TARGET_END _Pragma("GCC pop_options")
#endif
