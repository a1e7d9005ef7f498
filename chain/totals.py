"""Running totals of the connected chain, stored with each block: two records tell what a range of blocks did."""

from collections.abc import Callable, Sequence
from typing import Annotated

from msgspec import Meta, Struct

from inos.chain import schema
from inos.chain.blocks import encode_weight
from inos.consensus.execution import BlockStats
from inos.consensus.jobevents import JobEvent, JobEventKind
from inos.primitives.codec import decode
from inos.primitives.transactions import U64
from inos.primitives.units import BlockId

CLOSING = frozenset({JobEventKind.SETTLED, JobEventKind.CANCELLED, JobEventKind.UNDECIDED})
"""After one of these events a job is no longer in demand."""


class Totals(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What all blocks up to one did, in nano and tickets; counted from a state that came from peers, if one did."""

    transactions: U64 = 0
    weight: Annotated[bytes, Meta(max_length=32)] = b""
    """Big-endian without leading zeros, since a sum of difficulties may take more than 64 bits."""
    jobs_posted: U64 = 0
    jobs_settled: U64 = 0
    jobs_closed: U64 = 0
    """Jobs settled, cancelled or left undecided."""
    tickets_posted: U64 = 0
    tickets_settled: U64 = 0
    tickets_closed: U64 = 0
    subsidy: U64 = 0
    fees: U64 = 0
    burned: U64 = 0
    settled_burn: U64 = 0
    """Nano that the settled jobs had burned when they were posted."""
    supply: U64 = 0
    """The supply after the last block. This is no sum."""

    def get_weight(self) -> int:
        return int.from_bytes(self.weight, "big")


def add_block(before: Totals, transactions: int, stats: BlockStats, events: Sequence[JobEvent]) -> Totals:
    """Return the totals after one more block."""
    kinds = [event.kind for event in events]
    return Totals(
        transactions=before.transactions + transactions,
        weight=encode_weight(before.get_weight() + stats.weight),
        jobs_posted=before.jobs_posted + kinds.count(JobEventKind.POSTED),
        jobs_settled=before.jobs_settled + kinds.count(JobEventKind.SETTLED),
        jobs_closed=before.jobs_closed + sum(kind in CLOSING for kind in kinds),
        tickets_posted=before.tickets_posted + stats.tickets_posted,
        tickets_settled=before.tickets_settled + stats.tickets_settled,
        tickets_closed=before.tickets_closed + sum(event.tickets for event in events if event.kind in CLOSING),
        subsidy=before.subsidy + stats.subsidy,
        fees=before.fees + stats.fees,
        burned=before.burned + stats.burned,
        settled_burn=before.settled_burn + stats.settled_burn,
        supply=stats.supply,
    )


def read_totals(read: Callable[[bytes], bytes | None], block: BlockId) -> Totals | None:
    """Return the totals up to a connected block; None for genesis and for the block whose state came from peers."""
    data = read(schema.totals_key(block))
    return None if data is None else decode(Totals, data, limit=schema.MAX_STORED_BYTES)
