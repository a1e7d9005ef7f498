/* The part of the self-check that is about floats. */
#include "inos_native.h"

/* Returns whether a kernel's steps of float products are right. */
int checks_floats(int kernel);
