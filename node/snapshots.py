"""Copies of a running node, made on request, one at a time, in a thread of their own."""

import asyncio
import threading
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from inos.core.service import NodeService
from inos.node.copying import Copied, copy_node
from inos.primitives.errors import InosError
from inos.rpc import SnapshotStatus

log: Final = structlog.get_logger("node")


class Snapshots:
    """What the RPC asks for; see inos.node.copying."""

    def __init__(self, service: NodeService) -> None:
        self._service = service
        self._stop = threading.Event()
        self._task: asyncio.Task[None] | None = None
        self._status = SnapshotStatus("none")

    def begin(self, path: Path, has_matrices: bool) -> bool:
        """Start a copy; False where one is being made."""
        if self._task is not None and not self._task.done():
            return False
        self._status = SnapshotStatus("running", str(path))
        self._task = asyncio.create_task(self._run(path, has_matrices), name="snapshot")
        return True

    def get_status(self) -> SnapshotStatus:
        return self._status

    async def stop(self) -> None:
        """Break off what is being copied; nothing of it stays."""
        self._stop.set()
        if self._task is not None:
            await asyncio.wait({self._task})

    async def _run(self, path: Path, has_matrices: bool) -> None:
        service = self._service
        copy = partial(
            copy_node,
            service.ledger,
            service.matrices,
            service.genesis_id,
            path,
            self._tell,
            has_matrices=has_matrices,
            stop=self._stop,
        )
        try:
            copied: Copied = await asyncio.to_thread(copy)
        except InosError as error:
            self._status = SnapshotStatus("failed", str(path), error=error)
            log.warning("snapshot failed", path=str(path), code=error.code, error=error.message)
        else:
            self._status = SnapshotStatus("done", str(path), bytes=copied.bytes, matrices=copied.matrices)
            log.info("snapshot made", path=str(path), bytes=copied.bytes, matrices=copied.matrices)

    def _tell(self, step: str, done: int, of: int) -> None:
        """From the copying thread: one value replaces another."""
        self._status = SnapshotStatus("running", self._status.path, step, done, of)
