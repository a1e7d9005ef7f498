"""Writes the program that makes a population for a function: the parent, and children that differ by normal noise."""

from typing import Final

import numpy as np
from msgspec import Struct

from inos.evolve.eggroll import NORMAL
from inos.evolve.errors import InvalidRun
from inos.evolve.signature import MAX_POPULATION, add_inputs
from inos.programs import InvalidProgram, ProgramBuilder
from inos.programs.builder import BuiltProgram

NOISE_BITS: Final = 8


class Breeding(Struct, frozen=True, kw_only=True):
    """How a population is made.

    Args:
        genes: of a genome, each in -`top` .. `top`.
        children: of a generation, beside the parent.
        sizes: standard deviations of the noise in genes; the children take them in turn, so that some search nearby
            and some far away.
    """

    genes: int
    top: int
    children: int
    sizes: tuple[int, ...]


def build_breeding(breeding: Breeding) -> BuiltProgram:
    """Return the program: genome, seed, number and parent in, the population out, the genome as its first row.

    Raises:
        InvalidRun: "bad-settings".
    """
    if not 1 <= breeding.children < MAX_POPULATION or not breeding.sizes or min(breeding.sizes) < 1:
        raise InvalidRun("bad-settings", f"a population has 1 to {MAX_POPULATION - 1} children, and noise of size 1 up")
    try:
        b = ProgramBuilder()
        genome, seed, number = add_inputs(b, breeding.genes, -breeding.top, breeding.top)
        drawn = b.random(b.concat([seed, number], 1), breeding.children, breeding.genes, 7)
        noise = b.table(drawn, NORMAL[None], -64)
        factors = [round(size * 2**NOISE_BITS / 21) for size in breeding.sizes]
        column = np.resize(np.array(factors, np.int64), breeding.children)[:, None]
        children = b.clamp(genome + b.mul(noise, column, NOISE_BITS), -breeding.top, breeding.top)
        return b.finish([b.concat([genome, children])])
    except InvalidProgram as error:
        raise InvalidRun("bad-settings", f"no population can be made so: {error.message}") from error
