"""A real Ray cluster of two processes: exact products, a killed worker, wrong tokens, and a node that mines on it."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import inos
from inos.node.process import NodeSpec, start_node, stop_process
from inos.primitives.units import U256_MAX
from inos.work import Operand, mine_strips
from support.cluster import ask, await_height, await_that

pytest.importorskip("ray.util.client", reason='the extra "cluster" is not installed')
pytest.importorskip("grpc", reason='the extra "cluster" is not installed')

from inos.bench.local_ray import LocalRay, find_free_port
from inos.work.cluster import ClusterEngine, ClusterError, open_engine

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(240),
    pytest.mark.filterwarnings("ignore"),
]  # Ray's own warnings are not ours
ANCHOR = bytes(range(32))
LIKELY = 1 << 250


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[LocalRay]:
    with LocalRay() as cluster:
        before = dict(os.environ)
        os.environ.update(cluster.variables)
        yield cluster
        sys.modules["ray"].shutdown()  # type: ignore[attr-defined]
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="module")
def engine(ray_cluster: LocalRay) -> Iterator[ClusterEngine]:
    engine = open_engine(ray_cluster.address)
    limit = time.monotonic() + 60
    while engine.connect().count(None).slots < 2 and time.monotonic() < limit:  # the second machine joins
        engine.close()
        engine.connect()
    yield engine
    engine.close()


def make_operands(m: int, n: int, k: int) -> tuple[Operand, Operand]:
    rng = np.random.default_rng(m)
    return tuple(Operand.commit(rng.integers(-64, 64, (rows, k), np.int8)) for rows in (m, n))  # type: ignore[return-value]


def test_products_and_tickets_are_those_of_this_machine(engine: ClusterEngine) -> None:
    assert engine.connect().count(None).slots == 2
    for m, n, k in ((1500, 1100, 2100), (17, 40, 70)):
        x, w = make_operands(m, n, k)
        for first, last in ((0, x.strips), (1, x.strips)):
            mined, alone = (f(x, w, ANCHOR, LIKELY, first, last) for f in (engine.mine_strips, mine_strips))
            assert np.array_equal(mined.product, alone.product)  # type: ignore[arg-type]
            assert (mined.tickets, mined.is_complete) == (alone.tickets, True)
            assert sorted(win.seal.digest for win in mined.wins) == sorted(win.seal.digest for win in alone.wins)


def test_a_worker_killed_in_mid_product_costs_time_alone(ray_cluster: LocalRay, engine: ClusterEngine) -> None:
    x, w = make_operands(8192, 4096, 4096)
    killed: list[int] = []

    def kill() -> None:
        limit = time.monotonic() + 60
        while not killed and time.monotonic() < limit:
            for worker in ray_cluster.find_workers("multiply_part")[:1]:
                os.kill(worker, signal.SIGKILL)
                killed.append(worker)

    killer = threading.Thread(target=kill)
    killer.start()
    mined = engine.mine_strips(x, w, ANCHOR, 0, 0, x.strips)
    killer.join()
    assert killed, "no worker was seen"
    assert np.array_equal(mined.product, mine_strips(x, w, ANCHOR, 0, 0, x.strips).product)  # type: ignore[arg-type]
    assert mined.tickets == 512 * 256 * 4


def test_a_slice_is_given_up_at_once(engine: ClusterEngine) -> None:
    x, w = make_operands(8192, 4096, 4096)
    stop = threading.Event()
    stop.set()  # The engine looks after the first part: a fast machine may be done with all of them soon after it.
    engine.mine_strips(x, w, ANCHOR, 0, 0, 1)  # both operands are stored
    began = time.monotonic()
    mined = engine.mine_strips(x, w, ANCHOR, U256_MAX >> 60, 0, x.strips, stop=stop)
    assert not mined.is_complete
    assert time.monotonic() - began < 5, "the rest of the product would take longer"
    assert engine.mine_strips(x, w, ANCHOR, 0, 0, 8).is_complete, "the next slice is multiplied"


def test_matmul_on_the_cluster(ray_cluster: LocalRay, engine: ClusterEngine) -> None:
    engine.close()  # matmul keeps a connection of its own, and a process has one
    rng = np.random.default_rng(3)
    a, b = rng.integers(-(10**6), 10**6, (70, 90)), rng.integers(-(10**6), 10**6, (90, 50))
    assert np.array_equal(inos.matmul(a, b, engine=ray_cluster.address), a @ b)
    c, d = rng.standard_normal((200, 300)), rng.standard_normal((300, 100))
    assert np.array_equal(inos.matmul(c, d, engine=ray_cluster.address), inos.matmul(c, d))
    with pytest.raises(inos.BadOperand, match="leave out one"):
        inos.matmul(a, b, engine=ray_cluster.address, client="http://127.0.0.1:1")
    with pytest.raises(ClusterError, match="connected to a cluster already"):
        open_engine(ray_cluster.address)
    again = open_engine("ray://auto")  # shares the connection of this process
    x, w = make_operands(64, 64, 64)
    assert again.mine_strips(x, w, ANCHOR, 0, 0, 4).is_complete
    again.close()


def test_who_is_refused(ray_cluster: LocalRay, monkeypatch: pytest.MonkeyPatch) -> None:
    from inos.work.cluster.probe import check_head

    host, port = "127.0.0.1", int(ray_cluster.address.rpartition(":")[2])
    for place, token, code in (
        (port, "0" * 64, "cluster-token-refused"),
        (find_free_port(), ray_cluster.token, "cluster-unreachable"),
        (int(ray_cluster.gcs_address.rpartition(":")[2]), ray_cluster.token, "not-a-head"),
    ):
        with pytest.raises(ClusterError) as caught:
            check_head(host, place, token)
        assert caught.value.code == code


async def test_a_node_mines_on_it(ray_cluster: LocalRay, tmp_path: Path) -> None:
    flags = ("--network", "devnet", "--rpc-port", "0", "--p2p-port", "0", "--mine", "auto", "--purpose", "filler")
    spec = NodeSpec("node", tmp_path / "node", (*flags, "--engine", ray_cluster.address))
    node = await start_node(spec)
    try:
        await await_height(node.rpc_url, 3, 90)

        async def has_rate() -> bool:
            status = await ask(node.rpc_url, "miner_status", token=node.read_token())
            return bool(int(status["filler_tickets"]) > 0)

        await await_that("tickets are counted", has_rate, 30)
        assert "mining on a cluster" in (tmp_path / "node" / "node.log").read_text()
    finally:
        await stop_process(node.process)
    refused = NodeSpec("other", tmp_path / "other", (*flags, "--engine", f"ray://127.0.0.1:{find_free_port()}"))
    with pytest.raises(Exception, match="cluster-unreachable"):
        await start_node(refused)
