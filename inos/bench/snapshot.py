"""How soon a new node follows a chain with many accounts when it takes a final state from its peers: real processes."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import Struct

from inos.bench.chains import Chain, make_chain
from inos.bench.errors import BenchError
from inos.bench.sync import copy_chain, load_chain, read_memory_mb, save_chain
from inos.cli.common.output import call_rpc
from inos.node.process import NodeSpec, run_nodes, start_node, stop_process
from inos.primitives.errors import InosError

POLL_S: Final = 0.1
LIMIT_S: Final = 300.0
VOTERS: Final = 4
TRANSFERS: Final = 250
"""In each block."""


class SnapshotFigures(Struct, frozen=True):
    """One start from nothing."""

    accounts: int
    blocks: int
    base_height: int
    """Of the block whose state was taken."""
    ready_s: float
    """From the start of the process until it is ready."""
    state_s: float
    """From there until the state is whole."""
    following_s: float
    """From there until it stands on the sources' tip."""
    node_mb: float
    """Most memory of the new node (VmHWM), in 10^6 bytes."""


def measure_snapshot(chain: Chain, accounts: int, folder: Path, sources: int) -> SnapshotFigures:
    """Start nodes that have `chain`, and a new one with --snapshot on an empty folder; wait until it is at the tip.

    Raises:
        BenchError: "snapshot-stuck", "executed-everything": it took the blocks and not a state.
    """
    return asyncio.run(_measure(chain, accounts, folder, sources))


async def _measure(chain: Chain, accounts: int, folder: Path, sources: int) -> SnapshotFigures:
    common = ("--network", str(chain.network), "--rpc-port", "0", "--p2p-port", "0")
    specs = [NodeSpec(f"source{i}", copy_chain(chain.folder, folder, i), common) for i in range(sources)]
    async with run_nodes(specs) as running:
        started = time.monotonic()
        spec = NodeSpec("new", folder / "new", (*common, "--snapshot"))
        new = await start_node(spec, [node.p2p_address for node in running])
        try:
            ready = time.monotonic()
            await _await_height(new.rpc_url, 1)
            taken = time.monotonic()
            await _await_height(new.rpc_url, chain.blocks)
            done = time.monotonic()
            head = await asyncio.to_thread(call_rpc, new.rpc_url, "chain_head")
            if head["id"] != chain.tip.hex():
                raise BenchError("wrong-tip", f"the node ended at block {head['id']}, not {chain.tip.hex()}")
            base = await _find_base(new.rpc_url, chain.blocks)
            memory = read_memory_mb(new.process.pid, "VmHWM")
        finally:
            await stop_process(new.process)
    return SnapshotFigures(accounts, chain.blocks, base, ready - started, taken - ready, done - ready, memory)


async def _await_height(url: str, height: int) -> int:
    began = time.monotonic()
    while (found := int((await asyncio.to_thread(call_rpc, url, "chain_head"))["height"])) < height:
        if time.monotonic() - began > LIMIT_S:
            raise BenchError("snapshot-stuck", f"the new node did not reach block {height} within {LIMIT_S:g} s")
        await asyncio.sleep(POLL_S)
    return found


async def _find_base(url: str, height: int) -> int:
    """The highest block at or below `height` of which the node has no body."""
    while height > 0:
        try:
            await asyncio.to_thread(call_rpc, url, "chain_getBlock", {"block": height, "full": False})
        except InosError:
            return height
        height -= 1
    raise BenchError("executed-everything", "the new node has every block; it took no state")


def run(accounts: int, keep: Path | None, sources: int, tell: Callable[[str], None]) -> tuple[Chain, SnapshotFigures]:
    """Make a chain that pays so many accounts, unless `keep` has it, and start a node beside it."""
    blocks = -(-accounts // TRANSFERS) + 40
    with tempfile.TemporaryDirectory(prefix="inos-bench-snapshot-") as temporary:
        made = (keep or Path(temporary)) / f"voted-{accounts}"
        chain = load_chain(made) or _make(made, blocks, accounts, tell)
        tell(f"a new node beside {sources} with {accounts} accounts")
        return chain, measure_snapshot(chain, accounts, Path(temporary) / "nodes", sources)


def _make(folder: Path, blocks: int, accounts: int, tell: Callable[[str], None]) -> Chain:
    shutil.rmtree(folder, ignore_errors=True)
    tell(f"making {blocks} blocks that pay {accounts} accounts")
    chain = make_chain(folder, blocks, TRANSFERS, receivers=accounts, voters=VOTERS)
    save_chain(chain)
    return chain
