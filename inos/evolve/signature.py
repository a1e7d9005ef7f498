"""The inputs and results that programs of evolution have in common, and how they are handed over."""

from typing import Final

import numpy as np

from inos.evolve.errors import InvalidRun
from inos.programs import CheckedProgram, ProgramBuilder, Type, Value
from inos.programs.types import Array

SEED_BYTES: Final = 32
MAX_NUMBER: Final = 2**31 - 1
MAX_GENES: Final = 1 << 20
MAX_POPULATION: Final = 4096
SEED_TYPE: Final = Type(1, SEED_BYTES, -128, 127)
NUMBER_TYPE: Final = Type(1, 1, 0, MAX_NUMBER)
GIVEN: Final = 4
"""The inputs are: genome, seed, number of the generation, id of the parent's record. The last one changes nothing; it
leads from a task on chain to the lineage."""


def add_inputs(b: ProgramBuilder, genes: int, lo: int, hi: int) -> tuple[Value, Value, Value]:
    """Add the inputs of a program of evolution to a builder; return genome, seed and number."""
    genome = b.input(1, genes, lo, hi, name="genome")
    seed = b.input(1, SEED_BYTES, -128, 127, name="seed")
    number = b.input(1, 1, 0, MAX_NUMBER, name="number")
    b.input(1, SEED_BYTES, -128, 127, name="parent")
    return genome, seed, number


def make_given(genome: Array, seed: bytes, number: int, parent: bytes | None) -> list[Array]:
    """Return the inputs of a program of evolution; a lineage's first generation has 32 zeros as its parent."""
    return [genome, _to_row(seed), np.array([[number]], np.int64), _to_row(parent or bytes(SEED_BYTES))]


def _to_row(data: bytes) -> Array:
    return np.frombuffer(data, np.int8)[None].astype(np.int64)


def get_genome_type(checked: CheckedProgram) -> Type:
    """Return the type of the genomes that a program takes.

    Raises:
        InvalidRun: "bad-signature".
    """
    given = checked.given
    if len(given) != GIVEN or given[1:] != (SEED_TYPE, NUMBER_TYPE, SEED_TYPE):
        raise InvalidRun("bad-signature", f"the program takes {[str(each) for each in given]}")
    if given[0].rows != 1 or given[0].cols > MAX_GENES:
        raise InvalidRun("bad-signature", f"a genome is one row of at most {MAX_GENES} genes, not {given[0]}")
    return given[0]


def check_generation(checked: CheckedProgram) -> Type:
    """Return the genome's type of a program that computes a whole generation: the next genome, and its fitness.

    Raises:
        InvalidRun: "bad-signature".
    """
    genome, results = get_genome_type(checked), checked.results
    is_right = len(results) == 2 and results[0] == genome and results[1].shape == (1, 1)
    if not is_right:
        raise InvalidRun(
            "bad-signature", f"the results are {[str(each) for each in results]}, not a genome and a number"
        )
    return genome


def check_breeding(checked: CheckedProgram) -> Type:
    """Return the genome's type of a program that makes a population, one member a row, the parent first.

    Raises:
        InvalidRun: "bad-signature".
    """
    genome, results = get_genome_type(checked), checked.results
    is_right = (
        len(results) == 1
        and results[0].cols == genome.cols
        and 1 <= results[0].rows <= MAX_POPULATION
        and (results[0].lo, results[0].hi) == (genome.lo, genome.hi)
    )
    if not is_right:
        raise InvalidRun("bad-signature", f"the results are {[str(each) for each in results]}, not a population")
    return genome
