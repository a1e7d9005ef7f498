"""Checks a pool by what it publishes: whether it says it earned for an address what its own windows give."""

from collections.abc import Mapping
from typing import Any, Final, Protocol

from msgspec import Struct

from inos.primitives.units import Address, Nano
from inos.wallet.addresses import decode_address
from inos.workers.errors import WorkerError
from inos.workers.pool.split import compute_credit

PAGE: Final = 100
MAX_PAGES: Final = 200
"""More incomes than this many pages have are not read: a pool keeps about 10,000."""
EARNED: Final = "earned"
YOUNG: Final = "young"


class Caller(Protocol):
    """Calls the RPC of the pool's node."""

    async def call(self, method: str, params: Mapping[str, Any], /) -> Any: ...


class PoolVerdict(Struct, frozen=True):
    """What a pool says an address earned, and what its windows give."""

    told: Nano
    computed: Nano
    incomes: int
    wrong: tuple[int, ...]
    """The numbers of incomes that are not divided as the pool says."""
    is_lost: bool
    """The pool knows fewer shares of the address than it acknowledged."""

    @property
    def is_underpaid(self) -> bool:
        return self.computed > self.told

    @property
    def is_honest(self) -> bool:
        return not (self.is_underpaid or self.wrong or self.is_lost)


class PoolChecker:
    """Computes what one address should have earned, again and again; pages that did not change are not read twice.

    Args:
        client: calls the pool's node.
        address: 20 bytes, of the member.
        text: the address as the pool's network spells it.
    """

    def __init__(self, client: Caller, address: Address, text: str) -> None:
        self._client = client
        self._address = address
        self._text = text
        self._known: dict[int, tuple[str, Nano, bool]] = {}
        """By number, an income's state, the address's credit in it, and False if it is divided wrongly."""

    async def check(self, acknowledged: int = 0) -> PoolVerdict:
        """Return what the pool says and what its windows give now.

        A pool whose block is undone meanwhile seems to pay too little, so a bad verdict is reached twice, the second
        time by all that it publishes.

        Args:
            acknowledged: it has acknowledged so many shares of the address.

        Raises:
            InosError: the node does not answer, is no pool, or answers what cannot be read ("bad-response").
        """
        try:
            verdict = await self._check(acknowledged)
            if verdict.is_honest:
                return verdict
            self._known.clear()
            return await self._check(acknowledged)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise WorkerError("bad-response", f"the pool answers what cannot be read ({error!r:.80})") from error

    async def _check(self, acknowledged: int) -> PoolVerdict:
        await self._read_incomes()
        member = await self._client.call("pool_worker", {"address": self._text})
        earned = {number: each for number, each in self._known.items() if each[0] == EARNED}
        return PoolVerdict(
            told=Nano(int(member["earned"])),
            computed=Nano(sum(credit for _, credit, _ in earned.values())),
            incomes=len(earned),
            wrong=tuple(sorted(number for number, (_, _, fits) in self._known.items() if not fits)),
            is_lost=member["shares"] < acknowledged,
        )

    async def _read_incomes(self) -> None:
        """Read pages from the newest on, until one has nothing new and nothing that may still change."""
        before: int | None = None
        for _ in range(MAX_PAGES):
            page = await self._client.call("pool_window", {"limit": PAGE, "before": before})
            found = {
                income["number"]: (income["state"], *check_income(income, self._address)) for income in page["incomes"]
            }
            is_new = any(self._known.get(number) != each or each[0] == YOUNG for number, each in found.items())
            self._known |= found
            before = page["next"]
            if before is None or not is_new:
                return


def check_income(income: Mapping[str, Any], address: Address) -> tuple[Nano, bool]:
    """Return an address's credit in an income of `pool_window`, and False if the income is not divided as it says.

    A block is divided by the tickets of its window. Of a job some tickets may be the pool's own.
    """
    amount, fee_ppm, of = int(income["amount"]), int(income["fee_ppm"]), int(income["of"])
    own, tickets, fits = Nano(0), 0, True
    for part in income["parts"]:
        credit = compute_credit(amount, fee_ppm, int(part["tickets"]), of)
        tickets += int(part["tickets"])
        fits &= credit == int(part["credit"])
        text = part["address"]
        if decode_address(text.rpartition("1")[0], text) == address:
            own = credit
    return own, fits and (tickets == of if income["job"] is None else tickets <= of)
