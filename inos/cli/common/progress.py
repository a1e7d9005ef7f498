"""Shows the progress of a long operation on one line of the terminal."""

import sys
import time
from collections.abc import Callable
from typing import Final, TypeAlias

from inos.cli.common.output import print_text

Progress: TypeAlias = Callable[[str, int, int], None]
"""The function is called with the name of what is moved, how much of it was moved, and how much there is."""
QUIET_S: Final = 1.0
"""An operation that ends sooner shows nothing."""
STEP_S: Final = 0.2
CLEARED: Final = "\r\x1b[K"
"""Moves a terminal to the beginning of its line, and clears the line."""


def make_progress(verb: str, unit: str = "rows", *, is_quiet: bool = False) -> Progress:
    """Return a function that shows on the terminal, if there is one, what it is told.

    Args:
        verb: what is done: "sent" shows "X: 40 of 100 rows sent, 3 s left".
        unit: what is counted; "bytes" are shown in MiB.
    """
    if is_quiet or not sys.stderr.isatty():
        return lambda name, done, total: None
    began: dict[str, float] = {}
    shown_at = [0.0]

    def show(name: str, done: int, total: int) -> None:
        now = time.monotonic()
        start = began.setdefault(name, now)
        if done >= total:
            print_text("", start=CLEARED, end="", file=sys.stderr, flush=True)
        elif now - start > QUIET_S and now - shown_at[0] > STEP_S:
            shown_at[0] = now
            left = (now - start) * (total - done) / done if done else 0.0
            text = f"{name}: {_describe_amount(done, total, unit)} {verb}, {left:,.0f} s left"
            print_text(text, start=CLEARED, end="", file=sys.stderr, flush=True)

    return show


def _describe_amount(done: int, total: int, unit: str) -> str:
    if unit == "bytes":
        return f"{done / 2**20:,.1f} of {total / 2**20:,.1f} MiB"
    return f"{done:,} of {total:,} {unit}"
