"""A task that was taken on, until its outputs are there."""

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from inos.consensus.records import TaskWork
from inos.core.computation import InvalidTask, Loaded, LoadedFunction, TaskRefused, compute_outputs
from inos.functions import ModuleCache, Role
from inos.primitives.errors import InosError
from inos.primitives.transactions import TaskKind
from inos.primitives.units import Height, JobId, MatrixId, Tickets
from inos.work.stopping import Stopped

log: Final = structlog.get_logger("miner")

FAILED_BLOCKS: Final = 20
"""A module that failed is avoided for this many blocks."""
MAX_FAILED: Final = 1024


class Computation:
    """Holds what a task needs, and its outputs once they are computed.

    Args:
        loaded: what the task names, from which it is computed; None if the outcome is known.
        outcome: the ids of the outputs that an earlier run of the node computed.
    """

    def __init__(self, task: TaskWork, loaded: Loaded | None, outcome: tuple[MatrixId, ...] | None = None) -> None:
        if loaded is None and outcome is None:
            raise ValueError("a task without an outcome is computed from what it names")
        self.task: Final = task
        self.loaded: Final = loaded
        self.outputs: tuple[bytes, ...] | None = None
        """These are computed and not stored yet."""
        self.outcome = outcome
        self.failure: InosError | None = None
        """If this is set, the task cannot be delivered by this machine."""
        self.is_running = False
        self.stop = threading.Event()
        """It ends the run that is in progress."""

    @property
    def is_complete(self) -> bool:
        return self.outputs is not None or self.outcome is not None

    @property
    def is_mined(self) -> bool:
        """Return True for a program, whose products draw tickets. Functions run beside the mining."""
        return self.task.kind is TaskKind.PROGRAM

    @property
    def tickets_left(self) -> Tickets:
        """Return the units that the miner still has to compute; they are planned like tickets."""
        return Tickets(0 if self.is_complete or not self.is_mined else self.task.units)


class FailedModules:
    """Remembers for some blocks which poster's calls of which module ended without an outcome.

    Another poster's calls of the same module are not avoided: otherwise anybody could keep miners from a module.
    """

    def __init__(self) -> None:
        self._until: dict[tuple[bytes, bytes], Height] = {}

    def note(self, poster: bytes, work: Computation, height: Height) -> None:
        """Remember the module of a call that was given up at `height`, if the call itself was at fault."""
        self._until = {key: until for key, until in self._until.items() if until > height}
        is_at_fault = isinstance(work.failure, InvalidTask) and len(self._until) < MAX_FAILED
        if is_at_fault and isinstance(work.loaded, LoadedFunction):
            self._until[poster, work.loaded.spec.module] = Height(height + FAILED_BLOCKS)

    def check(self, poster: bytes, loaded: Loaded, height: Height) -> None:
        """Raise TaskRefused for a call like one that failed lately."""
        if not isinstance(loaded, LoadedFunction):
            return
        until = self._until.get((poster, loaded.spec.module), 0)
        if until > height:
            raise TaskRefused(
                "module-failed",
                f"module {loaded.spec.module.hex()} failed for this poster; it is tried again at height {until}",
            )


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
        try:
            async with self._turn:
                work.outputs = await asyncio.to_thread(partial(self._run, job, work))
        except Stopped:
            log.info("function interrupted", job=job.hex())
        except InosError as error:
            work.failure = error
        finally:
            work.stop.set()
            work.is_running = False
        on_end()

    def _run(self, job: JobId, work: Computation) -> tuple[bytes, ...]:
        if self._cache is None and self._folder is not None:
            self._cache = ModuleCache(self._folder)
        assert work.loaded is not None
        return compute_outputs(job, work.loaded, role=Role.WORKER, stop=work.stop, cache=self._cache)
