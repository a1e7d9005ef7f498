"""How fast matrices are stored, and fetched by one node from another over loopback: real processes, all verified."""

import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from msgspec import Struct

from inos.bench.errors import BenchError
from inos.bench.sync import read_memory_mb
from inos.cli.common.output import call_rpc
from inos.mesh.store import MatrixStore
from inos.node.process import NodeSpec, run_nodes, start_node, stop_process
from inos.primitives.matrices import MatrixRef

COLS: Final = 65_536
WAIT_S: Final = 60.0
COMMON: Final = ("--network", "devnet", "--rpc-port", "0", "--p2p-port", "0", "--no-discovery")


class MeshFigures(Struct, frozen=True):
    """One matrix on its way through two nodes. MB are 10^6 bytes."""

    bytes: int
    sources: int
    store_s: float
    """Cut, hashed, written, and forced to the disk."""
    fetch_s: float
    """From the question to the last byte verified, written, and forced to the disk."""
    read_s: float
    """Read back by the fetching node's store and hashed again."""
    node_mb: float
    """Most memory of the fetching node (VmHWM)."""

    @property
    def store_rate(self) -> float:
        return self.bytes / self.store_s / 1e6

    @property
    def fetch_rate(self) -> float:
        return self.bytes / self.fetch_s / 1e6

    @property
    def read_rate(self) -> float:
        return self.bytes / self.read_s / 1e6


def run(mebibytes: int, sources: int, tell: Callable[[str], None], folder: Path | None = None) -> MeshFigures:
    """Store a random operand of so many MiB, start nodes that have it, and fetch it from them with another.

    Raises:
        BenchError: a node does not start, or the matrix does not come.
    """
    with tempfile.TemporaryDirectory(prefix="inos-mesh-", dir=folder) as name:
        return asyncio.run(_run(mebibytes, sources, tell, Path(name)))


async def _run(mebibytes: int, sources: int, tell: Callable[[str], None], folder: Path) -> MeshFigures:
    rows = max(16, mebibytes * (1 << 20) // COLS)
    tell(f"making {rows} x {COLS} random entries ...")
    array = np.random.default_rng(5).integers(-64, 64, (rows, COLS), np.int8)
    specs = [NodeSpec(f"source{i}", folder / f"source{i}", COMMON) for i in range(sources)]
    started = time.monotonic()
    ref = MatrixStore(specs[0].data_dir / "matrices").put(array)
    store_s = time.monotonic() - started
    for spec in specs[1:]:
        MatrixStore(spec.data_dir / "matrices").put(array)
    tell(f"stored at {array.nbytes / store_s / 1e6:.0f} MB/s; fetching ...")
    async with run_nodes(specs) as running:
        new = await start_node(NodeSpec("new", folder / "new", COMMON), [node.p2p_address for node in running])
        try:
            fetch_s = await _fetch(new.rpc_url, ref)
            node_mb = read_memory_mb(new.process.pid, "VmHWM")
        finally:
            await stop_process(new.process)
    store = MatrixStore(folder / "new" / "matrices")
    started = time.monotonic()
    found = store.get(ref.matrix_id)
    read_s = time.monotonic() - started
    if found is None or not np.array_equal(found, array):
        raise BenchError("wrong-matrix", "what was fetched is not what was stored")
    return MeshFigures(array.nbytes, sources, store_s, fetch_s, read_s, node_mb)


async def _fetch(url: str, ref: MatrixRef) -> float:
    asked = {"id": ref.id.hex(), "count": 0, "wait_s": WAIT_S}
    started = time.monotonic()
    await asyncio.to_thread(call_rpc, url, "mesh_getRows", asked, timeout_s=WAIT_S + 30)
    return time.monotonic() - started
