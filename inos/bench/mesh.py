"""`inos bench mesh`: how fast matrices are stored, and fetched from other nodes over loopback, every strip verified."""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np
from msgspec import Struct

from inos.bench.errors import BenchError
from inos.bench.machine import read_memory_mb
from inos.bench.sync import Announce
from inos.client.client import Client
from inos.mesh.store import MatrixStore
from inos.node.process import NodeSpec, run_nodes, start_node, stop_process
from inos.primitives.matrices import MatrixRef

COLS: Final = 65_536
WAIT_S: Final = 60.0
COMMON: Final = ("--network", "devnet", "--rpc-port", "0", "--p2p-port", "0", "--no-discovery")


class MeshStats(Struct, frozen=True):
    """One matrix on its way through two nodes. MB are 10^6 bytes."""

    bytes: int
    sources: int
    store_s: float
    """Cutting into strips, hashing, writing, and forcing to the disk."""
    fetch_s: float
    """From the call to the last byte verified, written, and forced to the disk."""
    read_s: float
    """Reading back by the fetching node's store, and hashing again."""
    node_mb: float
    """Most memory of the fetching node (VmHWM)."""

    def compute_rates(self) -> dict[str, float]:
        """Return MB/s of each step."""
        seconds = {"store": self.store_s, "fetch": self.fetch_s, "read": self.read_s}
        return {name: self.bytes / taken / 1e6 for name, taken in seconds.items()}


def measure_mesh(mebibytes: int, sources: int, announce: Announce, folder: Path | None = None) -> MeshStats:
    """Store a random operand of this many MiB, start nodes that have it, and fetch it with another node.

    Raises:
        NodeError: a node does not start. BenchError: "wrong-matrix". ClientError: the matrix does not come.
    """
    with tempfile.TemporaryDirectory(prefix="inos-mesh-", dir=folder) as name:
        return asyncio.run(_measure(mebibytes, sources, announce, Path(name)))


async def _measure(mebibytes: int, sources: int, announce: Announce, folder: Path) -> MeshStats:
    rows = max(16, mebibytes * (1 << 20) // COLS)
    announce(f"making {rows} x {COLS} random entries ...")
    array = np.random.default_rng(5).integers(-64, 64, (rows, COLS), np.int8)
    specs = [NodeSpec(f"source{i}", folder / f"source{i}", COMMON) for i in range(sources)]
    started = time.monotonic()
    ref = MatrixStore(specs[0].data_dir / "matrices").put(array)
    store_s = time.monotonic() - started
    for spec in specs[1:]:
        MatrixStore(spec.data_dir / "matrices").put(array)
    announce(f"stored at {array.nbytes / store_s / 1e6:.0f} MB/s; fetching ...")
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
        raise BenchError("wrong-matrix", "the matrix that was fetched is not the one that was stored")
    return MeshStats(array.nbytes, sources, store_s, fetch_s, read_s, node_mb)


async def _fetch(url: str, ref: MatrixRef) -> float:
    """Have the node fetch a matrix from its peers; return the seconds it took."""
    async with Client(url) as client:
        started = time.monotonic()
        asked = {"id": ref.id.hex(), "count": 0, "wait_s": WAIT_S}
        await client.call("mesh_getRows", asked, timeout_s=WAIT_S + 30)
        return time.monotonic() - started


def describe_mesh(stats: MeshStats) -> list[str]:
    """Return the figures as lines of text."""
    rates = stats.compute_rates()
    return [
        f"{stats.bytes / 1e6:.0f} MB, from {stats.sources} node{'s' if stats.sources > 1 else ''}",
        f"  stored      {rates['store']:6.0f} MB/s  cut into strips, hashed, written, forced to the disk",
        f"  fetched     {rates['fetch']:6.0f} MB/s  over an encrypted link, verified, written, forced to the disk",
        f"  read back   {rates['read']:6.0f} MB/s  hashed again",
        f"  memory of the fetching node: at most {stats.node_mb:.0f} MB",
    ]
