"""What gives way when there is no room: the least wanted first, and never what is kept."""

from collections.abc import Iterable

from msgspec import Struct

from inos.primitives.units import MatrixId


class Candidate(Struct, frozen=True):
    """One matrix, as eviction sees it."""

    id: MatrixId
    bytes: int
    demand: float
    used_ms: int
    """When it was last read, given or added."""
    is_kept: bool
    """Pinned, or needed by an open job, a challenge window or a transaction that waits."""
    is_late: bool = False
    """Of a job settled lately: it goes after all others."""
    is_fresh: bool = False
    """Given here a moment ago: it goes last of all, as the job it was given for may be on its way."""


def choose_victims(candidates: Iterable[Candidate], needed_bytes: int) -> list[MatrixId] | None:
    """Enough of them for `needed_bytes`, least wanted first, then longest unused, what was settled or given lately
    last; None where all together are too few.

    What would suffice without an earlier choice is left: of two unwanted ones the small one stays if the large one
    goes anyway.
    """
    if needed_bytes <= 0:
        return []
    free = [each for each in candidates if not each.is_kept]
    free.sort(key=lambda each: (each.is_fresh, each.is_late, each.demand, each.used_ms))
    chosen, freed = list[Candidate](), 0
    for each in free:
        if freed >= needed_bytes:
            break
        chosen.append(each)
        freed += each.bytes
    if freed < needed_bytes:
        return None
    for each in reversed(chosen[:-1]):
        if freed - each.bytes >= needed_bytes:
            chosen.remove(each)
            freed -= each.bytes
    return [each.id for each in chosen]
