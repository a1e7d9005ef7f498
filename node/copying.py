"""Copy a node's data directory, while the node runs or when it is stopped; another node can start on the copy.

Keys are not copied: two nodes with one voter's key would sign conflicting votes and be slashed.
"""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import Struct

from inos.chain.view import LedgerView
from inos.core.errors import NodeError
from inos.mesh.files import sync_folder
from inos.mesh.store import MatrixStore
from inos.node.datadir import DIR_MODE, write_atomically
from inos.primitives.units import BlockId

PART_SUFFIX: Final = ".part"


class Copied(Struct, frozen=True):
    """Counts what a copy holds."""

    path: str
    matrices: int
    bytes: int


class Stopped(NodeError):
    """Reports that the copying was stopped on purpose."""


def copy_node(
    ledger: LedgerView,
    store: MatrixStore,
    genesis: BlockId,
    path: Path,
    on_progress: Callable[[str, int, int], None],
    *,
    has_matrices: bool = True,
    stop: threading.Event | None = None,
) -> Copied:
    """Copy chain, state and matrices as they are now into a new data directory at `path`.

    The copy is written to `path` with ".part" added, and renamed when it is complete and on disk. Chain and state
    are complete and of one moment. Matrices that are evicted during the copying are left out; a node that needs them
    fetches them from peers.

    Args:
        on_progress: is called with what is being copied, the bytes so far, and the bytes in all (an estimate).
        stop: stops the copying when it is set.

    Raises:
        NodeError: "target-exists", "target-unusable"; Stopped "copy-stopped". ChainError: "database-io".
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        hint = "give a folder that does not exist yet"
        raise NodeError("target-exists", f"{path} is there already and not empty", hint=hint)
    part = path.with_name(path.name + PART_SUFFIX)
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(mode=DIR_MODE, parents=True)
        write_atomically(part / "genesis", genesis.hex() + "\n")
        size = max(1, ledger.database.count_bytes())

        def tell_ledger(done: int) -> None:
            _heed(stop)
            on_progress("ledger", min(done, size), size)

        ledger.database.copy_to(part / "ledger", tell_ledger)
        matrices = _copy_matrices(store, part / "matrices", on_progress, stop) if has_matrices else 0
        if path.exists():
            path.rmdir()
        part.rename(path)
        sync_folder(path.parent)
    except OSError as error:
        raise NodeError("target-unusable", f"cannot write a copy to {path}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Copied(str(path), matrices, sum(each.stat().st_size for each in path.rglob("*") if each.is_file()))


def _copy_matrices(
    store: MatrixStore, folder: Path, on_progress: Callable[[str, int, int], None], stop: threading.Event | None
) -> int:
    """Copy the matrices, and return how many there were."""
    ids, done, size, count = store.list_ids(), 0, max(1, store.count_bytes()), 0
    folder.mkdir(mode=DIR_MODE)
    for matrix in ids:
        _heed(stop)
        copied = store.copy_file(matrix, folder)
        count, done = count + (copied > 0), done + copied
        on_progress("matrices", min(done, size), size)
    store.retention.copy_to(folder)
    return count


def _heed(stop: threading.Event | None) -> None:
    if stop is not None and stop.is_set():
        raise Stopped("copy-stopped", "the node stopped before its copy was complete", hint="ask again")
