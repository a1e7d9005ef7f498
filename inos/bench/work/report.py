"""The measured products as a table, as JSON, and as a plot."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from inos.bench.work.contenders import BARE, CERTIFIED, FREIVALDS, LIMIT, NUMPY, TILE_LIMIT, TORCH, VERIFY
from inos.bench.work.measure import Measured
from inos.work.backends import CARDS

PRODUCTS: Final = (NUMPY, TORCH, LIMIT, BARE, CERTIFIED)


def make_table(measured: Sequence[Measured]) -> str:
    """Return tables in Markdown, which also read well in a terminal."""
    products = _list_products(measured)
    head = ["m x n x k", *(f"{name}, Gop/s" for name in products), "verify, ms", "freivalds, ms"]
    rows = [
        [_name(m), *(_show_speed(m, p) for p in products), _show_ms(m, VERIFY), _show_ms(m, FREIVALDS)]
        for m in measured
    ]
    names = list(dict.fromkeys(name for m in measured for name in m.ratios))
    ratios = [[_name(m), *(f"{m.ratios[n]:.3f}" if n in m.ratios else "" for n in names)] for m in measured]
    return f"{_align([head, *rows])}\n\n{_align([['m x n x k', *names], *ratios])}"


def to_json(measured: Sequence[Measured]) -> list[dict[str, Any]]:
    """Return seconds and ratios by name."""
    return [
        {"m": m.m, "n": m.n, "k": m.k, "rounds": m.rounds, "seconds": m.seconds, "ratios": m.ratios} for m in measured
    ]


def save_plot(measured: Sequence[Measured], path: Path) -> None:
    """Plot throughput against size, one line per contender. Needs matplotlib, of the extra "bench"."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    ordered = sorted(measured, key=lambda m: m.m * m.n * m.k)
    figure, axes = pyplot.subplots(figsize=(8, 5))
    for name in _list_products(measured):
        points = [(_name(m), speed) for m in ordered if (speed := m.get_speed(name)) is not None]
        if points:
            axes.plot([p[0] for p in points], [p[1] for p in points], marker="o", label=name)
    axes.set_ylabel("Gop/s")
    axes.set_ylim(bottom=0)
    axes.tick_params(axis="x", rotation=20)
    axes.legend()
    axes.set_title("Plain products, and products that mine")
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)


def _list_products(measured: Sequence[Measured]) -> list[str]:
    """Return what multiplied, in the order of the columns."""
    cards = [card.name for card in CARDS]
    return [*PRODUCTS, *(name for name in (TILE_LIMIT, *cards) if any(name in m.seconds for m in measured))]


def _name(m: Measured) -> str:
    return f"{m.m} x {m.n} x {m.k}"


def _show_speed(m: Measured, name: str) -> str:
    speed = m.get_speed(name)
    return "" if speed is None else f"{speed:.0f}"


def _show_ms(m: Measured, name: str) -> str:
    return f"{1e3 * m.seconds[name]:.2f}" if name in m.seconds else ""


def _align(rows: list[list[str]]) -> str:
    widths = [max(len(row[c]) for row in rows) for c in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
