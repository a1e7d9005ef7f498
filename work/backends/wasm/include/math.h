/* Included by inos_native.h for kernels of floats, which this module does not have. */
