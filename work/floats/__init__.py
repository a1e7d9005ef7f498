"""Products of wider numbers on the int7 engine: of floats by residues or by slices, of integers by limbs.

Pipeline of a float product: `residues` measures the rows of both operands, chooses how finely each is rounded to
integers, reduces these modulo small numbers, has one int7 product made per modulus, and puts the results together by
the Chinese remainder theorem. Small products, which lose nothing but the last rounding, and rows whose entries lie too
far apart go through `slices` instead. `integers` does the same for whole numbers.

The package does not know who multiplies: an `Engine` is this machine's kernel or jobs on the chain.
"""

from inos.work.floats.engines import Engine, Pair, Use
from inos.work.floats.integers import multiply_integers
from inos.work.floats.multiply import multiply_floats

__all__ = ["Engine", "Pair", "Use", "multiply_floats", "multiply_integers"]
