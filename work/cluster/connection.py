"""The connection to a cluster: the only module that imports Ray, and the place where its errors become ours."""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Final

from msgspec import Struct

from inos.work.cluster.address import ClusterError, parse_address, read_token
from inos.work.cluster.parts import describe_worker, multiply_part
from inos.work.cluster.probe import check_head

LEAST_VERSION: Final = (2, 52)
"""The first release that asks for tokens."""
RETRIES: Final = 5
"""Ray runs a part again so often when its worker is lost."""
CENSUS_S: Final = 10.0
"""The machines are counted again after this time, since they come and go."""
_INSTALL: Final = 'pip install "inos[cluster]"'


class Census(Struct, frozen=True):
    """What multiplies: `slots` parts at a time, each in this many threads."""

    slots: int
    threads: int


class Connection:
    """Runs parts on the cluster's workers.

    On a machine that is part of the cluster, the address of the head leads to that machine's shared memory too.

    Args:
        address: ray://HEAD:10001 or ray://auto.
        maps: False to go through the head's server for clients in any case, as other machines have to.

    Raises:
        ClusterError: the address is none, Ray is not installed here or there, or the cluster refuses this machine.
    """

    def __init__(self, address: str, *, maps: bool = True) -> None:
        head = parse_address(address)
        token = read_token()
        self._ray = _import_ray()
        self._is_own = not self._ray.is_initialized()
        if head is not None:
            if not self._is_own:
                raise ClusterError(
                    "ray-in-use", "this process is connected to a cluster already", hint="give ray://auto to use that"
                )
            check_head(*head, token)
        with self._translated(address):
            if self._is_own:
                self._init("auto" if head is None else address)
            self._check_workers()
            if head is not None and maps:
                self._map_store(address)
        self._counted: dict[int | None, tuple[float, Census]] = {}
        self._tasks: dict[int, Any] = {}

    def store(self, value: Any) -> Any:
        """Put an array into the object store, and return the reference that keeps it there."""
        with self._translated("put"):
            return self._ray.put(value)

    def submit(self, threads: int, *arguments: Any) -> Any:
        """Start a part on some worker that has so many processors free, and return its reference."""
        with self._translated("submit"):
            if threads not in self._tasks:  # Each one is sent to every worker, so it is made once.
                self._tasks[threads] = self._ray.remote(num_cpus=threads, max_retries=RETRIES)(multiply_part)
            return self._tasks[threads].remote(*arguments)

    def listen(self, reference: Any) -> "Future[Any]":
        """Return a future of what a part returns."""
        future: Future[Any] = reference.future()
        return future

    def read(self, future: "Future[Any]") -> Any:
        """Return what a part returned.

        Raises:
            ClusterError: its worker was lost again and again, or the cluster is gone.
        """
        with self._translated("part"):
            return future.result()

    def cancel(self, references: Sequence[Any]) -> None:
        """Interrupt parts whose outcome is not needed any more."""
        with self._translated("cancel"):
            for reference in references:
                self._ray.cancel(reference)

    def count(self, threads: int | None) -> Census:
        """Return how many parts the cluster's processors can work on.

        Args:
            threads: processors of one part; by default as many as the smallest machine has.

        Raises:
            ClusterError: "cluster-empty" if no machine has a processor for us.
        """
        now = time.monotonic()
        if threads not in self._counted or now - self._counted[threads][0] > CENSUS_S:
            with self._translated("count"):
                nodes = [int(node["Resources"].get("CPU", 0)) for node in self._ray.nodes() if node["Alive"]]
            sizes = [size for size in nodes if size]
            each = max(1, min([*sizes, threads or max(sizes, default=1)], default=1))
            self._counted[threads] = now, Census(sum(size // each for size in sizes), each)
        _, census = self._counted[threads]
        if not census.slots:
            raise ClusterError(
                "cluster-empty",
                "no machine of the cluster has processors",
                hint="start Ray on one more, as docs/cluster.md shows",
            )
        return census

    def close(self) -> None:
        """Disconnect; operands and parts of this connection are forgotten."""
        if self._is_own:
            self._ray.shutdown()

    def _init(self, place: str) -> None:
        self._ray.init(place, logging_level="ERROR", log_to_driver=False)

    def _map_store(self, address: str) -> None:
        """Connect again without the head's server for clients if this machine has one of the cluster's object stores.

        Products are then read from its shared memory, where that server copies and sends each of them twice.
        """
        stores = [node.get("ObjectStoreSocketName", "") for node in self._ray.nodes() if node["Alive"]]
        if not any(os.access(store, os.W_OK) for store in stores):
            return
        place = self._ray.get_runtime_context().gcs_address
        self._ray.shutdown()
        try:
            self._init(place)
        except (self._ray.exceptions.RayError, ConnectionError, RuntimeError, ValueError, OSError):
            self._ray.shutdown()
            self._init(address)

    def _check_workers(self) -> None:
        task = self._ray.remote(num_cpus=0)(describe_worker)
        found, expected = self._ray.get(task.remote()), describe_worker().version
        if found.auth_mode != "token":
            raise ClusterError(
                "cluster-open",
                "the cluster asks for no token, so it runs the code of any program that reaches it",
                hint="start Ray on all its machines with RAY_AUTH_MODE=token",
            )
        if found.version != expected:
            raise ClusterError(
                "cluster-version",
                f"the workers have inos {found.version}, and this machine has {expected}",
                hint="install the same release on all machines",
            )

    @contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        """Turn Ray's errors into ours."""
        try:
            yield
        except ClusterError:
            raise
        except ModuleNotFoundError as error:
            raise _make_missing(error) from error
        except (self._ray.exceptions.RayError, ConnectionError, RuntimeError, ValueError) as error:
            text = " ".join(str(error).split())
            if "No module named" in text:
                raise _make_missing(error) from error
            raise ClusterError(
                "cluster-failed", f"{what}: {text[:300]}", hint="see: ray status, on the head"
            ) from error


def _make_missing(error: Exception) -> ClusterError:
    return ClusterError(
        "cluster-lacks-inos", f"a worker cannot import inos: {error}"[:300], hint=f"on every machine: {_INSTALL}"
    )


def _import_ray() -> Any:
    """Import Ray so that it sends its token."""
    is_first = "ray" not in sys.modules
    os.environ["RAY_AUTH_MODE"] = "token"
    try:
        import grpc  # noqa: F401
        import ray
    except ImportError as error:
        raise ClusterError("no-ray", f"Ray is not installed: {error}", hint=_INSTALL) from error
    if tuple(int(part) for part in ray.__version__.split(".")[:2]) < LEAST_VERSION:
        least = ".".join(map(str, LEAST_VERSION))
        raise ClusterError("old-ray", f"Ray {ray.__version__} knows no tokens; {least} does", hint=_INSTALL)
    if not is_first:
        ray._raylet.Config.initialize("")  # It read the environment when it was imported.
    return ray
