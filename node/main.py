"""Runs one node as a process: logs, signals, the ready line and the ready file."""

import asyncio
import os
import sys
from typing import Final

import structlog

from inos.node.logs import configure_logs
from inos.node.memory import freeze_loaded
from inos.node.node import Node, open_node
from inos.node.process import get_stop_signals
from inos.node.settings import NodeSettings
from inos.node.variables import PARENT_VARIABLE
from inos.primitives.errors import InosError
from inos.wallet.addresses import encode_address

POLL_S: Final = 1.0
"""The parent process and the database are looked at this often."""
SWITCH_S: Final = 0.0005
"""A thread waits this long before it asks for the interpreter's lock. While blocks are executed, a call waits for the
lock several times, each time for up to 5 ms by default. Shorter waits do not cost measurably more processor time."""

log: Final = structlog.get_logger("node")


def run(settings: NodeSettings) -> None:
    """Run a node until SIGINT, SIGTERM or node_stop.

    Raises:
        InosError: the node could not start, or its database failed.
    """
    os.umask(0o077)  # only its owner may read what a node writes, for any umask of the shell
    configure_logs(settings.log_level, settings.log_format)
    sys.setswitchinterval(SWITCH_S)
    asyncio.run(run_until_stopped(settings))


async def run_until_stopped(settings: NodeSettings) -> None:
    """Run a node until a signal or node_stop, or until its database fails.

    Raises:
        InosError: the node could not start, or its database failed.
    """
    trouble: InosError | None = None
    async with open_node(settings) as node, asyncio.TaskGroup() as group:
        freeze_loaded()
        loop = asyncio.get_running_loop()
        for number in get_stop_signals():
            loop.add_signal_handler(number, node.request_stop)
        watches = (
            group.create_task(_watch_parent(node, os.environ.get(PARENT_VARIABLE, ""))),
            group.create_task(_watch_database(node)),
        )
        if node.settings.log_format == "console":  # among JSON lines, "node ready" says the same
            print(describe(node), flush=True)
        await node.wait_stop_requested()
        trouble = node.core.ledger.database.trouble
        for watch in watches:
            watch.cancel()
    if trouble is not None:
        raise trouble


def describe(node: Node) -> str:
    """Describe the node in a few lines for the user at the terminal."""
    lines = [
        f"INOS node ready on {node.core.network.name} at height {node.core.ledger.tip.header.height}",
        f"  node id  {node.p2p.node_id.hex()}",
        f"  p2p      {node.p2p_address}",
        f"  rpc      {node.rpc.url}",
        f"  data     {node.settings.data_dir}",
    ]
    if node.settings.explorer:
        lines.insert(4, f"  explorer {node.rpc.url}/explorer/")
    if node.metrics_url is not None:
        lines.append(f"  metrics  {node.metrics_url}/metrics, and /health beside it")
    if node.knows_nobody:
        lines.append(f"  peers    knows no other node: {_describe_loneliness(node)}")
    if node.miner is not None:
        status, hrp = node.miner.get_status(), node.core.network.hrp
        lines.append(f"  mining   for {encode_address(hrp, status.beneficiary)}, purpose {status.purpose}")
        if status.worker is None:
            lines.append("           lottery only: it takes no paid jobs")
        elif status.worker != status.beneficiary:
            worker = encode_address(hrp, status.worker)
            lines.append(f"           jobs are claimed by {worker}, which passes its earnings on")
        token = node.settings.data_dir / "fleet.token"
        lines.append(f"  workers  join by: inos worker --join {node.rpc.url} --token-file {token}")
    return "\n".join(lines)


def _describe_loneliness(node: Node) -> str:
    give = "--peer or --seed ID@HOST:PORT names one"
    if node.miner is not None:
        return f"it mines a chain of its own until others connect; {give}"
    return f"nobody will be found, unless others connect; {give}"


async def _watch_database(node: Node) -> None:
    """Stop the node when its database was found damaged or could not be written.

    It would neither follow the chain nor mine on what can become part of it, and only its owner can mend the disk.
    """
    database = node.core.ledger.database
    while True:
        await asyncio.sleep(POLL_S)
        if (trouble := database.trouble) is not None:
            log.error("the database fails, so the node stops", code=trouble.code, reason=trouble.message)
            node.request_stop()
            return


async def _watch_parent(node: Node, parent: str) -> None:
    """Stop the node when the process that started it has ended."""
    if not parent.isdigit():
        return
    while True:
        if os.getppid() != int(parent):
            node.request_stop()
            return
        await asyncio.sleep(POLL_S)
