"""Judges the outcome of a task by computing it again.

Pipeline: specification, inputs and outputs are fetched -> the task is computed in a thread -> the outputs' mesh ids are
compared with those that were delivered.
"""

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inos.agents.result_check import FETCH_S
from inos.consensus.records import TaskWork
from inos.core.computation import InvalidTask, Loaded, compute_outputs, fetch_outputs, load_task
from inos.core.node_core import NodeCore
from inos.functions import ModuleCache, Role
from inos.primitives.errors import MatrixMissing
from inos.primitives.transactions import Verdict
from inos.primitives.units import JobId, MatrixId
from inos.work.files import compute_file_id


class TaskCheck:
    """Computes one task at a time.

    Args:
        modules: the folder in which compiled modules of functions are kept.
    """

    def __init__(self, core: NodeCore, modules: Path | None) -> None:
        self._core = core
        self._modules = modules
        self._computing = asyncio.Semaphore(1)

    async def judge(self, job: JobId, task: TaskWork, is_wanted: Callable[[], bool]) -> Verdict:
        """Return the verdict on a delivered task.

        Args:
            is_wanted: while this holds, what nobody serves is asked for again.

        Raises:
            MatrixMissing: a file or matrix did not arrive while it was wanted: the verdict is "unavailable".
            InosError: this node could not compute the task, which says nothing about its outcome.
        """
        fetch = partial(self._fetch, is_wanted)
        if task.outputs is None:
            raise LookupError(f"task {job.hex()} is disputed, but has no outcome")
        try:
            loaded = await load_task(task, fetch)
            await fetch_outputs(loaded, task.outputs, fetch)
            async with self._computing:
                stop = threading.Event()
                try:
                    outputs = await asyncio.to_thread(partial(self._compute, job, loaded, stop))
                finally:
                    stop.set()
        except InvalidTask:
            return Verdict.WRONG
        ids = await asyncio.to_thread(lambda: tuple(map(compute_file_id, outputs)))
        return Verdict.RIGHT if ids == task.outputs else Verdict.WRONG

    def _compute(self, job: JobId, loaded: Loaded, stop: threading.Event) -> tuple[bytes, ...]:
        cache = None if self._modules is None else ModuleCache(self._modules)
        return compute_outputs(job, loaded, role=Role.CHECKER, stop=stop, cache=cache)

    async def _fetch(self, is_wanted: Callable[[], bool], id: MatrixId, most: int) -> NDArray[np.generic]:
        while True:
            try:
                return await self._core.matrices.fetch(id, FETCH_S, most)
            except MatrixMissing:
                if not is_wanted():
                    raise
