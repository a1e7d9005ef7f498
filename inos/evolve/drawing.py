"""Draws lineages as text: the fitness over generations, and the family tree of islands."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from inos.evolve.records import Record
from inos.evolve.replay import Lineage

BARS: Final = " ▁▂▃▄▅▆▇█"
SHORT: Final = 8
"""Hex digits of an id that a drawing shows."""


class Branch(NamedTuple):
    """The records of one island that were found, by number, with their ids."""

    name: str
    owner: bytes
    records: tuple[tuple[bytes, Record], ...]

    @property
    def first(self) -> Record:
        return self.records[0][1]

    @property
    def last(self) -> Record:
        return self.records[-1][1]


def list_branches(lineage: Lineage) -> dict[tuple[bytes, bytes], Branch]:
    """Return the islands of a lineage by owner and seed."""
    found: dict[tuple[bytes, bytes], list[tuple[bytes, Record]]] = {}
    for id, record in lineage.records.items():
        found.setdefault((record.owner, record.seed), []).append((id, record))
    return {key: Branch(key[1].hex()[:SHORT], key[0], tuple(records)) for key, records in found.items()}


def draw_fitness(values: Sequence[int], *, width: int = 72, height: int = 8) -> list[str]:
    """Return lines of a chart of the fitness over generations; each column shows the last of its generations."""
    if not values:
        return []
    columns = min(width, len(values))
    shown = [values[(n + 1) * len(values) // columns - 1] for n in range(columns)]
    low, high = min(shown), max(shown)
    eighths = [1 + (value - low) * (8 * height - 1) // max(1, high - low) for value in shown]
    margin = max(len(str(low)), len(str(high)))
    lines = []
    for row in reversed(range(height)):
        label = str(high) if row == height - 1 else str(low) if row == 0 else ""
        bars = "".join(BARS[min(8, max(0, each - 8 * row))] for each in eighths)
        lines.append(f"{label:>{margin}} ┤{bars}")
    end = f"{len(values) - 1:>{columns - 1}}" if columns > 1 else ""
    lines.append(f"{'':>{margin}}  0{end}")
    return lines


def draw_tree(lineage: Lineage, head: bytes) -> list[str]:
    """Return lines of the family tree: the head's island, and below it the islands whose genomes it took."""
    branches = list_branches(lineage)
    record = lineage.records.get(head)
    if record is None:
        return [f"record {head.hex()} is not at hand"]
    lines: list[str] = []
    _draw_branch(lineage, branches, (record.owner, record.seed), "", "", lines, set())
    return lines


def _draw_branch(
    lineage: Lineage,
    branches: dict[tuple[bytes, bytes], Branch],
    key: tuple[bytes, bytes],
    start: str,
    indent: str,
    lines: list[str],
    drawn: set[tuple[bytes, bytes]],
) -> None:
    branch = branches[key]
    if key in drawn:
        lines.append(f"{start}island {branch.name}, as above")
        return
    drawn.add(key)
    lines.append(
        f"{start}island {branch.name} of {branch.owner.hex()[:SHORT]}: generations {branch.first.number} to "
        f"{branch.last.number}, fitness {branch.first.fitness} to {branch.last.fitness}"
    )
    citing = [(record, record.cited) for _, record in branch.records if record.cited is not None]
    for n, (record, cited) in enumerate(citing):
        is_last = n == len(citing) - 1
        mark, deeper = ("└─ ", "   ") if is_last else ("├─ ", "│  ")
        source = lineage.records.get(cited)
        if source is None:
            lines.append(f"{indent}{mark}{record.number} takes record {cited.hex()[:SHORT]}, which is not at hand")
            continue
        text = f"{record.number} takes generation {source.number} ({source.fitness}) of "
        _draw_branch(
            lineage, branches, (source.owner, source.seed), f"{indent}{mark}{text}", indent + deeper, lines, drawn
        )


def describe_record(id: bytes, record: Record) -> dict[str, Any]:
    """Return a record as JSON."""
    return {
        "id": id.hex(),
        "owner": record.owner.hex(),
        "island": record.seed.hex()[:SHORT],
        "number": record.number,
        "fitness": record.fitness,
        "parent": _hex(record.parent),
        "cited": _hex(record.cited),
        "genome": record.genome.hex(),
        "elites": _hex(record.elites),
        "task": _hex(record.task),
    }


def _hex(id: bytes | None) -> str | None:
    return None if id is None else id.hex()
