"""How long passes are made stoppable: they go piece by piece and ask between two pieces."""

import threading

from inos.primitives.errors import InosError


class Stopped(InosError):
    """A pass was asked to stop before it was done."""

    def __init__(self) -> None:
        super().__init__("stopped", "stopped before the end, as asked")


def check_stop(stop: threading.Event | None) -> None:
    """Raise `Stopped` where the event is set."""
    if stop is not None and stop.is_set():
        raise Stopped
