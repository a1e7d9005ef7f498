"""What networks and their training need, written in the operations of the language.

Nothing here is a part of the language: these functions only write nodes. Floats appear while a program is written, as
scales and tables, and never when it runs. Fixed point means: the integer is the number times a `unit`.
"""

from inos.programs.library.arithmetic import divide_rounded, rescale, square_root
from inos.programs.library.functions import exponentials, normalise, softmax, tabulate
from inos.programs.library.products import linear, matmul_limbs, split_limbs
from inos.programs.library.selection import argmax, one_hot
from inos.programs.library.shapes import reshape, rows_of, transpose
from inos.programs.library.training import scale_dynamically, sgd_step, shift_stochastically

__all__ = [
    "argmax",
    "divide_rounded",
    "exponentials",
    "linear",
    "matmul_limbs",
    "normalise",
    "one_hot",
    "rescale",
    "reshape",
    "rows_of",
    "scale_dynamically",
    "sgd_step",
    "shift_stochastically",
    "softmax",
    "split_limbs",
    "square_root",
    "tabulate",
    "transpose",
]
