"""The loop of an island: generations one after the other, and now and then a look at other islands."""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import NamedTuple

from inos.evolve.exchange import Neighbours, look_around
from inos.evolve.island import Island
from inos.evolve.records import Record
from inos.evolve.replay import Replayer
from inos.evolve.runners import Runner


class Progress(NamedTuple):
    """A generation that was computed, or what a look at other islands found."""

    number: int
    fitness: int | None
    note: str = ""

    def __str__(self) -> str:
        return f"generation {self.number:>6}  fitness {self.fitness}{f'  {self.note}' if self.note else ''}"


def ignore_progress(progress: Progress) -> None:
    """Do nothing; this is the default if no function is given."""


def evolve(
    island: Island,
    runner: Runner,
    generations: int,
    *,
    neighbours: Sequence[Neighbours] = (),
    look_every: int = 0,
    on_progress: Callable[[Progress], None] = ignore_progress,
) -> None:
    """Compute generations until there are so many more, or the run's best fitness is reached.

    Raises:
        see `Island.advance`. What was computed before is kept.
    """
    replayer = Replayer(island.files)
    for _ in range(generations):
        if island.fitness is not None and island.fitness >= island.opened.run.best:
            return
        cited = None
        if neighbours and look_every and island.number and island.number % look_every == 0:
            cited = _look(island, neighbours, replayer, on_progress)
        record = island.advance(runner, cited)
        note = "" if cited is None else f"taken from {cited[0].hex()[:16]} ({cited[1].fitness})"
        on_progress(Progress(record.number, record.fitness, note))


def _look(
    island: Island, neighbours: Sequence[Neighbours], replayer: Replayer, on_progress: Callable[[Progress], None]
) -> tuple[bytes, Record] | None:
    seen = chain.from_iterable(each.find(island) for each in neighbours)
    look = look_around(island, seen, replayer)
    for owner, reason in look.refused.items():
        on_progress(Progress(island.number, island.fitness, f"{owner.hex()} is ignored: {reason}"))
    for record, reason in look.waiting.items():
        on_progress(Progress(island.number, island.fitness, f"{record.hex()[:16]} cannot be checked yet: {reason}"))
    return look.best
