"""Chooses which matrices are evicted when there is no room: the least wanted first, and never those that are kept."""

from collections.abc import Iterable

from msgspec import Struct

from inos.primitives.units import MatrixId


class Candidate(Struct, frozen=True):
    """Describes one matrix for eviction."""

    id: MatrixId
    bytes: int
    demand: float
    used_ms: int
    """It was last read, stored or added at this time."""
    is_kept: bool
    """It is pinned, or an open job, a challenge window or a waiting transaction needs it."""
    is_late: bool = False
    """It belongs to a job settled lately, so it is evicted after all others."""
    is_fresh: bool = False
    """It was stored here a moment ago, so it is evicted last: the job that uses it may be about to be posted."""


def choose_victims(candidates: Iterable[Candidate], needed_bytes: int) -> list[MatrixId] | None:
    """Choose matrices with `needed_bytes` in all: the least wanted first, then those longest unused, and those of
    settled jobs or just stored last. Return None if all together have too few.

    A matrix that a later choice makes superfluous is not evicted: of two unwanted ones the small one stays if the
    large one goes anyway.
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
