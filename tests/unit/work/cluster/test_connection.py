"""What a person reads who cannot connect to a cluster."""

import socket
import subprocess
import sys
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from inos.work.cluster import ClusterError, open_engine
from inos.work.cluster.address import parse_address, read_token
from inos.work.cluster.connection import Census, Connection
from inos.work.cluster.parts import Description, describe_worker


@pytest.mark.parametrize(
    "text", ["", "ray://", "ray://:10001", "ray://head", "ray://head:0", "ray://head:65536", "head:1", "http://h:1"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ClusterError, match="ray://HEAD:10001") as caught:
        parse_address(text)
    assert caught.value.code == "bad-engine"


def test_addresses() -> None:
    assert parse_address("ray://head.lan:10001") == ("head.lan", 10001)
    assert parse_address("ray://[fd00::1]:10001") == ("[fd00::1]", 10001)
    assert parse_address("ray://auto") is None


def test_the_token_is_found_where_ray_looks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ClusterError, match="docs/cluster") as caught:
        read_token()
    assert caught.value.code == "no-cluster-token"
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("home\n")
    assert read_token() == "home"
    (tmp_path / "other").write_text(" file ")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "other"))
    assert read_token() == "file"
    monkeypatch.setenv("RAY_AUTH_TOKEN", "variable")
    assert read_token() == "variable"


@pytest.mark.parametrize(
    ("version", "code"), [(None, "no-ray"), ("2.51.1", "old-ray")], ids=["not installed", "without tokens"]
)
def test_ray_itself(monkeypatch: pytest.MonkeyPatch, version: str | None, code: str) -> None:
    ray = None if version is None else types.ModuleType("ray")
    if ray is not None:
        ray.__version__ = version  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setitem(sys.modules, "grpc", types.ModuleType("grpc"))
    monkeypatch.setenv("RAY_AUTH_TOKEN", "token")
    monkeypatch.setenv("RAY_AUTH_MODE", "")
    with pytest.raises(ClusterError, match=r"inos\[cluster\]") as caught:
        open_engine("ray://127.0.0.1:1")
    assert caught.value.code == code


def test_a_head_that_does_not_answer() -> None:
    pytest.importorskip("grpc", reason="the extra cluster is not installed")
    from inos.work.cluster.probe import check_head

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))  # it does not listen, and keeps others from the port
        with pytest.raises(ClusterError, match="nothing answers at 127") as caught:
            check_head("127.0.0.1", listener.getsockname()[1], "token")
    assert caught.value.code == "cluster-unreachable"


def test_nothing_imports_ray_unless_asked() -> None:
    modules = "inos.work, inos.miner, inos.client.matmul, inos.node.node"
    code = f"import sys, {modules}; print('inos.work.cluster' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"


def test_a_worker_says_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "TOKEN")
    assert describe_worker().auth_mode == "token"
    assert describe_worker().version


class RayError(Exception):
    """Stands in for the base of Ray's errors."""


class FakeRay(types.ModuleType):
    """Ray in this process: tasks run when their result is read."""

    __version__ = "2.60.0"

    def __init__(self, answer: Callable[[], Any], nodes: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__("ray")
        self.exceptions = types.SimpleNamespace(RayError=RayError)
        self._raylet = types.SimpleNamespace(Config=types.SimpleNamespace(initialize=lambda text: None))
        self._answer, self._nodes = answer, nodes
        self.given: dict[str, Any] = {}
        self.addresses: list[str] = []
        self.refused: Exception | None = None
        """What connecting to the cluster's own port raises."""
        self.is_shut = False

    def is_initialized(self) -> bool:
        return False

    def init(self, address: str, **options: Any) -> None:
        self.given = {"address": address, **options}
        self.addresses.append(address)
        if self.refused is not None and "://" not in address:
            raise self.refused

    def get_runtime_context(self) -> Any:
        return types.SimpleNamespace(gcs_address="10.0.0.1:6379")

    def remote(self, **options: Any) -> Callable[[Any], Any]:
        return lambda function: types.SimpleNamespace(remote=lambda *arguments: arguments)

    def get(self, reference: Any) -> Any:
        return self._answer()

    def nodes(self) -> Sequence[dict[str, Any]]:
        return self._nodes

    def shutdown(self) -> None:
        self.is_shut = True


def use_ray(monkeypatch: pytest.MonkeyPatch, ray: FakeRay) -> FakeRay:
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setitem(sys.modules, "grpc", types.ModuleType("grpc"))
    monkeypatch.setenv("RAY_AUTH_TOKEN", "token")
    monkeypatch.setenv("RAY_AUTH_MODE", "")
    return ray


def fail(error: Exception) -> Callable[[], Any]:
    def answer() -> Any:
        raise error

    return answer


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (fail(RayError("System error: No module named 'inos'")), "cluster-lacks-inos"),
        (fail(ModuleNotFoundError("No module named 'inos.work.cluster'")), "cluster-lacks-inos"),
        (lambda: Description("0.0.9", "token"), "cluster-version"),
        (lambda: Description(describe_worker().version, ""), "cluster-open"),
        (fail(RayError("the local raylet died")), "cluster-failed"),
        (fail(ConnectionError("client disconnected")), "cluster-failed"),
    ],
)
def test_workers_that_are_of_no_use(monkeypatch: pytest.MonkeyPatch, answer: Callable[[], Any], code: str) -> None:
    use_ray(monkeypatch, FakeRay(answer))
    with pytest.raises(ClusterError) as caught:
        open_engine("ray://auto")
    assert caught.value.code == code
    assert caught.value.hint


def test_machines_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [
        {"Alive": True, "Resources": {"CPU": 8.0}},
        {"Alive": True, "Resources": {"CPU": 3.0}},
        {"Alive": True, "Resources": {}},  # a head that multiplies nothing
        {"Alive": False, "Resources": {"CPU": 64.0}},
    ]
    ray = use_ray(monkeypatch, FakeRay(lambda: Description(describe_worker().version, "token"), nodes))
    connection = Connection("ray://auto")
    assert ray.given["address"] == "auto"
    assert connection.count(None) == Census(slots=2 + 1, threads=3)
    connection.close()
    assert ray.is_shut
    assert Connection("ray://auto").count(2) == Census(slots=4 + 1, threads=2)
    assert Connection("ray://auto").count(16) == Census(slots=2 + 1, threads=3)
    use_ray(monkeypatch, FakeRay(ray._answer, nodes[2:]))
    with pytest.raises(ClusterError, match="no machine of the cluster has processors") as caught:
        Connection("ray://auto").count(None)
    assert caught.value.code == "cluster-empty"


@pytest.mark.parametrize(
    ("is_alive", "is_here", "refused", "places"),
    [
        (True, True, None, ["10.0.0.1:6379"]),
        (True, False, None, []),
        (False, True, None, []),
        (True, True, ConnectionError("not of this user"), ["10.0.0.1:6379", "ray://head:10001"]),
    ],
)
def test_a_machine_of_the_cluster_uses_its_shared_memory(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    is_alive: bool,
    is_here: bool,
    refused: Exception | None,
    places: list[str],
) -> None:
    monkeypatch.setattr("inos.work.cluster.connection.check_head", lambda *_: None)
    store = tmp_path / "plasma_store"
    if is_here:
        store.touch()
    nodes = [{"Alive": is_alive, "Resources": {"CPU": 1.0}, "ObjectStoreSocketName": str(store)}]
    ray = use_ray(monkeypatch, FakeRay(lambda: Description(describe_worker().version, "token"), nodes))
    ray.refused = refused
    Connection("ray://head:10001").close()
    assert ray.addresses == ["ray://head:10001", *places]
    ray.addresses.clear()
    Connection("ray://head:10001", maps=False).close()
    assert ray.addresses == ["ray://head:10001"]
