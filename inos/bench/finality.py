"""`inos bench finality`: the cost of votes: signing and checking them, aggregating them, checking a whole committee."""

from collections.abc import Callable, Iterator
from typing import Final

from msgspec import Struct

from inos.bench.timing import time_median
from inos.primitives.bls import BlsBackend, compute_secret, get_native, get_reference

MEMBERS: Final = 128
"""Members of the largest committee."""
MESSAGE: Final = b"one link for all"
REFERENCE_ROUNDS: Final = 1
"""The reference backend takes a second for some rows."""


class FinalityRow(Struct, frozen=True):
    """One operation of one backend."""

    backend: str
    what: str
    ms: float
    """Median, milliseconds."""


def measure_finality(rounds: int) -> list[FinalityRow]:
    """Time all operations of the native backend, if there is one, and then once those of the reference."""
    native = get_native()
    rows = [] if native is None else list(_measure(native, rounds))
    return rows + list(_measure(get_reference(), REFERENCE_ROUNDS))


def _measure(bls: BlsBackend, rounds: int) -> Iterator[FinalityRow]:
    secrets = [compute_secret(index.to_bytes(32, "big")) for index in range(MEMBERS)]
    maker = get_native() or bls
    keys = [maker.compute_public_key(secret) for secret in secrets]
    votes = [maker.sign(secret, MESSAGE) for secret in secrets]
    whole = maker.aggregate(votes)

    def make_row(what: str, call: Callable[[], object], times: int = rounds) -> FinalityRow:
        return FinalityRow(bls.name, what, 1000 * time_median(call, times))

    # This row comes first and is timed once: afterwards the keys' points are cached, as in a node.
    first = f"check an aggregate of {MEMBERS}, keys never seen"
    yield make_row(first, lambda: bls.is_aggregate_signed(keys, MESSAGE, whole), 1)
    yield make_row(f"check an aggregate of {MEMBERS}", lambda: bls.is_aggregate_signed(keys, MESSAGE, whole))
    yield make_row(f"aggregate {MEMBERS} signatures", lambda: bls.aggregate(votes))
    yield make_row("check one vote", lambda: bls.is_signed(keys[0], MESSAGE, votes[0]))
    yield make_row("sign a vote", lambda: bls.sign(secrets[0], MESSAGE))


def describe_finality(rows: list[FinalityRow]) -> list[str]:
    """Return the figures as lines of text."""
    return [f"{row.backend:>9}  {row.what:<42} {row.ms:10.2f} ms" for row in rows]
