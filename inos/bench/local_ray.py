"""A Ray cluster on this machine, for measurements and tests."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from inos.bench.errors import BenchError
from inos.bench.machine import list_children, read_cpu_s
from inos.node.process import make_child_environment
from inos.work.cluster.address import ClusterError
from inos.work.cluster.probe import check_head

START_S: Final = 90.0
"""A busy machine takes half a minute to start a head."""
STOP_S: Final = 20.0
STORE_BYTES: Final = 1 << 28
POLL_S: Final = 0.2
AGAIN: Final = "try again while the machine is idle; a head needs a few hundred megabytes of memory"
SHORT: Final = Path(os.sep, "tmp")
"""A socket's path has at most 107 bytes, and Ray's own part of it has 75, so it is not below TMPDIR."""


class LocalRay:
    """Starts a head and more machines as processes of this one, and ends them. A context manager.

    Args:
        machines: how many there are. cpus: processors of each, as far as Ray knows.
        store: bytes of each machine's object store.
        token: a process uses one token as long as it lives; by default a new one.
    """

    def __init__(self, machines: int = 2, cpus: int = 1, store: int = STORE_BYTES, token: str | None = None) -> None:
        self._machines, self._cpus, self._store = machines, cpus, store
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._processes: list[subprocess.Popen[bytes]] = []
        self._port, self._client_port = find_free_port(), find_free_port()
        self.token = token or secrets.token_hex(32)

    @property
    def address(self) -> str:
        """Return the address for `--engine`."""
        return f"ray://127.0.0.1:{self._client_port}"

    @property
    def variables(self) -> dict[str, str]:
        """Return the environment of processes that use the cluster."""
        return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self.token}

    @property
    def gcs_address(self) -> str:
        """Return what RAY_ADDRESS is for ray://auto."""
        return f"127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        try:
            head = ["--head", f"--port={self._port}", f"--ray-client-server-port={self._client_port}"]
            self._start(*head, "--include-dashboard=false", f"--temp-dir={self._get_folder()}")
            self._wait()
            for _ in range(self._machines - 1):
                self.add_machine()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add_machine(self) -> None:
        """Start one more machine. It takes part some seconds later."""
        self._start(f"--address={self.gcs_address}")

    def find_workers(self, name: str = "") -> list[int]:
        """Return the processes that run tasks of this name, or that wait for tasks too."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                command, variables = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
            except OSError:  # It has ended.
                continue
            is_worker = command.startswith((b"ray::IDLE", b"ray::multiply_part"))
            if is_worker and command.startswith(b"ray::" + name.encode()) and self.token.encode() in variables:
                found.append(int(entry.name))
        return found

    def read_cpu_s(self) -> float:
        """Return the processor time that all processes of the cluster have taken, in seconds."""
        waiting, total = [process.pid for process in self._processes], 0.0
        while waiting:
            pid = waiting.pop()
            total += read_cpu_s(pid)
            waiting += list_children(pid)
        return total

    def close(self) -> None:
        """End all processes."""
        for process in reversed(self._processes):  # A machine whose head is gone waits for it.
            process.send_signal(signal.SIGTERM)  # Ray ends the processes that it started.
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None

    def _get_folder(self) -> Path:
        """Return the folder of Ray's logs and sockets, made when it is first needed."""
        if self._temporary is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="ray", dir=SHORT, ignore_cleanup_errors=True)
        return Path(self._temporary.name)

    def _start(self, *arguments: str) -> None:
        folder = self._get_folder()
        ports = ("--min-worker-port=0", "--max-worker-port=0", "--dashboard-agent-listen-port=0")
        limits = (f"--num-cpus={self._cpus}", f"--object-store-memory={self._store}", "--node-ip-address=127.0.0.1")
        command = [sys.executable, "-c", "from ray.scripts.scripts import main; main()", "start", "--block"]
        variables = {
            **self.variables,
            "RAY_USAGE_STATS_ENABLED": "0",
            "GRPC_ENABLE_FORK_SUPPORT": "0",  # docs/cluster.md says why
        }
        with (folder / f"machine{len(self._processes)}.log").open("wb") as log:
            self._processes.append(
                subprocess.Popen(
                    [*command, "--disable-usage-stats", *arguments, *ports, *limits],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=make_child_environment() | variables,
                )
            )

    def _wait(self) -> None:
        """Wait until the head answers."""
        limit = time.monotonic() + START_S
        while True:
            try:
                check_head("127.0.0.1", self._client_port, self.token)
                return
            except ClusterError as error:
                if error.code != "cluster-unreachable":
                    raise
            if time.monotonic() > limit or self._processes[0].poll() is not None:
                log = (self._get_folder() / "machine0.log").read_text(errors="replace")
                raise BenchError("ray-failed", f"Ray's head did not start: {log[-600:]}", hint=AGAIN)
            time.sleep(POLL_S)


def find_free_port() -> int:
    """Return a port that nothing listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
