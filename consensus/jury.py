"""Juries as pure functions: their fees, windows and seats (protocol, section 5).

A jury decides about an optimistic result that cannot be checked in public. Its seats are drawn by weight from the
committee that votes on finality. `disputes` says what moves when a jury is appointed, votes and is counted.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Final, assert_never

from inos.consensus.params import Params
from inos.consensus.prices import compute_product_bytes
from inos.consensus.records import Committee, DisputeRecord, Job, Juror, Member, ProductWork, TaskWork
from inos.primitives.hashing import Context, compute_hash, compute_stream
from inos.primitives.transactions import Verdict
from inos.primitives.units import Address, BlockId, Height, JobId, Nano

DRAW_DELAY: Final = 2
"""Blocks between a dispute and the drawing of its jury, so that the disputer's block cannot choose the seats."""
MIB: Final = 1 << 20
UNITS_PER_MIB: Final = 4096
"""A juror is paid for a MiB by this many units of a task, rounded up."""
BOND_PART: Final = 8
"""A jury is paid at least this part of the job's bond."""
MAX_BOND_SUBSIDIES: Final = 4
"""A bond is at most this many subsidies, as a jury must be worth less than discarding a block to draw another one."""
SEAT_BYTES: Final = 16
"""Bytes of the stream that one draw of a seat uses."""


def compute_product_mib(rows_x: int, rows_w: int, depth: int) -> int:
    """Return the MiB for which the jury of a product is paid, since each seat fetches and checks all of them."""
    return -(-compute_product_bytes(rows_x, rows_w, depth) // MIB)


def compute_task_mib(units: int) -> int:
    """Return the MiB for which the jury of a task is paid, since each seat fetches its files and computes it again."""
    return max(1, -(-units // UNITS_PER_MIB))


def compute_job_mib(job: Job) -> int:
    """Return the MiB for which the jury of a job is paid."""
    match job.work:
        case ProductWork():
            return compute_product_mib(job.work.x.rows, job.work.w.rows, job.work.x.cols)
        case TaskWork():
            return compute_task_mib(job.work.units)
        case _:
            assert_never(job.work)


def compute_size_fee(params: Params, mib: int) -> int:
    """Return the least fee of a jury in nano for a job of this many MiB."""
    return params.jury_size * mib * params.jury_mib_fee


def compute_jury_fee(params: Params, job: Job) -> Nano:
    """Return what the jury of a disputed job is paid in all, in nano."""
    return compute_fee(params, job.bond, compute_job_mib(job))


def compute_fee(params: Params, bond: int, mib: int) -> Nano:
    """Return the jury fee of a job with this bond and size, in nano."""
    return Nano(max(compute_size_fee(params, mib), -(-bond // BOND_PART)))


def compute_min_bond(params: Params, reward: int, mib: int) -> int:
    """Return the least bond of an optimistic job of this size: a cheating worker loses at least the reward, and the
    bond pays the jury.
    """
    return max(params.min_bond, reward, 2 * compute_size_fee(params, mib))


def compute_reveal_start(params: Params, drawn_at: int) -> Height:
    """Return the first height at which verdicts are opened and none is committed any more."""
    return Height(drawn_at + params.jury_window * 2 // 3)


def compute_count_height(params: Params, drawn_at: int) -> Height:
    """Return the height of the block at whose start the verdicts are counted."""
    return Height(drawn_at + params.jury_window)


def compute_next_height(params: Params, dispute: DisputeRecord) -> Height:
    """Return the height of the block at whose start the dispute's jury is drawn or, once it is drawn, counted."""
    if dispute.drawn_at:
        return compute_count_height(params, dispute.drawn_at)
    return Height(dispute.opened_at + DRAW_DELAY)


def list_eligible(committee: Committee, job: Job, worker: Address) -> tuple[Member, ...]:
    """Return the committee's members in its order, without the job's poster and worker."""
    return tuple(member for member in committee.members if member.address not in (job.poster, worker))


def is_jury_possible(committee: Committee, job: Job, worker: Address) -> bool:
    """Return True if the committee has a member that is neither the job's poster nor its worker."""
    return any(member.address not in (job.poster, worker) for member in committee.members)


def draw_jurors(params: Params, eligible: Sequence[Member], job_id: JobId, parent: BlockId) -> tuple[Juror, ...]:
    """Draw `jury_size` seats by weight, with replacement; return one juror for each member with a seat.

    Seat i is the u128, little-endian, at 16 i of stream(H("jury", job id || parent's id), "seats"), modulo the total
    weight; it belongs to the member in whose part of the weights, added up in order, the number falls.

    Args:
        parent: the id of the parent of the block that draws.
    """
    ends = list(accumulate(member.weight for member in eligible))
    if not ends or not ends[-1]:
        return ()
    seed = compute_hash(Context.JURY, job_id + parent)
    stream = compute_stream(seed, "seats", SEAT_BYTES * params.jury_size)
    seats = [0] * len(eligible)
    for start in range(0, len(stream), SEAT_BYTES):
        number = int.from_bytes(stream[start : start + SEAT_BYTES], "little")
        seats[bisect_right(ends, number % ends[-1])] += 1
    return tuple(
        Juror(member.address, member.key, count) for member, count in zip(eligible, seats, strict=True) if count
    )


def count_seats(jurors: Sequence[Juror], *verdicts: Verdict) -> int:
    """Return the number of seats whose opened verdict is one of `verdicts`."""
    return sum(juror.seats for juror in jurors if juror.verdict in verdicts)


def is_majority(params: Params, seats: int) -> bool:
    """Return True for more than half of all seats, whether or not they were drawn or voted."""
    return 2 * seats > params.jury_size
