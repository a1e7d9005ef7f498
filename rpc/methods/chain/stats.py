"""chain_getStats: what ranges of blocks did, at points over any part of the chain."""

import asyncio
from collections.abc import Iterator
from typing import Annotated, Final

from pydantic import Field

from inos.chain.reading import ChainReader
from inos.chain.totals import Totals
from inos.consensus.prices import PPM, compute_price_per_tera, compute_window_share
from inos.primitives.blocks import Header, compute_difficulty, get_target
from inos.primitives.units import Height
from inos.rpc.errors import make_invalid_param
from inos.rpc.lookup import make_tip_moving
from inos.rpc.method import Example, method
from inos.rpc.models.values import (
    BigInteger,
    BlockHeight,
    Count,
    Model,
    NanoAmount,
    Ratio,
    UnixMs,
    compute_ratio,
)
from inos.rpc.ports import NodePort

MAX_POINTS: Final = 500
YIELD_POINTS: Final = 50
"""Points read between two at which other requests get their turn."""
SHARE_DECIMALS: Final = 6


class StatsParams(Model):
    first: Annotated[BlockHeight, Field(description="The height of the first block that counts.")] = 1
    last: Annotated[BlockHeight | None, Field(description="The height of the last one; the tip if null.")] = None
    points: Annotated[
        int, Field(ge=1, le=MAX_POINTS, description="Into so many parts of equal length the range is divided, at most.")
    ] = 100


class StatsPointModel(Model):
    """What a few blocks did together, and how the chain was after the last of them."""

    from_height: Annotated[BlockHeight, Field(description="The height of the first of the blocks.")]
    height: Annotated[BlockHeight, Field(description="The height of the last of them.")]
    time_ms: Annotated[UnixMs, Field(description="The time of the last of them.")]
    blocks: Annotated[Count, Field(description="The number of the blocks.")]
    spacing_ms: Annotated[Count, Field(description="The mean time from block to block; 0 for block 1 alone.")]
    transactions: Annotated[Count, Field(description="Their transactions.")]
    weight: Annotated[BigInteger, Field(description="Their weight, in tickets.")]
    jobs_posted: Annotated[Count, Field(description="Jobs that they posted.")]
    jobs_settled: Annotated[Count, Field(description="Jobs that they settled.")]
    tickets_posted: Annotated[Count, Field(description="The tickets of the jobs posted.")]
    tickets_settled: Annotated[Count, Field(description="The tickets of the jobs settled.")]
    paid_share: Annotated[Ratio, Field(description="tickets_settled / max(weight, tickets_settled).")]
    subsidy: Annotated[NanoAmount, Field(description="What they minted.")]
    fees: Annotated[NanoAmount, Field(description="The fees of their transactions.")]
    burned: Annotated[NanoAmount, Field(description="What was burned in them.")]
    settled_burn: Annotated[
        NanoAmount, Field(description="What the jobs that they settled had burned when they were posted.")
    ]
    burned_share: Annotated[Ratio, Field(description="settled_burn / subsidy.")]
    difficulty: Annotated[BigInteger, Field(description="The mean number of tickets per block, at the last of them.")]
    price_per_tera: Annotated[
        NanoAmount, Field(description="What a job burned after them for 10^12 multiply-accumulates of work.")
    ]
    supply: Annotated[NanoAmount, Field(description="The supply after them.")]
    jobs_open: Annotated[
        Count | None,
        Field(description="Jobs not settled or closed yet after them; null if this node began with a later state."),
    ]
    tickets_open: Annotated[Count | None, Field(description="The tickets of these jobs; null likewise.")]


class StatsModel(Model):
    """Stats of a range of blocks."""

    from_height: Annotated[
        BlockHeight, Field(description="The first height that counts: at least the first this node executed.")
    ]
    to_height: Annotated[BlockHeight, Field(description="The last height that counts.")]
    points: Annotated[list[StatsPointModel], Field(description="The parts of the range, oldest first.")]


@method("chain_getStats", examples=(Example("the whole chain in ten parts", {"points": 10}),))
async def chain_get_stats(node: NodePort, params: StatsParams) -> StatsModel:
    """Return what the blocks of a range did, part by part, and the price, the demand and the supply after each part.

    Any range costs the same, since running totals are stored with each block.
    """
    reader = node.ledger.reader
    base = min(node.ledger.base_height, reader.tip.header.height)
    tip = reader.tip.header.height
    last = tip if params.last is None else params.last
    first = max(1, params.first, base + 1)
    if last > tip or (first > last and tip > base):
        hint = f"this node has executed the blocks from {base + 1} to {tip}"
        raise make_invalid_param("last", f"there is no block from {first} to {last}", code="bad-range", hint=hint)
    points: list[StatsPointModel] = []
    before = _read_end(node, reader, first - 1)
    for height in _list_ends(first, last, params.points):
        end = _read_end(node, reader, height)
        points.append(_make_point(node, before, end, has_all=base == 0))
        before = end
        if len(points) % YIELD_POINTS == 0:
            await asyncio.sleep(0)
    return StatsModel(from_height=min(first, last), to_height=last, points=points)


def read_totals_at(reader: ChainReader, height: int) -> Totals:
    """Return the totals up to a connected block; those of genesis, and of a state that came from peers, are empty."""
    block = reader.get_block_id(height)
    return (None if block is None else reader.get_totals(block)) or Totals()


def _list_ends(first: int, last: int, points: int) -> Iterator[int]:
    """Yield the heights at which the parts of the range end, each once."""
    count = last - first + 1
    parts = min(points, count)
    for part in range(1, parts + 1):
        yield first - 1 + part * count // parts


def _read_end(node: NodePort, reader: ChainReader, height: int) -> tuple[Header, Totals]:
    block = reader.get_block_id(height)
    header = None if block is None else node.ledger.get_header(block)
    if header is None:
        raise make_tip_moving()
    return header, read_totals_at(reader, height)


def _make_point(
    node: NodePort, before: tuple[Header, Totals], end: tuple[Header, Totals], *, has_all: bool
) -> StatsPointModel:
    (old_header, old), (header, new) = before, end
    weight, settled = new.get_weight() - old.get_weight(), new.tickets_settled - old.tickets_settled
    burn, subsidy = new.settled_burn - old.settled_burn, new.subsidy - old.subsidy
    share = compute_window_share(settled=settled, weight=weight, settled_burn=burn, subsidies=subsidy)
    difficulty = compute_difficulty(get_target(header))
    return StatsPointModel(
        from_height=old_header.height + 1,
        height=header.height,
        time_ms=header.time_ms,
        blocks=header.height - old_header.height,
        spacing_ms=_compute_spacing(node, old_header, header),
        transactions=new.transactions - old.transactions,
        weight=str(weight),
        jobs_posted=new.jobs_posted - old.jobs_posted,
        jobs_settled=new.jobs_settled - old.jobs_settled,
        tickets_posted=new.tickets_posted - old.tickets_posted,
        tickets_settled=settled,
        paid_share=compute_ratio(share.paid_ppm, PPM, SHARE_DECIMALS),
        subsidy=str(subsidy),
        fees=str(new.fees - old.fees),
        burned=str(new.burned - old.burned),
        settled_burn=str(burn),
        burned_share=compute_ratio(share.burned_ppm, PPM, SHARE_DECIMALS),
        difficulty=str(difficulty),
        price_per_tera=str(compute_price_per_tera(node.params, Height(header.height + 1), difficulty)),
        supply=str(new.supply),
        jobs_open=new.jobs_posted - new.jobs_closed if has_all else None,
        tickets_open=new.tickets_posted - new.tickets_closed if has_all else None,
    )


def _compute_spacing(node: NodePort, old: Header, new: Header) -> int:
    """Return the mean spacing. The time of genesis is that of its file, so the step from it is left out."""
    if old.height == 0:
        first = node.ledger.get_block_id(Height(1))
        found = None if first is None else node.ledger.get_header(first)
        if found is None or new.height <= 1:
            return 0
        old = found
    return (new.time_ms - old.time_ms) // (new.height - old.height)
