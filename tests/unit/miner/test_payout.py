"""A miner that is paid at one address and works with the key of another account."""

from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from inos.consensus.records import Account
from inos.miner.payout import CAPITAL_BONDS, PAYOUT, Payout, compute_capital
from inos.miner.settings import MinerSettings
from inos.primitives.signatures import compute_address, compute_public_key
from inos.primitives.transactions import Transfer
from inos.primitives.units import Address, Nano

KEY = bytes([7]) * 32
WORKER = compute_address(compute_public_key(KEY))
PAID = Address(bytes([2]) * 20)
SETTINGS = MinerSettings(beneficiary=PAID, key=KEY)


class FakeLane:
    """It records the transactions that it is asked to send."""

    def __init__(self, address: Address = WORKER) -> None:
        self.address = address
        self.sent: list[Any] = []
        self.is_waiting = False

    def is_pending(self, key: str) -> bool:
        assert key == PAYOUT
        return self.is_waiting

    async def send(self, key: str, payload: Any) -> None:
        self.sent.append(payload)


def make_payout(node: Any, *, spendable: int = 0, lacks: bool = False, **settings: Any) -> tuple[Payout, FakeLane]:
    jobs, queue = SimpleNamespace(lacks_capital=lacks, compute_spendable=lambda: Nano(spendable)), FakeLane()
    return Payout(node, replace(SETTINGS, **settings), jobs, queue), queue  # type: ignore[arg-type]


async def get_beneficiary(payout: Payout) -> Address:
    return Address((await payout.get_template()).header.beneficiary)


async def test_blocks_go_to_the_payee(node: Any) -> None:
    node.accounts[WORKER] = Account()
    assert await get_beneficiary(make_payout(node)[0]) == PAID


async def test_a_worker_without_the_bond_for_a_job_gets_the_block(node: Any) -> None:
    node.accounts[WORKER] = Account()
    assert await get_beneficiary(make_payout(node, lacks=True)[0]) == WORKER


async def test_surplus_is_passed_on_and_the_capital_kept(node: Any) -> None:
    capital = CAPITAL_BONDS * node.params.min_bond
    assert compute_capital(node.params) == capital
    payout, queue = make_payout(node, spendable=5 * capital)
    await payout.advance()
    assert queue.sent == [Transfer(PAID, 4 * capital - 2 * 1000)]


@pytest.mark.parametrize("case", ["too little", "wanted for a job", "one under way"])
async def test_nothing_is_passed_on(node: Any, case: str) -> None:
    capital = compute_capital(node.params)
    payout, queue = make_payout(
        node, spendable=(2 if case == "too little" else 9) * capital, lacks=case == "wanted for a job"
    )
    queue.is_waiting = case == "one under way"
    await payout.advance()
    assert queue.sent == []


async def test_a_worker_that_is_the_payee_passes_nothing_on(node: Any) -> None:
    payout, queue = make_payout(node, spendable=10**15, beneficiary=WORKER)
    await payout.advance()
    assert queue.sent == []
    assert await get_beneficiary(payout) == WORKER
