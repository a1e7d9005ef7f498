"""Copies a running node on request, one copy at a time, in a thread of its own."""

import asyncio
import threading
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from inos.chain.ledger import Ledger
from inos.mesh.store import MatrixStore
from inos.node.copying import Copied, copy_node
from inos.primitives.errors import InosError
from inos.primitives.units import BlockId
from inos.rpc import SnapshotStatus

log: Final = structlog.get_logger("node")


class SnapshotService:
    """Makes the copies that the RPC asks for; see inos.node.copying."""

    def __init__(self, ledger: Ledger, store: MatrixStore, genesis: BlockId) -> None:
        self._ledger = ledger
        self._store = store
        self._genesis = genesis
        self._stop = threading.Event()
        self._task: asyncio.Task[None] | None = None
        self._status = SnapshotStatus("none")

    def begin(self, path: Path, has_matrices: bool) -> bool:
        """Start a copy, and return False if one is being made."""
        if self._task is not None and not self._task.done():
            return False
        self._status = SnapshotStatus("running", str(path))
        self._task = asyncio.create_task(self._run(path, has_matrices), name="snapshot")
        return True

    def get_status(self) -> SnapshotStatus:
        """Return the progress of the latest copy."""
        return self._status

    async def stop(self) -> None:
        """Stop the copy that is being made, and remove what it wrote."""
        self._stop.set()
        if self._task is not None:
            await asyncio.wait({self._task})

    async def _run(self, path: Path, has_matrices: bool) -> None:
        copy = partial(
            copy_node,
            self._ledger,
            self._store,
            self._genesis,
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
        """Replace one value by another; the copying thread calls this."""
        self._status = SnapshotStatus("running", self._status.path, step, done, of)
