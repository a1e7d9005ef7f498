"""The figures of worst blocks as a table."""

from collections.abc import Sequence
from typing import Final

from inos.bench.blocks.measure import QUARTER, BlockStats

LATE_S: Final = 0.25
"""Others may be served this much later because of a block."""
COLUMNS: Final = (
    ("block of", 26),
    ("orders", 7),
    ("at start", 9),
    ("cost", 7),
    ("connect", 8),
    ("spacing", 8),
    ("relay", 6),
    ("make", 6),
    ("loop", 5),
    ("read", 5),
    ("send", 5),
    ("templ", 6),
    ("other", 6),
    ("load", 5),
)


def describe_blocks(found: Sequence[BlockStats]) -> list[str]:
    """Return lines of text: a table in milliseconds, what its columns are, and which figures are above the limits."""
    lines = ["".join(name.rjust(width) for name, width in COLUMNS)]
    lines += [_make_row(stats) for stats in found]
    late = [name for stats in found for name in list_late(stats)]
    return [
        *lines,
        "all in ms. cost: by the table of costs; connect: from a peer's first byte until it is the mining node's tip;",
        "spacing: the same as a part of the block spacing; relay: until it is relayed; make: a node with these",
        "transactions in its pool makes a template. Meanwhile: loop: the event loop's longest delay; read: chain_head,",
        "99th percentile; send, templ: the longest tx_send and miner_template; other: until another branch's block is",
        "relayed; load: of the machine before.",
        *(f"above the limit: {line}" for line in late),
        *(() if late else ("no figure is above its limit",)),
    ]


def list_late(stats: BlockStats) -> list[str]:
    """Return which figures of a block are above the limits: a quarter of the spacing, and 250 ms for others."""
    others = {
        "the event loop": stats.loop_lag_s,
        "chain_head, p99": stats.busy.read_p99,
        "tx_send": stats.busy.transaction_max,
        "miner_template, beyond what it took before,": stats.busy.template_max - stats.calm.template_max,
        "another block": stats.rival_s,
        "chain_head, p99, while a template is made": stats.making.read_p99,
        "tx_send while a template is made": stats.making.transaction_max,
    }
    late = [f"{stats.kind}: {name} {_ms(value)} ms" for name, value in others.items() if value > LATE_S]
    if stats.spacing_part > 1 / QUARTER:
        late.insert(0, f"{stats.kind}: connected in {stats.spacing_part:.2f} of the block spacing")
    return late


def _make_row(stats: BlockStats) -> str:
    figures = (
        stats.kind,
        str(stats.transactions),
        str(stats.started),
        f"{stats.cost_us / 1000:.0f}",
        _ms(stats.connect_s),
        f"{stats.spacing_part:.3f}",
        _ms(stats.relay_s),
        _ms(stats.make_s),
        _ms(stats.loop_lag_s),
        _ms(stats.busy.read_p99),
        _ms(stats.busy.transaction_max),
        _ms(stats.busy.template_max),
        _ms(stats.rival_s),
        f"{stats.load:.1f}",
    )
    return "".join(text.rjust(width) for text, (_, width) in zip(figures, COLUMNS, strict=True))


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f}"
