"""Divides an amount by tickets. A member calls the same functions to compute again what it should get."""

import struct
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from inos.primitives.units import Address, Nano

PPM: Final = 1_000_000
PART_BYTES: Final = 28
_PACKED: Final = struct.Struct(">20sQ")


class Part(NamedTuple):
    """What one address has in a sum: tickets of a window, or nano of a payout."""

    address: Address
    amount: int


class Division(NamedTuple):
    """An amount that was divided. What the parts get and what the pool keeps add up to it."""

    parts: list[Part]
    kept: Nano
    """The pool's fee, and what the divisions left over."""


def pack_parts(parts: Iterable[Part]) -> bytes:
    """Return parts as bytes, sorted by address: 20 bytes of address and a big-endian u64 each."""
    return b"".join(_PACKED.pack(address, amount) for address, amount in sorted(parts))


def iterate_parts(packed: bytes) -> Iterator[Part]:
    """Yield the parts of packed bytes, whose length is a multiple of 28."""
    for address, amount in _PACKED.iter_unpack(packed):
        yield Part(Address(address), amount)


def find_amount(packed: bytes, address: Address) -> int:
    """Return what an address has in packed parts, or 0; the parts are sorted, so few of them are read."""
    count = len(packed) // PART_BYTES
    at = bisect_left(range(count), bytes(address), key=lambda n: packed[n * PART_BYTES : n * PART_BYTES + 20])
    if at == count:
        return 0
    found, amount = _PACKED.unpack_from(packed, at * PART_BYTES)
    return int(amount) if found == address else 0


def compute_fee(amount: int, fee_ppm: int) -> Nano:
    """Return the pool's fee of an amount, rounded down."""
    return Nano(amount * fee_ppm // PPM)


def compute_credit(amount: int, fee_ppm: int, tickets: int, of: int) -> Nano:
    """Return what `tickets` of `of` tickets get of an amount after the fee, rounded down."""
    return Nano((amount - compute_fee(amount, fee_ppm)) * tickets // of) if of else Nano(0)


def divide(amount: int, fee_ppm: int, window: Iterable[Part], of: int | None = None) -> Division:
    """Divide an amount by the tickets of a window.

    Args:
        of: the tickets that earned the amount, if they are more than those of the window; the pool keeps the rest.
    """
    parts = list(window)
    whole = sum(part.amount for part in parts)
    whole = whole if of is None else max(of, whole)
    credits = [Part(part.address, compute_credit(amount, fee_ppm, part.amount, whole)) for part in parts]
    return Division(credits, Nano(amount - sum(credit.amount for credit in credits)))


def divide_fee(fee: int, parts: Iterable[Part]) -> list[Part]:
    """Divide a fee among the parts of a payout by their amounts; the largest part pays what the divisions leave."""
    found = list(parts)
    whole = sum(part.amount for part in found)
    shares = [fee * part.amount // whole for part in found]
    largest = max(range(len(found)), key=lambda at: found[at].amount)
    shares[largest] += fee - sum(shares)
    return [Part(part.address, share) for part, share in zip(found, shares, strict=True)]


def recompute_earned(address: Address, blocks: Iterable[tuple[int, int, Mapping[Address, int]]]) -> Nano:
    """Return what an address should have earned of blocks, each given as (amount, fee in ppm, tickets by address).

    A member calls this with the answers of `pool_window`, and compares it with what the pool says it earned.
    """
    return Nano(
        sum(
            compute_credit(amount, fee_ppm, tickets.get(address, 0), sum(tickets.values()))
            for amount, fee_ppm, tickets in blocks
        )
    )
