"""pool_info, pool_worker, pool_window and pool_payouts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from inos.primitives.units import JobId, Nano, TimeMs
from inos.wallet.addresses import decode_address, encode_address
from inos.workers.pool.split import recompute_earned
from support.fake_node import FakeNode
from support.pool_lab import CREDIT, MEMBERS, OWN, PoolLab, make_worker
from support.rpc_served import Ask

A, B = MEMBERS[:2]
JOB = JobId(b"\x33" * 32)


@pytest.fixture
def lab(node: FakeNode, tmp_path: Path) -> Iterator[PoolLab]:
    lab = PoolLab(tmp_path / "members")
    node.pool = lab.pool
    yield lab
    lab.pool.books.close()


def spell(address: bytes) -> str:
    return encode_address("dinos", address)  # type: ignore[arg-type]


async def test_a_node_without_a_pool_says_so(ask: Ask, node: FakeNode) -> None:
    node.pool = None
    for name, params in (("pool_info", {}), ("pool_window", {}), ("pool_worker", {"address": spell(A)})):
        assert (await ask(name, **params))["data"]["code"] == "no-pool"


async def test_members_recompute_what_they_earned(ask: Ask, lab: PoolLab) -> None:
    for number in range(5):
        lab.share(A, 300)
        lab.share(B, 100 * number + 1)
        lab.chain.mine(CREDIT * (number + 1))
        lab.pool.follow()
    undone = lab.chain.undo(1)
    assert undone
    lab.ripen(101)
    incomes, before = [], None
    while True:
        page = await ask("pool_window", limit=2, before=before)
        incomes += page["incomes"]
        before = page["next"]
        if before is None:
            break
    assert [each["state"] for each in incomes] == ["undone"] + ["earned"] * 4
    blocks = [
        (
            int(each["amount"]),
            each["fee_ppm"],
            {decode_address("dinos", part["address"]): int(part["tickets"]) for part in each["parts"]},
        )
        for each in incomes
        if each["state"] == "earned"
    ]
    for member in (A, B):
        mine = await ask("pool_worker", address=spell(member))
        assert int(mine["earned"]) == recompute_earned(member, blocks) > 0
        assert mine["owed"] == mine["earned"]
    only = await ask("pool_window", address=spell(A))
    assert {part["address"] for each in only["incomes"] for part in each["parts"]} == {spell(A)}
    assert only["incomes"][-1]["luck"] == pytest.approx(1000 / 301, abs=1e-4)


async def test_a_payout_is_shown_with_its_transaction(ask: Ask, lab: PoolLab) -> None:
    lab.share(A, 10)
    lab.pool.add_piece(make_worker(B, 2), JOB, 10, TimeMs(5))  # type: ignore[arg-type]
    lab.chain.jobs[JOB] = 10
    lab.chain.mine(CREDIT, jobs={JOB: Nano(CREDIT)})
    lab.pool.follow()
    assert (await ask("pool_worker", address=spell(A)))["young"] == "990000000"
    lab.ripen()
    await lab.pool.pay()
    (tx,) = lab.node.take()
    ((_, payout),) = lab.pool.books.list_sent()
    assert (await ask("pool_worker", address=spell(B)))["pending"] == "990000000"
    (shown,) = (await ask("pool_payouts"))["payouts"]
    assert shown == {
        "number": 0,
        "tx": payout.id.hex(),
        "time_ms": lab.clock.now_ms(),
        "state": "sent",
        "fee": str(tx.fee),
        "charged": "1980000000",
        "receivers": 2,
    }
    lab.chain.mine(0, tx)
    lab.ripen()
    assert (await ask("pool_payouts"))["payouts"][0]["state"] == "settled"
    assert (await ask("pool_payouts"))["next"] is None


async def test_rates_of_node_and_workers_come_from_the_same_shares(ask: Ask, lab: PoolLab) -> None:
    lab.pool.get_share_target(make_worker(A, 1, 5000))
    for _ in range(60):
        lab.clock.seconds += 10
        lab.pool.add_shares(make_worker(A, 1, 5000), 20_000, 1, lab.clock.now_ms(), of_piece=False)  # type: ignore[arg-type]
        lab.pool.add_own(10_000, lab.clock.now_ms())
    info = await ask("pool_info")
    mine = await ask("pool_worker", address=spell(A))
    assert info["tickets_per_second"] == pytest.approx(3000, rel=0.06)
    assert info["own_tickets_per_second"] == pytest.approx(1000, rel=0.06)
    assert {each["address"]: each["tickets_per_second"] for each in info["rates"]} == {
        spell(A): mine["tickets_per_second"],
        spell(OWN): info["own_tickets_per_second"],
    }
    (connection,) = mine["connections"]
    assert (connection["kind"], connection["told"]) == ("page", 5000)
    assert connection["tickets_per_second"] == pytest.approx(2000, rel=0.02)
    assert (info["shares"], info["tickets"], info["members"]) == (60, "1800000", 2)
    lab.pool.remove_worker(make_worker(A, 1))
    assert (await ask("pool_info"))["connections"] == 0


async def test_a_page_ends_early_when_its_windows_are_long(
    ask: Ask, lab: PoolLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inos.rpc.methods.pool.methods.MAX_PARTS", 5)
    for _ in range(7):
        for member in MEMBERS[:3]:
            lab.share(member, 10)
        lab.chain.mine(CREDIT)
        lab.pool.follow()
    pages, before = [], None
    while not pages or before is not None:
        page = await ask("pool_window", limit=100, before=before)
        pages.append([income["number"] for income in page["incomes"]])
        before = page["next"]
    assert pages == [[6, 5], [4, 3], [2, 1], [0]]
