"""The result of a scenario: its invariant, and its figures."""

from collections.abc import Sequence

from msgspec import Struct


class Report(Struct, frozen=True):
    """One run of one scenario. A broken invariant raises AssertionError instead."""

    name: str
    seed: int
    nodes: int
    virtual_s: float
    invariant: str
    figures: dict[str, str]
    trace: str


def get_share(sorted_values: Sequence[float], percent: int) -> float:
    """Return the value that `percent` of them do not exceed, or 0.0 if there are none."""
    return sorted_values[min(len(sorted_values) - 1, len(sorted_values) * percent // 100)] if sorted_values else 0.0


def format_s(seconds: float) -> str:
    return f"{seconds:.2f} s"


def format_row(report: Report, took: str) -> str:
    """Return one row of the table in docs/security.md."""
    figures = "; ".join(f"{name} {value}" for name, value in report.figures.items())
    return (
        f"| {report.name} | {report.nodes} | {report.invariant} | {figures} | "
        f"{report.virtual_s:,.0f} s, seed {report.seed} | {took} |"
    )
