"""Parameters and results of pool_*."""

from typing import Annotated, Literal

from pydantic import Field

from inos.rpc.models.values import AccountAddress, BigInteger, Count, Hash, Model, NanoAmount, NanoChange, UnixMs

MAX_LISTED = 100
IncomeStateName = Literal["young", "earned", "undone"]
PayoutStateName = Literal["sent", "settled", "void"]


class PoolInfoModel(Model):
    """A pool, as anybody may see it."""

    address: Annotated[AccountAddress, Field(description="The account that blocks pay and that pays the members.")]
    fee_ppm: Annotated[Count, Field(description="The pool keeps so many millionths of what comes in.")]
    least_payout: Annotated[NanoAmount, Field(description="An address is paid when it is owed this much.")]
    window_tickets: Annotated[BigInteger, Field(description="Income is divided by the last so many tickets: twice D.")]
    members: Annotated[Count, Field(description="Addresses that ever had a share.")]
    connections: Annotated[Count, Field(description="Workers that are connected now.")]
    shares: Annotated[Count, Field(description="The shares of all members.")]
    tickets: Annotated[BigInteger, Field(description="The tickets that these shares stand for, and the node's own.")]
    tickets_per_second: Annotated[float, Field(description="Over ten minutes, by the same shares that are paid.")]
    own_tickets_per_second: Annotated[float, Field(description="The part of it that the node's own engine draws.")]
    earned: Annotated[NanoChange, Field(description="Nano that all members have earned; undone income is left out.")]
    kept: Annotated[NanoChange, Field(description="Nano that the pool kept: its fee, and what divisions left over.")]
    blocks: Annotated[Count, Field(description="Blocks among the last 10,000 incomes that are on the chain.")]
    luck: Annotated[
        float | None,
        Field(description="Tickets that these blocks take on average, as a part of those drawn; above 1 is good luck."),
    ]
    round_tickets: Annotated[BigInteger, Field(description="Tickets since the pool's last block.")]
    rates: Annotated[list["MemberRate"], Field(description="The fastest members of the last ten minutes, at most 100.")]


class MemberRate(Model):
    """How fast one address is."""

    address: Annotated[AccountAddress, Field(description="The address.")]
    tickets_per_second: Annotated[float, Field(description="Over ten minutes, by its shares.")]


class MemberParams(Model):
    address: Annotated[AccountAddress, Field(description="The address that the worker gave.")]


class ConnectionModel(Model):
    """One connected worker of an address."""

    name: Annotated[str, Field(description="The worker's own name for itself.")]
    kind: Annotated[Literal["page", "card", "machine"], Field(description="What multiplies.")]
    backend: Annotated[str, Field(description="Its kernel.")]
    told: Annotated[Count, Field(description="Tickets per second, as the worker says.")]
    tickets_per_second: Annotated[float, Field(description="Tickets per second since it connected, by its shares.")]
    share_tickets: Annotated[BigInteger, Field(description="One share of its assignment stands for so many tickets.")]


class PoolWorkerModel(Model):
    """What one address has at the pool. earned = paid + pending + owed."""

    address: Annotated[AccountAddress, Field(description="The address.")]
    shares: Annotated[Count, Field(description="Its shares.")]
    tickets: Annotated[BigInteger, Field(description="The tickets that they stand for.")]
    tickets_per_second: Annotated[float, Field(description="Over ten minutes, by its shares.")]
    earned: Annotated[NanoChange, Field(description="Nano earned; below zero if more was paid than stayed earned.")]
    young: Annotated[NanoAmount, Field(description="Nano of blocks that may still be undone, not in `earned` yet.")]
    pending: Annotated[NanoAmount, Field(description="Nano in a payout that may still be undone.")]
    paid: Annotated[NanoAmount, Field(description="Nano in settled payouts, its parts of their fees included.")]
    owed: Annotated[NanoChange, Field(description="Nano that the next payout can pay.")]
    first_ms: Annotated[UnixMs | None, Field(description="The time of its first share; null if it has none.")]
    last_ms: Annotated[UnixMs | None, Field(description="The time of its last share.")]
    connections: Annotated[list[ConnectionModel], Field(description="Its workers that are connected now.")]


class PageParams(Model):
    before: Annotated[Count | None, Field(description="List what comes before this number; null for the newest.")] = (
        None
    )
    limit: Annotated[int, Field(ge=1, le=MAX_LISTED, description="At most so many.")] = 20


class WindowParams(Model):
    before: Annotated[Count | None, Field(description="List what comes before this number; null for the newest.")] = (
        None
    )
    limit: Annotated[int, Field(ge=1, le=MAX_LISTED, description="At most so many.")] = 10
    address: Annotated[
        AccountAddress | None, Field(description="Show only this address's part of each window; null for all parts.")
    ] = None


class PartModel(Model):
    """What one address has in a window."""

    address: Annotated[AccountAddress, Field(description="The address.")]
    tickets: Annotated[BigInteger, Field(description="Its tickets.")]
    credit: Annotated[NanoAmount, Field(description="Nano that it gets: (amount - fee) x tickets / of, rounded down.")]


class IncomeModel(Model):
    """A block that the pool found, or a job that it was paid for, with the window it is divided by."""

    number: Annotated[Count, Field(description="Incomes are counted from 0.")]
    block: Annotated[Hash, Field(description="The block that paid.")]
    height: Annotated[Count, Field(description="Its height.")]
    time_ms: Annotated[UnixMs, Field(description="Its time.")]
    job: Annotated[Hash | None, Field(description="The job; null for the income of a block.")]
    state: Annotated[IncomeStateName, Field(description="young: the block may be undone; undone: it was.")]
    amount: Annotated[NanoAmount, Field(description="What came in.")]
    fee_ppm: Annotated[Count, Field(description="The pool's fee of it, in millionths.")]
    of: Annotated[BigInteger, Field(description="The tickets that the amount is divided by.")]
    kept: Annotated[NanoAmount, Field(description="What the pool keeps of it.")]
    luck: Annotated[float | None, Field(description="D as a part of the tickets of this round; null for a job.")]
    parts: Annotated[list[PartModel], Field(description="Tickets by address.")]


class WindowModel(Model):
    """Incomes, newest first."""

    incomes: Annotated[list[IncomeModel], Field(description="Incomes, newest first.")]
    next: Annotated[Count | None, Field(description="Give this as `before` for older ones; null if there are none.")]


class PayoutModel(Model):
    """One transaction of the pool that pays members."""

    number: Annotated[Count, Field(description="Payouts are counted from 0.")]
    tx: Annotated[Hash, Field(description="The transaction's id.")]
    time_ms: Annotated[UnixMs, Field(description="When it was made.")]
    state: Annotated[PayoutStateName, Field(description="settled: its block stays; void: it will never be in one.")]
    fee: Annotated[NanoAmount, Field(description="Its fee, at most a hundredth, which the receivers pay.")]
    charged: Annotated[NanoAmount, Field(description="What the receivers are charged, with the fee.")]
    receivers: Annotated[Count, Field(description="How many addresses it pays.")]


class PayoutsModel(Model):
    """Payouts, newest first."""

    payouts: Annotated[list[PayoutModel], Field(description="Payouts, newest first.")]
    next: Annotated[Count | None, Field(description="Give this as `before` for older ones; null if there are none.")]
