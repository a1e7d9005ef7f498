"""How far something long is, on one line of the terminal."""

import sys
import time
from collections.abc import Callable
from typing import Final

Progress = Callable[[str, int, int], None]
"""What is moved, how much of it is, of how much."""
QUIET_S: Final = 1.0
"""What ends sooner says nothing."""
STEP_S: Final = 0.2


def make_progress(verb: str, unit: str = "rows", *, is_quiet: bool = False) -> Progress:
    """A function to be told what is moved, and how much of how much is; it writes to a terminal only.

    Args:
        verb: what is done to it: "sent" gives "X: 40 of 100 rows sent, 3 s left".
        unit: what is counted; "bytes" are shown in MiB.
    """
    if is_quiet or not sys.stderr.isatty():
        return lambda what, done, of: None
    began: dict[str, float] = {}
    last = [0.0]

    def tell(what: str, done: int, of: int) -> None:
        now = time.monotonic()
        start = began.setdefault(what, now)
        if done >= of:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
        elif now - start > QUIET_S and now - last[0] > STEP_S:
            last[0] = now
            left = (now - start) * (of - done) / done if done else 0.0
            amount = (
                f"{done / 2**20:,.1f} of {of / 2**20:,.1f} MiB" if unit == "bytes" else f"{done:,} of {of:,} {unit}"
            )
            text = f"{what}: {amount} {verb}, {left:,.0f} s left"
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    return tell
