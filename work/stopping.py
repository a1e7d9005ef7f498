"""Long computations can be stopped: they go piece by piece and look at an event between two pieces."""

import threading

from inos.primitives.errors import InosError


class Stopped(InosError):
    """A computation was told to stop before it was done."""

    def __init__(self) -> None:
        super().__init__("stopped", "stopped before the end, as asked")


def check_stop(stop: threading.Event | None) -> None:
    """Raise `Stopped` if the event is set."""
    if stop is not None and stop.is_set():
        raise Stopped
