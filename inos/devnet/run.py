"""Runs a devnet: starts nodes, runs jobs, shows figures, audits the supply, and stops everything."""

import asyncio
import contextlib
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from inos.client.client import Client
from inos.devnet.digits import make_digit_task
from inos.devnet.errors import DevnetError
from inos.devnet.intro import DEV_PHRASE, describe_start
from inos.devnet.monitor import DevnetFigures, WatchedNode, are_tips_equal, read_figures
from inos.devnet.workload import DigitWorkload, WorkloadProgress
from inos.node.process import NodeSpec, RunningNode, run_nodes
from inos.primitives.errors import InosError
from inos.wallet.keys import derive_key

NETWORK: Final = "devnet"
DEFAULT_RPC_PORT: Final = 8645
REFRESH_SECONDS: Final = 0.5
SETTLE_SECONDS: Final = 30.0
JOB_TIMEOUT_SECONDS: Final = 300.0
"""A program is paid a minute after it is delivered, and later if other programs keep the processors busy."""

Show = Callable[[DevnetFigures, WorkloadProgress, float, str | None], None]


@dataclass(frozen=True)
class DevnetSettings:
    """The size and the load of the devnet.

    Attributes:
        data_dir: kept if given; otherwise a temporary folder is removed with the devnet.
        until_jobs: the devnet stops after at least this many settled jobs, at the end of a pass; None runs on.
        filler_rate: tickets per second and miner while there is no job, so that a laptop stays cool.
        rpc_port: the first node's port; 0 takes a free one, and None the default one if it is free.
        nodes: 2 to 16; the last one follows, the others mine.
    """

    data_dir: Path | None
    until_jobs: int | None
    filler_rate: float
    rpc_port: int | None
    nodes: int = 3


@dataclass(frozen=True)
class DevnetReport:
    """The outcome of a devnet, which is printed as one JSON object."""

    height: int
    jobs_settled: int
    programs_answered: int
    accuracy: float | None
    local_accuracy: float | None
    tips_equal: bool
    supply_conserved: bool
    paid_share: float
    nodes: list[dict[str, Any]]

    @property
    def is_sound(self) -> bool:
        """True if the devnet ended with one tip on all nodes and a supply that adds up."""
        return self.tips_equal and self.supply_conserved


async def run_devnet(settings: DevnetSettings, show: Show | None, announce: Callable[[str], None]) -> DevnetReport:
    """Run the devnet until enough jobs are settled, or until cancelled.

    Args:
        show: draws one frame; None if there is no terminal.
        announce: receives one line of text about what happens next.

    Raises:
        DevnetError: a node could not be started, or a result was wrong. DemoUnavailable: scikit-learn is missing.
    """
    announce("training a classifier of handwritten digits and quantising it to int7, about 5 s ...")
    task = await asyncio.to_thread(make_digit_task)
    with open_folder(settings.data_dir) as folder:
        specs = make_specs(folder, settings)
        announce(f"starting {settings.nodes} nodes, about 2 s each ...")
        async with run_nodes(specs) as nodes, contextlib.AsyncExitStack() as stack:
            secret = derive_key(DEV_PHRASE).secret
            customer = await stack.enter_async_context(Client(nodes[0].rpc_url, secret=secret))
            address, balance = await customer.get_address(), await _read_balance(customer)
            announce(describe_start(nodes, folder, address, balance, is_kept=settings.data_dir is not None))
            watched = tuple([await _watch(stack, node) for node in nodes])
            announce("batches of images are posted as products until the network has a jury, then as programs ...")
            workload = DigitWorkload(customer, task, job_timeout_s=JOB_TIMEOUT_SECONDS)
            async with _showing(show, watched, workload.progress, customer):
                await workload.run(lambda progress: _is_enough(progress, settings.until_jobs))
            return await _finish(watched, workload.progress)


def make_specs(folder: Path, settings: DevnetSettings) -> tuple[NodeSpec, ...]:
    """Return the specs of the miners and one follower. Only the first node has a known RPC port, and it pays pages and
    other workers."""
    common = ("--network", NETWORK, "--p2p-port", "0", "--log-format", "json", "--explorer")
    mining = (
        "--mine",
        "auto",
        "--threads",
        "1",
        "--filler-rate",
        f"{settings.filler_rate:g}",
    )
    names = [f"miner-{number}" for number in range(1, settings.nodes)]
    first = find_rpc_port(DEFAULT_RPC_PORT) if settings.rpc_port is None else settings.rpc_port
    own = [("--rpc-port", str(first), "--pool"), *(("--rpc-port", "0") for _ in names[1:])]
    return (
        *(
            NodeSpec(name, folder / name, (*common, *options, *mining))
            for name, options in zip(names, own, strict=True)
        ),
        NodeSpec("follower", folder / "follower", (*common, "--rpc-port", "0")),
    )


def find_rpc_port(wanted: int) -> int:
    """Return `wanted` if the port is free, otherwise 0, which lets the node take any."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return 0
    return wanted


def _is_enough(progress: WorkloadProgress, until_jobs: int | None) -> bool:
    return until_jobs is not None and progress.jobs_settled >= until_jobs and progress.passes > 0


@contextlib.contextmanager
def open_folder(data_dir: Path | None) -> Iterator[Path]:
    """Yield the folder for the nodes: the given one, or a temporary one that is removed afterwards."""
    if data_dir is not None:
        data_dir.mkdir(parents=True, exist_ok=True)
        yield data_dir
        return
    with tempfile.TemporaryDirectory(prefix="inos-devnet-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


async def _watch(stack: contextlib.AsyncExitStack, node: RunningNode) -> WatchedNode:
    client = await stack.enter_async_context(Client(node.rpc_url, token=node.read_token()))
    if not node.spec.is_mining:
        return WatchedNode(node, client, None)
    status = await client.call("miner_status")
    return WatchedNode(node, client, status["beneficiary"])


@contextlib.asynccontextmanager
async def _showing(
    show: Show | None, watched: tuple[WatchedNode, ...], progress: WorkloadProgress, customer: Client
) -> AsyncIterator[None]:
    """Draw a frame every `REFRESH_SECONDS`, and raise an error if a node ends, while the body runs."""
    async with asyncio.TaskGroup() as group:
        watcher = group.create_task(_watch_processes(watched))
        drawer = group.create_task(_draw(show, watched, progress, customer)) if show is not None else None
        yield
        watcher.cancel()
        if drawer is not None:
            drawer.cancel()


async def _watch_processes(watched: tuple[WatchedNode, ...]) -> None:
    done, _ = await asyncio.wait(
        [asyncio.ensure_future(w.node.process.wait()) for w in watched], return_when=asyncio.FIRST_COMPLETED
    )
    dead = [w.node.name for w in watched if w.node.process.returncode is not None]
    raise DevnetError("node-died", f"{' and '.join(dead)} ended by itself ({len(done)} of {len(watched)})")


async def _draw(show: Show, watched: tuple[WatchedNode, ...], progress: WorkloadProgress, customer: Client) -> None:
    start = time.monotonic()
    while True:
        figures = await read_figures(watched)
        balance = await _read_balance(customer)
        show(figures, progress, time.monotonic() - start, balance)
        await asyncio.sleep(REFRESH_SECONDS)


async def _read_balance(customer: Client) -> str | None:
    try:
        account = await customer.call("state_getAccount", {"address": await customer.get_address()})
    except (InosError, OSError, TimeoutError):
        return None
    return str(account["balance"])


async def _finish(watched: tuple[WatchedNode, ...], progress: WorkloadProgress) -> DevnetReport:
    """Stop mining, wait for one tip, and audit the supply on every node."""
    await asyncio.gather(*(w.client.call("miner_stop") for w in watched if w.beneficiary is not None))
    figures = await _await_one_tip(lambda: read_figures(watched))
    audits = await asyncio.gather(*(w.client.call("state_supply", {"audit": True}) for w in watched))
    nodes = [
        vars(node) | {"supply": audit["supply"], "supply_conserved": audit["is_conserved"]}
        for node, audit in zip(figures.nodes, audits, strict=True)
    ]
    return DevnetReport(
        height=figures.chain.height,
        jobs_settled=progress.jobs_settled,
        programs_answered=progress.programs_answered,
        accuracy=progress.accuracy,
        local_accuracy=progress.local_accuracy,
        tips_equal=are_tips_equal(figures),
        supply_conserved=all(audit["is_conserved"] for audit in audits) and len({a["supply"] for a in audits}) == 1,
        paid_share=figures.chain.paid_share,
        nodes=nodes,
    )


async def _await_one_tip(read: Callable[[], Awaitable[DevnetFigures]]) -> DevnetFigures:
    """Return the figures once all tips are equal, or as they are after `SETTLE_SECONDS`."""
    start = time.monotonic()
    while True:
        figures = await read()
        if are_tips_equal(figures) or time.monotonic() - start > SETTLE_SECONDS:
            return replace(figures)
        await asyncio.sleep(REFRESH_SECONDS)
