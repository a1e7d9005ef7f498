"""The map of elites: for each cell of behaviour the fittest genome that was ever seen there.

(MAP-Elites: Mouret and Clune, "Illuminating search spaces by mapping elites", 2015.)
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, Final

from msgspec import Meta, Struct

from inos.evolve.errors import InvalidRecord
from inos.evolve.records import MAX_CELLS, Fitness
from inos.primitives import codec
from inos.primitives.errors import CodecError
from inos.primitives.matrices import Hash32

MAX_MAP_BYTES: Final = 64 * MAX_CELLS


class Elite(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The fittest genome of a cell."""

    cell: Annotated[int, Meta(ge=0, lt=MAX_CELLS)]
    fitness: Fitness
    genome: Hash32


Elites = tuple[Elite, ...]


def encode_elites(elites: Elites) -> bytes:
    return codec.encode(elites)


def decode_elites(data: bytes) -> Elites:
    """Read a map: at least one elite, in the order of their cells, and one a cell.

    Raises:
        InvalidRecord: "bad-elites".
    """
    try:
        elites = codec.decode(tuple[Elite, ...], data, limit=MAX_MAP_BYTES)
    except CodecError as error:
        raise InvalidRecord("bad-elites", f"this is no map of elites: {error.message}") from error
    cells = [each.cell for each in elites]
    if not cells or cells != sorted(set(cells)):
        raise InvalidRecord("bad-elites", "a map of elites has one elite a cell, in the order of the cells")
    return elites


def add_members(elites: Elites, members: Iterable[tuple[int, int, bytes]]) -> Elites:
    """Return the map after members came: (cell, fitness, genome). An elite gives way only to a fitter one."""
    best = {each.cell: each for each in elites}
    for cell, fitness, genome in members:
        if cell not in best or fitness > best[cell].fitness:
            best[cell] = Elite(cell, fitness, genome)
    return tuple(best[cell] for cell in sorted(best))


def find_best(elites: Sequence[Elite]) -> Elite:
    """Return the fittest elite, of several the one of the lowest cell."""
    return max(elites, key=lambda each: (each.fitness, -each.cell))
