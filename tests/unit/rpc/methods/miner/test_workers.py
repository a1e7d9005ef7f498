"""miner_workers."""

from typing import Any

from inos.primitives.units import Address, Tickets
from inos.workers.messages import WorkerKind
from inos.workers.server.status import WorkersStatus, WorkerStatus
from support.fake_node import FakeNode
from support.rpc_served import Ask


def make_worker(kind: WorkerKind, **changes: Any) -> WorkerStatus:
    values: dict[str, Any] = {
        "connection": 2**31,
        "name": "secret host",
        "kind": kind,
        "backend": "wasm",
        "threads": 2,
        "address": Address(bytes(20)),
        "host": "10.1.2.3",
        "is_local": False,
        "seconds": 60.0,
        "tickets_per_second": 100.25,
        "tickets": Tickets(6000),
        "shares": 6,
        "pieces": 3,
        "late": 1,
        "has_piece": False,
    }
    return WorkerStatus(**values | changes)


async def test_workers_are_summed_up_by_kind_without_names(ask: Ask, node: FakeNode) -> None:
    workers = (make_worker(WorkerKind.MACHINE), make_worker(WorkerKind.PAGE), make_worker(WorkerKind.PAGE, pieces=4))
    node.workers_status = WorkersStatus(workers=workers, blocks_won=2, blocks_stale=0, errors={"wrong-rows": 1})
    found = await ask("miner_workers")
    assert [group["kind"] for group in found["groups"]] == ["own", "page", "machine"]
    own, pages, machines = found["groups"]
    assert (own["tickets_per_second"], own["tickets"]) == (12.346, 12)
    assert pages == {
        "kind": "page",
        "workers": 2,
        "threads": 4,
        "tickets_per_second": 200.5,
        "tickets": 12_000,
        "pieces": 7,
        "late": 2,
    }
    assert machines["workers"] == 1
    assert (found["blocks_won"], found["errors"]) == (2, {"wrong-rows": 1})
    assert "secret" not in str(found)
    assert "10.1.2.3" not in str(found)


async def test_a_node_without_a_miner_has_no_workers(ask: Ask, node: FakeNode) -> None:
    node.workers = None
    assert (await ask("miner_workers"))["data"]["code"] == "no-miner"
