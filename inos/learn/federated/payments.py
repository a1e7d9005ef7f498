"""Pays for accepted updates exactly once, and puts the ids of rounds on chain.

A round is one transaction of many payments: one to each account whose update was accepted, and the least possible one
to the address that the record's id gives. Nobody has a key for that address; the payment shows which record the others
belong to, and that the record is no younger than its block.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog
from msgspec import Struct

from inos.client.blocking import LoopThread
from inos.client.blocking_client import BlockingClient
from inos.client.client import Client
from inos.client.errors import ClientError
from inos.client.payouts import Payouts
from inos.learn.errors import LearnError
from inos.learn.federated.rounds import RoundRecord
from inos.learn.spec import compute_id
from inos.primitives.signatures import compute_address
from inos.primitives.units import Address, PublicKey, format_credits
from inos.wallet.addresses import encode_address
from inos.wallet.errors import WalletError

SETTLE_S: Final = 600.0
LOOK_S: Final = 5.0
log = structlog.get_logger(__name__)


class Bill(Struct, frozen=True):
    """One payment of a round."""

    key: str
    address: Address
    nano: int


def compute_record_address(record: str) -> Address:
    """Return the address that stands for a record, whose id is given in hex. Nobody has its key."""
    return compute_address(PublicKey(bytes.fromhex(record)))


def list_bills(record: RoundRecord, share: int, note: int) -> list[Bill]:
    """Return what a round costs: `share` nano for each accepted update, and `note` for the record's address."""
    if not record.accepted or not share:
        return []
    name = f"{record.run} {record.round}"
    paid = [Bill(f"{name} {each.sender}", Address(bytes.fromhex(each.sender)), share) for each in record.accepted]
    return [*paid, Bill(f"{name} record", compute_record_address(compute_id(record)), note)]


class Payer:
    """Pays from the client's account, which nothing else may spend from meanwhile.

    Args:
        path: the file of payments, which belongs to one process at a time.
        depth: blocks above a payment after which it is done; None to wait for finality.

    Raises:
        ClientError: "payouts-unusable"; no wallet; the node does not answer.
    """

    def __init__(self, path: Path, client: BlockingClient, depth: int | None = None) -> None:
        self._thread = LoopThread("inos payer")
        try:
            self._client, self._payouts = self._thread.run(_open(path, client, depth))
            self.network = self._thread.run(self._client.get_network())
        except BaseException:
            self._thread.close()
            raise

    @property
    def note(self) -> int:
        """Return the nano that go to a record's address: the least that a new account can be paid."""
        return max(1, self.network.params.job_fee, self.network.params.account_fee + 1)

    def check_share(self, share: int) -> None:
        """Check that an update's pay can be paid to a new account.

        Raises:
            LearnError: "budget-too-small".
        """
        if share < self.note:
            raise LearnError(
                "budget-too-small",
                f"an update would be paid {format_credits(share)} credits; {format_credits(self.note)} is the least",
                hint="give a larger budget for a round; it is divided by the number of members",
            )

    def check_balance(self, nano: int) -> None:
        """Check that the account can pay a round now, beside what waits to be paid.

        Raises:
            LearnError: "budget-missing".
        """
        owned, waiting = self._thread.run(self._read_balance())
        if owned < nano + waiting:
            raise LearnError(
                "budget-missing",
                f"the account has {format_credits(owned)} credits; the next round can cost {format_credits(nano)}, and "
                f"{format_credits(waiting)} more are still to be paid",
                hint="send credits to the account, and start again: the federation goes on where it was",
            )

    def pay(self, bills: Sequence[Bill]) -> None:
        """Record payments, and send what can be sent now. What is recorded already is not paid again."""
        self._thread.run(self._add(bills))
        self.step()

    def step(self) -> None:
        """Send what waits, or look whether what was sent is done; log it if the node does not help now.

        Raises:
            ClientError: "nonce-taken": the account was used by something else.
        """
        self._thread.run(self._step())

    def settle(self, timeout_s: float = SETTLE_S) -> None:
        """Wait until all payments are done.

        Raises:
            LearnError: "payments-open": they are not in time. They are in the file, and a later start goes on.
        """
        left = self._thread.run(self._settle(time.monotonic() + timeout_s))
        if left:
            raise LearnError(
                "payments-open", f"{left} payments are not done",
                hint="start again later: they are recorded, and are made once",
            )  # fmt: skip

    def close(self) -> None:
        """Close the file and the connection; what waits is paid after the next start."""
        if not self._thread.is_closed:
            self._thread.run(self._close())
            self._thread.close()

    async def _add(self, bills: Sequence[Bill]) -> None:
        for bill in bills:
            await self._payouts.add(bill.key, encode_address(self.network.hrp, bill.address), bill.nano)

    async def _read_balance(self) -> tuple[int, int]:
        account = await self._client.account()
        return account.balance, self._payouts.sum_unpaid(account.nonce)

    async def _step(self) -> None:
        try:
            await self._payouts.step()
        except (ClientError, WalletError) as error:
            if error.code == "nonce-taken":
                raise
            log.warning("the round's payments wait", code=error.code, reason=error.message)

    async def _settle(self, until: float) -> int:
        """Return how many payments are not done at that time."""
        while left := self._payouts.count_open():
            if time.monotonic() > until:
                return left
            await self._step()
            async with self._client.follow_tip() as tip:
                if self._payouts.count_open():
                    await tip.wait(LOOK_S)
        return 0

    async def _close(self) -> None:
        self._payouts.close()
        await self._client.close()


async def _open(path: Path, client: BlockingClient, depth: int | None) -> tuple[Client, Payouts]:
    own = client.async_client.copy()
    try:
        await own.get_address()
        return own, Payouts(path, own, depth)
    except BaseException:
        await own.close()
        raise
