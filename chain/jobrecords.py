"""The history of each job, and the record of each address as miner, worker and poster, with updates for
reorganisations.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Literal

import msgspec
from msgspec import Struct

from inos.chain import schema
from inos.chain.blocks import Batch
from inos.chain.database import Snapshot
from inos.chain.ranking import Ranking, make_rank_changes
from inos.consensus.jobevents import JobEvent, JobEventKind
from inos.primitives.codec import decode, encode
from inos.primitives.transactions import U64
from inos.primitives.units import Address, Height, JobId


class Side(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The totals of one address, as worker or as poster."""

    posted: U64 = 0
    claimed: U64 = 0
    delivered: U64 = 0
    settled: U64 = 0
    lapsed: U64 = 0
    challenged: U64 = 0
    """Results that were proven wrong."""
    cancelled: U64 = 0
    disputed: U64 = 0
    rejected: U64 = 0
    """Results that a jury did not find right."""
    undecided: U64 = 0
    tickets: U64 = 0
    """Tickets of the settled jobs."""
    paid: U64 = 0
    """Rewards in nano: earned by a worker, or paid by a poster."""
    lost: U64 = 0
    """Nano lost: bonds of a worker, or what a poster's jobs burned."""


class TrackRecord(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The totals of an address since genesis."""

    worker: Side = Side()
    poster: Side = Side()
    mined: U64 = 0
    """Blocks mined."""


_EMPTY: Final = TrackRecord()
_COUNTS: Final = {
    JobEventKind.POSTED: "posted",
    JobEventKind.CLAIMED: "claimed",
    JobEventKind.DELIVERED: "delivered",
    JobEventKind.SETTLED: "settled",
    JobEventKind.LAPSED: "lapsed",
    JobEventKind.CHALLENGED: "challenged",
    JobEventKind.CANCELLED: "cancelled",
    JobEventKind.DISPUTED: "disputed",
    JobEventKind.REJECTED: "rejected",
    JobEventKind.UNDECIDED: "undecided",
}
"""The counter of each kind of event. An upheld result has no counter of its own, since it is settled too."""
_LOST_BY_WORKER: Final = frozenset(
    {JobEventKind.LAPSED, JobEventKind.CHALLENGED, JobEventKind.REJECTED, JobEventKind.UPHELD}
)
_LOST_BY_POSTER: Final = frozenset({JobEventKind.POSTED, JobEventKind.UNDECIDED})


def make_event_changes(
    read: Callable[[bytes], bytes | None],
    height: Height,
    miner: Address,
    events: Sequence[JobEvent],
    *,
    is_undone: bool = False,
) -> Batch:
    """Return the events, records and ranks to write for a connected block, or to remove for an undone one.

    Args:
        read: reads the database.
        miner: the beneficiary of the block at `height`.
        events: those of the block, in order.
    """
    batch: Batch = {}
    for number, event in enumerate(events):
        batch[schema.job_event_key(JobId(event.job), height, number)] = None if is_undone else encode(event)
    sign: Literal[1, -1] = -1 if is_undone else 1
    stored = {miner: decode_record(read(schema.record_key(miner)))}
    records = {miner: msgspec.structs.replace(stored[miner], mined=stored[miner].mined + sign)}
    for address, event in _iterate_shares(events):
        if address not in stored:
            records[address] = stored[address] = decode_record(read(schema.record_key(address)))
        records[address] = _count(records[address], address, event, sign)
    for address, record in records.items():
        before = stored[address]
        batch[schema.record_key(address)] = None if record == _EMPTY else encode(record)
        batch |= make_rank_changes(Ranking.MINED, address, before.mined, record.mined)
        batch |= make_rank_changes(Ranking.SETTLED, address, before.worker.tickets, record.worker.tickets)
    return batch


def decode_record(data: bytes | None) -> TrackRecord:
    """Return a stored record, or an empty one if there is none."""
    return _EMPTY if data is None else decode(TrackRecord, data, limit=schema.MAX_STORED_BYTES)


def iterate_events(snapshot: Snapshot, job: JobId) -> Iterator[tuple[Height, JobEvent]]:
    """Return the events of a job in order, each with its block's height."""
    for key, value in snapshot.iterate(schema.JOB_EVENT + job):
        height = Height(int.from_bytes(key[-12:-4], "big"))
        yield height, decode(JobEvent, value, limit=schema.MAX_STORED_BYTES)


def _iterate_shares(events: Iterable[JobEvent]) -> Iterator[tuple[Address, JobEvent]]:
    for event in events:
        for address in dict.fromkeys((event.poster, event.worker)):
            if address is not None:
                yield Address(address), event


def _count(record: TrackRecord, address: Address, event: JobEvent, sign: Literal[1, -1]) -> TrackRecord:
    """Return the record with an event added or taken back, on both sides for an account that posts to itself."""
    if event.worker == address:
        record = msgspec.structs.replace(record, worker=_add(record.worker, event, sign, is_worker=True))
    if event.poster == address:
        record = msgspec.structs.replace(record, poster=_add(record.poster, event, sign, is_worker=False))
    return record


def _add(side: Side, event: JobEvent, sign: int, *, is_worker: bool) -> Side:
    name = _COUNTS.get(event.kind)
    changed = {} if name is None else {name: getattr(side, name) + sign}
    if event.kind is JobEventKind.SETTLED:
        changed |= {"tickets": side.tickets + sign * event.tickets, "paid": side.paid + sign * event.amount}
    if event.kind in (_LOST_BY_WORKER if is_worker else _LOST_BY_POSTER):
        changed["lost"] = side.lost + sign * event.amount
    return msgspec.structs.replace(side, **changed)
