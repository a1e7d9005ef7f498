"""A task that was taken on, until its outputs are there."""

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from inos.consensus.records import TaskWork
from inos.core.computation import Loaded, LoadedProgram, compute_outputs
from inos.functions import ModuleCache, Role
from inos.primitives.errors import InosError
from inos.primitives.units import JobId, Tickets


class Computation:
    """Holds what a task needs, and its outputs once they are computed."""

    def __init__(self, task: TaskWork, loaded: Loaded) -> None:
        self.task: Final = task
        self.loaded: Final = loaded
        self.outputs: tuple[bytes, ...] | None = None
        self.failure: InosError | None = None
        """If this is set, the task cannot be delivered by this machine."""
        self.is_running = False

    @property
    def is_complete(self) -> bool:
        return self.outputs is not None

    @property
    def is_mined(self) -> bool:
        """Return True for a program, whose products draw tickets. Functions run beside the mining."""
        return isinstance(self.loaded, LoadedProgram)

    @property
    def tickets_left(self) -> Tickets:
        """Return the units that the miner still has to compute; they are planned like tickets."""
        return Tickets(0 if self.is_complete or not self.is_mined else self.task.units)


class FunctionRunner:
    """Runs functions beside the mining, one at a time.

    Args:
        folder: compiled modules are kept there.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._cache: ModuleCache | None = None
        self._turn = asyncio.Semaphore(1)

    async def run(self, job: JobId, work: Computation, on_end: Callable[[], None]) -> None:
        """Compute the outputs of a function, or note why it cannot be delivered."""
        stop = threading.Event()
        try:
            async with self._turn:
                work.outputs = await asyncio.to_thread(partial(self._run, job, work, stop))
        except InosError as error:
            work.failure = error
        finally:
            stop.set()
            work.is_running = False
        on_end()

    def _run(self, job: JobId, work: Computation, stop: threading.Event) -> tuple[bytes, ...]:
        if self._cache is None and self._folder is not None:
            self._cache = ModuleCache(self._folder)
        return compute_outputs(job, work.loaded, role=Role.WORKER, stop=stop, cache=self._cache)
