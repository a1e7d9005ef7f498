"""Payments of a TransferMany: an address and an amount each, packed into 28 bytes.

Packed bytes have one reading, so the payload stays canonical without a field for each payment.
"""

import struct
from collections.abc import Iterable, Iterator
from typing import Annotated, Final, NamedTuple

from msgspec import Meta

from inos.primitives.units import Address

PAYMENT_BYTES: Final = 28
MAX_PAYMENTS: Final = 256
_PACKED: Final = struct.Struct(">20sQ")
assert _PACKED.size == PAYMENT_BYTES

PackedPayments = Annotated[bytes, Meta(min_length=PAYMENT_BYTES, max_length=MAX_PAYMENTS * PAYMENT_BYTES)]


class Payment(NamedTuple):
    """What one address is paid, in nano."""

    to: Address
    amount: int


def pack_payments(payments: Iterable[Payment]) -> bytes:
    """Return the packed bytes, sorted by address: 20 bytes of address and a big-endian u64 each."""
    return b"".join(_PACKED.pack(to, amount) for to, amount in sorted(payments))


def iterate_payments(packed: bytes) -> Iterator[Payment]:
    """Yield the payments in the order in which they are packed; bytes after the last whole one are left out."""
    whole = len(packed) - len(packed) % PAYMENT_BYTES
    for to, amount in _PACKED.iter_unpack(memoryview(packed)[:whole]):
        yield Payment(Address(to), amount)


def count_payments(packed: bytes) -> int:
    return len(packed) // PAYMENT_BYTES


def compute_total(packed: bytes) -> int:
    """Return the sum of all amounts, which may exceed 64 bits."""
    return sum(payment.amount for payment in iterate_payments(packed))
