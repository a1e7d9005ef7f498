"""Runs nodes as child processes: starts them, waits for them, stops them, and leaves none behind.

The devnet, the benchmarks and the tests use it. It knows a node from outside only: its command line, its data
directory, and the ready file node.json, which a node leaves there while it runs.
"""

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

from msgspec import Struct

from inos.core.errors import NodeError
from inos.node.variables import ENV_PREFIX, PARENT_VARIABLE

READY_SECONDS: Final = 60.0
"""A node is ready within two seconds on an idle machine; the rest is for a busy one."""
STOP_SECONDS: Final = 15.0
POLL_SECONDS: Final = 0.05
LOG_LINES: Final = 15
READY_NAME: Final = "node.json"
LIGHT_NAME: Final = "light.json"
"""The ready file of a light client."""
ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""Several nodes share the machine, and a pool of BLAS threads in each would only compete for the cores."""


class ReadyFile(Struct, frozen=True):
    """Holds what a node writes into node.json once it is ready; a killed node leaves the file behind."""

    pid: int
    rpc: str
    p2p: str = ""
    node_id: str = ""

    def is_running(self) -> bool:
        """Return whether the process that wrote the file is there."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:  # another user's process
            return True
        return True


def get_stop_signals() -> tuple[signal.Signals, ...]:
    """Return the signals that stop a process in order; SIGHUP, of a closed terminal, unless nohup made it ignored."""
    is_ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return (signal.SIGINT, signal.SIGTERM) if is_ignored else (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def read_ready_file(data_dir: Path, name: str = READY_NAME) -> ReadyFile | None:
    """Read the ready file in a data directory; return None if it is missing or cannot be read."""
    try:
        found = json.loads((data_dir.expanduser() / name).read_bytes())
        texts = (str(found.get(name, "")) for name in ("p2p", "node_id"))
        return ReadyFile(int(found["pid"]), str(found["rpc"]), *texts)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


@dataclass(frozen=True)
class NodeSpec:
    """Says how one node is started; `prefix` is a command that runs it elsewhere, such as in a network namespace."""

    name: str
    data_dir: Path
    arguments: tuple[str, ...]
    prefix: tuple[str, ...] = ()

    @property
    def is_mining(self) -> bool:
        return "--mine" in self.arguments


@dataclass(frozen=True)
class RunningNode:
    """Holds a node that was ready once."""

    spec: NodeSpec
    process: asyncio.subprocess.Process
    rpc_url: str
    p2p_address: str
    node_id: str

    @property
    def name(self) -> str:
        return self.spec.name

    def read_token(self) -> str:
        """Return the bearer token of the node's protected methods."""
        return (self.spec.data_dir / "rpc.token").read_text().strip()


async def start_node(spec: NodeSpec, peers: Sequence[str] = ()) -> RunningNode:
    """Start a node as a process in a session of its own, and wait until it is ready.

    Args:
        peers: what each --peer names, as ID@HOST:PORT.

    Raises:
        NodeError: "data-dir-in-use", "node-died" with the end of its log, or "node-not-ready" after `READY_SECONDS`.
    """
    spec.data_dir.mkdir(parents=True, exist_ok=True)
    if _is_locked(spec.data_dir):
        hint = "stop that node, or give another --data-dir"
        raise NodeError("data-dir-in-use", f"a node runs in {spec.data_dir} already", hint=hint)
    (spec.data_dir / READY_NAME).unlink(missing_ok=True)
    log_path = spec.data_dir / "node.log"
    process = await _spawn(spec, peers, log_path)
    try:
        async with asyncio.timeout(READY_SECONDS):
            while (state := read_ready_file(spec.data_dir)) is None:
                if process.returncode is not None:
                    raise NodeError("node-died", f"node {spec.name} ended at once:\n{read_log_end(log_path)}")
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        await stop_process(process)
        raise NodeError("node-not-ready", f"node {spec.name} was not ready:\n{read_log_end(log_path)}") from None
    except BaseException:
        await stop_process(process)
        raise
    return RunningNode(spec, process, state.rpc, state.p2p, state.node_id)


async def _spawn(spec: NodeSpec, peers: Sequence[str], log_path: Path) -> asyncio.subprocess.Process:
    peer_flags = [flag for peer in peers for flag in ("--peer", peer)]
    with log_path.open("ab") as log:
        return await asyncio.create_subprocess_exec(
            *(*spec.prefix, sys.executable, "-P", "-m", "inos", "node"),
            *("--data-dir", str(spec.data_dir), *spec.arguments, *peer_flags),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Ctrl-C in the terminal reaches the parent alone, which then stops the nodes in order.
            start_new_session=True,
            env=make_child_environment() | {PARENT_VARIABLE: str(os.getpid()), **ONE_THREAD},
        )


def make_child_environment() -> dict[str, str]:
    """Return this process's environment without INOS_*: a child is configured by its command line alone.

    Otherwise the settings that a user exported for another node would move a devnet to another chain or port.
    """
    return {name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)}


def _is_locked(data_dir: Path) -> bool:
    """Return whether a node holds the directory's lock.

    The number in its ready file says less: after a kill it may be another process's by now.
    """
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


def read_log_end(path: Path) -> str:
    """Return the last lines of a node's log, for an error message."""
    return "\n".join(path.read_text(errors="replace").splitlines()[-LOG_LINES:])


async def stop_process(process: asyncio.subprocess.Process) -> None:
    """Ask a process to stop, and kill it if it still runs after `STOP_SECONDS`."""
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
