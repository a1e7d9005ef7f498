"""Is there noise in a worker's pieces? Rows can be made without it, but then no shares come with them.

A share of weight w comes with one of w tickets. So shares of pieces weigh as much as the pieces have tickets, with a
standard deviation that is the root of the sum of w · tickets. A worker is refused if its shares weigh less by more than
four of these. More shares do no harm: those of a piece that another worker finished first count too.
"""

from typing import Final

from msgspec import Struct

from inos.primitives.transactions import U64

LEAST_PIECES: Final = 64
SIGMAS: Final = 4
MOST_PIECES: Final = 1024
"""After so many pieces all sums are halved, so that an honest past does not cover what comes later."""


class PieceRecord(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a worker's pieces had, and the shares that came with them."""

    pieces: U64 = 0
    tickets: U64 = 0
    weight: U64 = 0
    """The sum of the weights of the shares that came with the pieces."""
    variance: U64 = 0
    """The sum of w · tickets over the pieces, in units of 2^20 tickets², rounded up."""
    is_refused: bool = False
    """The shares did not fit once; this worker gets no paid pieces any more."""


VARIANCE_UNIT: Final = 1 << 20


def add_piece(record: PieceRecord, tickets: int, share_weight: int) -> PieceRecord:
    """Return the record with one more piece, judged."""
    added = PieceRecord(
        record.pieces + 1,
        record.tickets + tickets,
        record.weight,
        record.variance - (-tickets * share_weight // VARIANCE_UNIT),
        record.is_refused,
    )
    judged = PieceRecord(
        added.pieces, added.tickets, added.weight, added.variance, added.is_refused or not is_plausible(added)
    )
    if judged.pieces < MOST_PIECES:
        return judged
    # Half of a sum of random numbers has a quarter of its variance.
    return PieceRecord(
        judged.pieces // 2, judged.tickets // 2, judged.weight // 2, -(-judged.variance // 4), judged.is_refused
    )


def add_share(record: PieceRecord, weight: int) -> PieceRecord:
    """Return the record with a share that came with a piece."""
    return PieceRecord(record.pieces, record.tickets, record.weight + weight, record.variance, record.is_refused)


def is_plausible(record: PieceRecord) -> bool:
    """Return False if the shares of 64 pieces or more weigh less than their tickets by four standard deviations."""
    apart = record.tickets - record.weight
    if record.pieces < LEAST_PIECES or apart <= 0:
        return True
    return apart * apart <= SIGMAS * SIGMAS * record.variance * VARIANCE_UNIT
