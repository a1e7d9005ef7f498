"""Long computations can be stopped: they go piece by piece and look at an event between two pieces."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from inos.primitives.errors import InosError


class Stopped(InosError):
    """A computation was told to stop before it was done."""

    def __init__(self) -> None:
        super().__init__("stopped", "stopped before the end, as asked")


def check_stop(stop: threading.Event | None) -> None:
    """Raise `Stopped` if the event is set."""
    if stop is not None and stop.is_set():
        raise Stopped


class StopSignal(threading.Event):
    """An event that calls what waits for it, so that a kernel sees it at once and no thread has to look again and
    again."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._calls: list[Callable[[], None]] = []

    def set(self) -> None:
        super().set()
        with self._lock:
            for call in self._calls:
                call()

    @contextmanager
    def calling(self, call: Callable[[], None]) -> Iterator[None]:
        """Within this context `call` is called, in any thread, once the event is set; at once if it is set already."""
        with self._lock:
            self._calls.append(call)
        try:
            if self.is_set():
                call()
            yield
        finally:
            with self._lock:
                self._calls.remove(call)
