"""What the signatures of finality cost: signing and checking votes, adding them up, checking a whole committee."""

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Final

from msgspec import Struct

from inos.primitives.bls import BlsBackend, compute_secret, get_native, get_reference

MEMBERS: Final = 128
"""The largest committee."""
MESSAGE: Final = b"one link for all"
SLOW_ROUNDS: Final = 1
"""The reference takes a second for some rows."""


class Row(Struct, frozen=True):
    backend: str
    what: str
    ms: float
    """Median, milliseconds."""


def measure_finality(rounds: int) -> list[Row]:
    """All rows of the native backend, where there is one, then of the reference, which is timed once."""
    native = get_native()
    rows = [] if native is None else list(_measure(native, rounds))
    return rows + list(_measure(get_reference(), SLOW_ROUNDS))


def _measure(bls: BlsBackend, rounds: int) -> Iterator[Row]:
    secrets = [compute_secret(index.to_bytes(32, "big")) for index in range(MEMBERS)]
    maker = get_native() or bls
    keys = [maker.compute_public_key(secret) for secret in secrets]
    votes = [maker.sign(secret, MESSAGE) for secret in secrets]
    whole = maker.aggregate(votes)

    def row(what: str, call: Callable[[], object]) -> Row:
        return Row(bls.name, what, _time(call, rounds))

    # First and once: later rounds find the keys' points remembered, as a node does.
    first = _time(lambda: bls.is_aggregate_signed(keys, MESSAGE, whole), 1)
    yield Row(bls.name, f"check an aggregate of {MEMBERS}, keys never seen", first)
    yield row(f"check an aggregate of {MEMBERS}", lambda: bls.is_aggregate_signed(keys, MESSAGE, whole))
    yield row(f"add {MEMBERS} signatures up", lambda: bls.aggregate(votes))
    yield row("check one vote", lambda: bls.is_signed(keys[0], MESSAGE, votes[0]))
    yield row("sign a vote", lambda: bls.sign(secrets[0], MESSAGE))


def _time(call: Callable[[], object], rounds: int) -> float:
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        call()
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)
