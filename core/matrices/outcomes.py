"""Remembers which outputs a miner computed for a task, until the task is paid or given up."""

from pathlib import Path
from typing import Final

from inos.mesh.errors import explain
from inos.mesh.store import MatrixStore
from inos.primitives.atomic_files import replace_file
from inos.primitives.codec import decode, encode
from inos.primitives.errors import CodecError
from inos.primitives.units import HASH_BYTES, JobId, MatrixId

FOLDER: Final = "outcomes"
MAX_KEPT: Final = 1024
"""So many records are kept, the newest: a task may end while the node is down, and then nothing drops its record."""
MAX_BYTES: Final = 16 * (HASH_BYTES + 8)
"""A record of 16 outputs, the most of a task, is shorter."""


class Outcomes:
    """Stores outputs as files, and a record of their ids for each task. The thread that changes the store calls `keep`;
    any may call the others. Every call may wait for the disk."""

    def __init__(self, store: MatrixStore) -> None:
        self._store = store
        self._folder = store.path / FOLDER

    def keep(self, job: JobId, outputs: tuple[bytes, ...]) -> tuple[MatrixId, ...]:
        """Store a task's outputs, and return their ids; all is on disk when this returns.

        Raises:
            MeshError: "store-full", "disk-full", "disk-refuses"; then nothing is remembered.
        """
        ids = tuple(self._store.put_bytes(output).matrix_id for output in outputs)
        path = self._get_path(job)
        try:
            self._folder.mkdir(exist_ok=True)
            replace_file(path, encode(ids))
            self._drop_oldest()
        except OSError as error:
            raise explain(error, path) from error
        return ids

    def find(self, job: JobId) -> tuple[MatrixId, ...] | None:
        """Return the ids of a task's outputs if they were kept and are all here, or None."""
        try:
            ids = decode(tuple[bytes, ...], self._get_path(job).read_bytes(), limit=MAX_BYTES)
        except (OSError, CodecError):
            return None
        outputs = tuple(map(MatrixId, ids))
        return outputs if all(map(self._store.has, outputs)) else None

    def drop(self, job: JobId) -> None:
        """Forget a task; its outputs stay stored as long as any other file does."""
        self._get_path(job).unlink(missing_ok=True)

    def _drop_oldest(self) -> None:
        records = list(self._folder.iterdir())
        if len(records) > MAX_KEPT:
            for path in sorted(records, key=lambda path: path.stat().st_mtime_ns)[:-MAX_KEPT]:
                path.unlink(missing_ok=True)

    def _get_path(self, job: JobId) -> Path:
        return self._folder / job.hex()
