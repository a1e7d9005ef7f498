"""Nodes as separate processes: started, awaited, stopped, and never left behind."""

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from inos.core.errors import NodeError

READY_SECONDS: Final = 60.0
"""A node answers within two seconds on an idle machine; the rest is room for a busy one."""
STOP_SECONDS: Final = 15.0
POLL_SECONDS: Final = 0.05
LOG_LINES: Final = 15


@dataclass(frozen=True)
class NodeSpec:
    """How one node is started; `prefix` is a command that runs it somewhere else, such as in a network namespace."""

    name: str
    data_dir: Path
    arguments: tuple[str, ...]
    prefix: tuple[str, ...] = ()

    @property
    def is_mining(self) -> bool:
        return "--mine" in self.arguments


@dataclass(frozen=True)
class RunningNode:
    """A node that has said it is ready."""

    spec: NodeSpec
    process: asyncio.subprocess.Process
    rpc_url: str
    p2p_address: str
    node_id: str

    @property
    def name(self) -> str:
        return self.spec.name

    def read_token(self) -> str:
        """The bearer token of the node's protected methods."""
        return (self.spec.data_dir / "rpc.token").read_text().strip()


def _is_locked(data_dir: Path) -> bool:
    """Whether a node holds the directory's lock. A number in a file says less: another process may have it by now."""
    try:
        descriptor = os.open(data_dir / "lock", os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


async def start_node(spec: NodeSpec, peers: Sequence[str] = ()) -> RunningNode:
    """Start a node as a process in a session of its own and wait until it has written node.json.

    Raises:
        NodeError: "node-died" with the end of its log, or "node-not-ready" after `READY_SECONDS`.
    """
    spec.data_dir.mkdir(parents=True, exist_ok=True)
    ready_file = spec.data_dir / "node.json"
    if _is_locked(spec.data_dir):
        hint = "stop that devnet, or give this one another --data-dir"
        raise NodeError("data-dir-in-use", f"a node runs in {spec.data_dir} already", hint=hint)
    ready_file.unlink(missing_ok=True)
    log_path = spec.data_dir / "node.log"
    peer_flags = [flag for peer in peers for flag in ("--peer", peer)]
    with log_path.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(*spec.prefix, sys.executable, "-P", "-m", "inos", "node"),
            *("--data-dir", str(spec.data_dir), *spec.arguments, *peer_flags),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Ctrl-C in the terminal reaches the devnet alone, which then stops the nodes in order.
            start_new_session=True,
            env=os.environ | {"INOS_PARENT_PID": str(os.getpid()), **ONE_THREAD},
        )
    try:
        async with asyncio.timeout(READY_SECONDS):
            while (state := _read_ready_file(ready_file)) is None:
                if process.returncode is not None:
                    raise NodeError("node-died", f"node {spec.name} ended at once:\n{read_log_end(log_path)}")
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        await stop_process(process)
        raise NodeError("node-not-ready", f"node {spec.name} was not ready:\n{read_log_end(log_path)}") from None
    except BaseException:
        await stop_process(process)
        raise
    return RunningNode(spec, process, state["rpc"], state["p2p"], state["node_id"])


ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""Several nodes share the machine: a pool of BLAS threads in each would only fight over the cores."""


def _read_ready_file(path: Path) -> dict[str, str] | None:
    try:
        state: dict[str, str] = json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return state


def read_log_end(path: Path) -> str:
    """The last lines a node wrote, for an error message."""
    return "\n".join(path.read_text(errors="replace").splitlines()[-LOG_LINES:])


async def stop_process(process: asyncio.subprocess.Process) -> None:
    """Ask a process to stop; kill it when it has not after `STOP_SECONDS`."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@contextlib.asynccontextmanager
async def run_nodes(specs: Sequence[NodeSpec]) -> AsyncIterator[tuple[RunningNode, ...]]:
    """Start nodes one after another, each dialling all before it; stop all of them on the way out."""
    nodes: list[RunningNode] = []
    try:
        for spec in specs:
            nodes.append(await start_node(spec, [node.p2p_address for node in nodes]))
        yield tuple(nodes)
    finally:
        await asyncio.gather(*(stop_process(node.process) for node in nodes))
