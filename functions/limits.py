"""Every bound of a spec, of a module and of a run, each with its unit. They are rules: all nodes use the same.

This module imports nothing, since the child loads it.
"""

from typing import Final

ENGINE_VERSION: Final = "50.0.1"
"""The version of wasmtime that spec version 1 names."""

# Of a spec

SPEC_VERSION: Final = 1
"""The spec version names one engine version and one set of rules: a new engine needs a new version."""
MAX_ARGS: Final = 256
MAX_ARG_BYTES: Final = 65_536
"""All arguments together, each with the zero byte that ends it."""
MAX_SPEC_BYTES: Final = 2 * MAX_ARG_BYTES
PAGE_BYTES: Final = 65_536
MAX_PAGES: Final = 32_768
"""2 GiB of memory, the jury profile's."""
MAX_STEPS: Final = 2**36
MAX_OUTPUT_BYTES: Final = 2**28
MAX_DATA_BYTES: Final = 2**28
"""Module, input and declared output together: the jury profile's 256 MiB."""
STEPS_PER_UNIT: Final = 2**20
STEPS_PER_BYTE: Final = 64
"""A unit is 2^20 steps, or 16,384 bytes that are carried."""

# Of a module

MAX_MODULE_BYTES: Final = 2**24
MAX_IMPORTS: Final = 256
MAX_FUNCTIONS: Final = 65_536
MAX_CODE_BYTES: Final = 2**20
"""One function's body. Compiling takes more than linear time in it; compilers write far smaller ones."""
MAX_ENTRIES: Final = 2**17
"""The most entries of a section that is read; the parser must not work for seconds on a module that is refused."""
MAX_TABLES: Final = 4
MAX_TABLE_ELEMENTS: Final = 2**20
"""The tables of a module, and the elements of each, at the start and after growing."""

# Of a run

WORKER_STACK_BYTES: Final = 2**20
CHECKER_FACTOR: Final = 2
"""A checker's run has this many times a worker's steps and stack, so that what a worker delivers ends for it too."""
CALL_STEPS: Final = 10_000
"""The steps of any call to the host, about what its time is worth; each byte that it moves costs one more."""
ITEM_STEPS: Final = 2_000
"""The steps of each argument, buffer and subscription that a call works on."""
START_NS: Final = 1_735_689_600 * 10**9
"""The clock's start, 2025-01-01T00:00:00Z."""
TICK_NS: Final = 10**6
MAX_VECTORS: Final = 1024
"""The most buffers of one fd_read or fd_write."""
MAX_SUBSCRIPTIONS: Final = 1024
LOG_BYTES: Final = 65_536
"""So much of stderr is kept."""
PROGRAM: Final = b"function"
"""argv[0]: the program's name."""
