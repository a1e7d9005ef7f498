"""pool_info, pool_worker, pool_window and pool_payouts."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from heapq import nlargest
from itertools import islice
from typing import Final, Literal, TypeVar

from inos.primitives.units import Address
from inos.rpc import errors
from inos.rpc.errors import RpcError
from inos.rpc.method import method
from inos.rpc.methods.pool.models import (
    MAX_LISTED,
    ConnectionModel,
    IncomeModel,
    IncomeStateName,
    MemberParams,
    MemberRate,
    PageParams,
    PartModel,
    PayoutModel,
    PayoutsModel,
    PayoutStateName,
    PoolInfoModel,
    PoolWorkerModel,
    WindowModel,
    WindowParams,
)
from inos.rpc.models.render import make_renderer, read_address
from inos.rpc.models.values import NoParams
from inos.rpc.ports import NodePort
from inos.wallet.addresses import encode_address
from inos.workers.messages import WorkerKind
from inos.workers.pool.incomes import divide_income
from inos.workers.pool.luck import BlockLuck
from inos.workers.pool.pool import Pool
from inos.workers.pool.records import Income, IncomeState, Payout, PayoutState
from inos.workers.pool.split import PART_BYTES, Part, compute_credit, find_amount, iterate_parts

KINDS: Final[dict[WorkerKind, Literal["page", "card", "machine"]]] = {
    WorkerKind.PAGE: "page",
    WorkerKind.CARD: "card",
    WorkerKind.MACHINE: "machine",
}
INCOMES: Final[dict[IncomeState, IncomeStateName]] = {
    IncomeState.YOUNG: "young",
    IncomeState.EARNED: "earned",
    IncomeState.UNDONE: "undone",
}
PAYOUTS: Final[dict[PayoutState, PayoutStateName]] = {
    PayoutState.SENT: "sent",
    PayoutState.SETTLED: "settled",
    PayoutState.VOID: "void",
}
LUCK_INCOMES: Final = 100
"""Luck is that of the blocks among the newest incomes; more blocks say no more about it."""
MAX_PARTS: Final = 2000
"""A page of incomes ends early when they have so many parts."""
T = TypeVar("T")


@method("pool_info")
async def pool_info(node: NodePort, params: NoParams) -> PoolInfoModel:
    """Return what a pool is, how fast it is, and what it has earned for its members."""
    pool, renderer = get_pool(node), make_renderer(node)
    head, rates = pool.books.head, pool.compute_rates()
    blocks = pool.books.list_recent_blocks(LUCK_INCOMES)
    fastest = nlargest(MAX_LISTED, rates.items(), key=lambda each: each[1])
    return PoolInfoModel(
        address=renderer.address(pool.address),
        fee_ppm=pool.settings.fee_ppm,
        least_payout=str(pool.settings.least_payout),
        window_tickets=str(pool.span),
        members=len(pool.books.members),
        connections=len(pool.list_connections()),
        shares=head.shares,
        tickets=str(head.tickets),
        tickets_per_second=round(sum(rates.values()), 3),
        own_tickets_per_second=round(rates.get(pool.address, 0.0), 3),
        earned=str(head.earned),
        kept=str(head.kept),
        blocks=len(blocks),
        luck=_compute_luck(blocks),
        round_tickets=str(head.round_tickets),
        rates=[
            MemberRate(address=renderer.address(address), tickets_per_second=round(rate, 3))
            for address, rate in fastest
        ],
    )


@method("pool_worker")
async def pool_worker(node: NodePort, params: MemberParams) -> PoolWorkerModel:
    """Return what one address has earned, is owed and was paid, and its workers."""
    pool = get_pool(node)
    address = read_address(node, params.address)
    member = pool.books.get_member(address)
    young = sum(
        _find_credit(income, address)
        for _, income in pool.books.list_open_incomes()
        if income.state is IncomeState.YOUNG
    )
    return PoolWorkerModel(
        address=params.address,
        shares=member.shares,
        tickets=str(member.tickets),
        tickets_per_second=round(pool.compute_rate(address), 3),
        earned=str(member.earned),
        young=str(young),
        pending=str(member.pending),
        paid=str(member.paid),
        owed=str(member.owed),
        first_ms=member.first_ms or None,
        last_ms=member.last_ms or None,
        connections=[
            ConnectionModel(
                name=each.worker.name,
                kind=KINDS[each.worker.kind],
                backend=each.worker.backend,
                told=each.worker.speed,
                tickets_per_second=round(pool.compute_speed(each), 3),
                share_tickets=str(each.weight),
            )
            for each in pool.list_connections()
            if (each.worker.address or pool.address) == address
        ],
    )


@method("pool_window")
async def pool_window(node: NodePort, params: WindowParams) -> WindowModel:
    """Return the blocks and paid jobs of the pool, each with the tickets by which it is divided.

    With these anybody can compute again what an address should have earned.
    """
    pool, hrp = get_pool(node), node.network.hrp
    address = None if params.address is None else read_address(node, params.address)
    before = pool.books.head.incomes if params.before is None else params.before
    found, following = _page(_bound_parts(pool.books.iterate_incomes(before)), params.limit)
    if found and following is None and found[-1][0] > 0 and _count_parts(found) >= MAX_PARTS:
        following = found[-1][0]
    return WindowModel(
        incomes=[_render_income(hrp, number, income, address) for number, income in found], next=following
    )


@method("pool_payouts")
async def pool_payouts(node: NodePort, params: PageParams) -> PayoutsModel:
    """Return the transactions by which the pool paid its members."""
    pool = get_pool(node)
    before = pool.books.head.payouts if params.before is None else params.before
    found, following = _page(pool.books.iterate_payouts(before), params.limit)
    return PayoutsModel(payouts=[_render_payout(number, payout) for number, payout in found], next=following)


def get_pool(node: NodePort) -> Pool:
    """Return the node's pool.

    Raises:
        RpcError: "no-pool".
    """
    if node.pool is None:
        raise RpcError(
            errors.UNAVAILABLE, "no-pool", "this node is no pool", hint="ask another node, or start it with --pool"
        )
    return node.pool


def _bound_parts(incomes: Iterator[tuple[int, Income]]) -> Iterator[tuple[int, Income]]:
    """Yield incomes until they have `MAX_PARTS` parts together."""
    parts = 0
    for number, income in incomes:
        yield number, income
        parts += len(income.parts) // PART_BYTES
        if parts >= MAX_PARTS:
            return


def _count_parts(incomes: list[tuple[int, Income]]) -> int:
    return sum(len(income.parts) // PART_BYTES for _, income in incomes)


def _page(found: Iterator[tuple[int, T]], limit: int) -> tuple[list[tuple[int, T]], int | None]:
    """Return the first entries, and the number before which there are more."""
    listed = list(islice(found, limit))
    return listed, listed[-1][0] if len(listed) == limit and listed[-1][0] > 0 else None


def _render_income(hrp: str, number: int, income: Income, only: Address | None) -> IncomeModel:
    parts = list(iterate_parts(income.parts)) if only is None else _list_part(income, only)
    return IncomeModel(
        number=number,
        block=income.block.hex(),
        height=income.height,
        time_ms=income.at_ms,
        job=None if income.job is None else income.job.hex(),
        state=INCOMES[income.state],
        amount=str(income.amount),
        fee_ppm=income.fee_ppm,
        of=str(income.of),
        kept=str(divide_income(income).kept),
        luck=None if income.job is not None else _compute_luck([income]),
        parts=[
            PartModel.model_construct(  # This is checked already, and there may be thousands.
                address=_spell(hrp, part.address),
                tickets=str(part.amount),
                credit=str(compute_credit(income.amount, income.fee_ppm, part.amount, income.of)),
            )
            for part in parts
        ],
    )


@lru_cache(maxsize=20_000)
def _spell(hrp: str, address: Address) -> str:
    """Return an address as text, which takes far longer than everything else about a part."""
    return encode_address(hrp, address)


def _render_payout(number: int, payout: Payout) -> PayoutModel:
    parts = list(iterate_parts(payout.parts))
    return PayoutModel(
        number=number,
        tx=payout.id.hex(),
        time_ms=payout.at_ms,
        state=PAYOUTS[payout.state],
        fee=str(payout.fee),
        charged=str(sum(part.amount for part in parts)),
        receivers=len(parts),
    )


def _find_credit(income: Income, address: Address) -> int:
    tickets = find_amount(income.parts, address)
    return compute_credit(income.amount, income.fee_ppm, tickets, income.of)


def _list_part(income: Income, address: Address) -> list[Part]:
    tickets = find_amount(income.parts, address)
    return [Part(address, tickets)] if tickets else []


def _compute_luck(blocks: Sequence[Income | BlockLuck]) -> float | None:
    drawn = sum(block.round_tickets for block in blocks)
    return round(sum(block.difficulty for block in blocks) / drawn, 4) if drawn else None
