"""How fast a new node gets a chain from another one over loopback: two real processes, everything checked."""

import asyncio
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from inos.bench.chains import Chain, make_chain
from inos.bench.errors import BenchError
from inos.cli.common.output import call_rpc
from inos.node.process import NodeSpec, run_nodes, start_node, stop_process

POLL_S: Final = 0.25
PATIENCE_S: Final = 60.0
"""Without a new block for so long the sync has failed."""


class SyncFigures(Struct, frozen=True):
    """One sync from nothing."""

    blocks: int
    transfers: int
    seconds: float
    """From the node's readiness to its last block."""
    first_block_s: float
    """Until the first block was connected: finding the peer, and headers."""
    blocks_per_s: float
    transfers_per_s: float
    node_mb: float
    """Most memory of the syncing node's main process at any time (VmHWM), in 10^6 bytes."""
    workers_mb: float
    """Most memory of its processes that check seals, together."""
    source_mb: float
    shares: dict[str, float]
    """What blocks spent their time on, over the whole sync."""


def measure_sync(
    chain: Chain, folder: Path, *, tell: Callable[[str], None] = lambda text: None, sources: int = 1
) -> SyncFigures:
    """Start a node on `chain`, and another one on the empty `folder`, and wait until they are at one tip.

    Raises:
        BenchError: "sync-stuck" where no block comes for a minute, "wrong-tip".
    """
    return asyncio.run(_measure(chain, folder, tell, sources))


async def _measure(chain: Chain, folder: Path, tell: Callable[[str], None], sources: int) -> SyncFigures:
    common = ("--network", str(chain.network), "--rpc-port", "0", "--p2p-port", "0")
    specs = [NodeSpec(f"source{i}", copy_chain(chain.folder, folder, i), common) for i in range(sources)]
    async with run_nodes(specs) as running:
        spec = NodeSpec("new", folder / "new", common)
        new = await start_node(spec, [node.p2p_address for node in running])
        try:
            return await _follow(chain, new.rpc_url, new.process.pid, running[0].process.pid, tell)
        finally:
            await stop_process(new.process)


async def _follow(chain: Chain, url: str, pid: int, source: int, tell: Callable[[str], None]) -> SyncFigures:
    started = moved = time.monotonic()
    first, height, told, workers_mb = 0.0, 0, started, 0.0
    spent: dict[str, float] = {}
    known: set[int] = set()
    while height < chain.blocks:
        await asyncio.sleep(POLL_S)
        sync = (await asyncio.to_thread(call_rpc, url, "node_health"))["sync"]
        now = time.monotonic()
        if sync["height"] > height:
            height, moved = sync["height"], now
            first = first or now - started
        elif now - moved > PATIENCE_S:
            raise BenchError("sync-stuck", f"no block after {height} for {PATIENCE_S:g} s: {sync['summary']}")
        for what, part in (sync["time_shares"] or {}).items():
            spent[what] = spent.get(what, 0.0) + part
        # A process just being started shares its parent's memory, and would be counted with all of it.
        children = set(list_children(pid))
        workers_mb = max(workers_mb, sum(read_memory_mb(child, "VmRSS") for child in children & known))
        known = children
        if now - told >= 5:
            tell(sync["summary"])
            told = now
    seconds = moved - started
    head = await asyncio.to_thread(call_rpc, url, "chain_head")
    if head["id"] != chain.tip.hex():
        raise BenchError("wrong-tip", f"the node ended at block {head['id']}, the chain at {chain.tip.hex()}")
    total = sum(spent.values())
    return SyncFigures(
        blocks=chain.blocks,
        transfers=chain.transfers,
        seconds=seconds,
        first_block_s=first,
        blocks_per_s=chain.blocks / seconds,
        transfers_per_s=chain.transfers / seconds,
        node_mb=read_memory_mb(pid, "VmHWM"),
        workers_mb=workers_mb,
        source_mb=read_memory_mb(source, "VmHWM"),
        shares={what: part / total for what, part in spent.items()} if total else {},
    )


def copy_chain(made: Path, folder: Path, number: int) -> Path:
    """The data directory of a source: the first is the chain's own folder, others are copies without its node key."""
    if number == 0:
        return made
    copy = folder / f"source{number}"
    shutil.copytree(made, copy, ignore=shutil.ignore_patterns("node.*", "lock", "rpc.token"))
    return copy


def read_memory_mb(pid: int, field: str) -> float:
    """VmRSS or VmHWM of a process in 10^6 bytes; 0 where the system does not tell."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1]) * 1024 / 1e6
    except OSError:
        return 0.0
    return 0.0


def list_children(pid: int) -> list[int]:
    """Processes started by a process, where the system tells."""
    try:
        threads = Path(f"/proc/{pid}/task").glob("*/children")
        return [int(text) for thread in threads for text in thread.read_text().split()]
    except OSError:
        return []


def run(
    blocks: int, transfers: int, keep: Path | None, sources: int, tell: Callable[[str], None]
) -> tuple[Chain, SyncFigures]:
    """Make a chain, unless `keep` has it from an earlier run, and sync it."""
    with tempfile.TemporaryDirectory(prefix="inos-bench-sync-") as temporary:
        made = (keep or Path(temporary)) / f"chain-{blocks}x{transfers}"
        chain = load_chain(made) or _make(made, blocks, transfers, tell)
        tell(f"syncing {chain.blocks} blocks with {chain.transfers} transfers")
        return chain, measure_sync(chain, Path(temporary) / "nodes", tell=tell, sources=sources)


def _make(folder: Path, blocks: int, transfers: int, tell: Callable[[str], None]) -> Chain:
    shutil.rmtree(folder, ignore_errors=True)
    tell(f"making {blocks} blocks of {transfers} transfers")
    chain = make_chain(folder, blocks, transfers)
    save_chain(chain)
    return chain


def save_chain(chain: Chain) -> None:
    """Note beside the data what was made; see `load_chain`."""
    about: dict[str, Any] = {
        "blocks": chain.blocks,
        "transfers": chain.transfers,
        "tip": chain.tip.hex(),
        "seconds": chain.seconds,
    }
    (chain.folder / "chain.json").write_text(json.dumps(about))


def load_chain(folder: Path) -> Chain | None:
    """A chain made before, or None."""
    try:
        about = json.loads((folder / "chain.json").read_text())
    except (OSError, ValueError):
        return None
    return Chain(
        folder=folder,
        network=folder / "genesis.json",
        blocks=about["blocks"],
        transfers=about["transfers"],
        tip=bytes.fromhex(about["tip"]),  # type: ignore[arg-type]
        seconds=about["seconds"],
    )
