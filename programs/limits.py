"""The bounds of the language (docs/programs.md). Everything is checked against them before any work is done."""

from typing import Final

MAX_PROGRAM_BYTES: Final = 4 * 1024 * 1024
MAX_NODES: Final = 65_536
"""This many nodes in all, those of loops' bodies included."""
MAX_OPERANDS: Final = 1024
MAX_INPUTS: Final = 4096
MAX_OUTPUTS: Final = 16
"""A task has at most 16 outputs. A loop's body may have as many results as a node has operands."""
MAX_NESTING: Final = 4
MAX_INLINE_BYTES: Final = 64

MAX_VALUE: Final = 2**62
"""Every entry and every intermediate lies within -2^62 .. 2^62, so int64 never overflows."""
MAX_SIZE: Final = 2**31
"""Entries of one matrix."""
MAX_ELEMENTS: Final = 2**40
"""Entries that all nodes together may write or reduce."""
MAX_COUNT: Final = 2**62
"""Counts of a cost stop here."""
MAX_ITERATIONS: Final = 2**20
MAX_TABLE: Final = 65_536
MAX_SHIFT: Final = 62
MAX_VIEW_DIMENSIONS: Final = 4
MAX_RANDOM_BITS: Final = 16
MAX_KEY: Final = 64
"""Entries of a key of RANDOM."""
INT7_MIN: Final = -64
INT7_MAX: Final = 63
PROFILE_PEAK_BYTES: Final = 2 * 1024**3
PROFILE_UNITS: Final = 2**22
"""What every juror can run: the bounds of a task's program."""
UNIT_ELEMENTS: Final = 4096
"""Entries that one unit pays for."""
