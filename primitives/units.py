"""Types that carry their unit, and the one place where credits are formatted and parsed."""

import re
from typing import Final, NewType

Height = NewType("Height", int)
"""The number of blocks since genesis, which has height 0."""
Nano = NewType("Nano", int)
"""The smallest amount, unsigned 64 bit; 10^9 nano are one credit."""
Tickets = NewType("Tickets", int)
"""A number of tickets: each is a piece of 16 x 16 x 1024 multiply-accumulates."""
Target = NewType("Target", int)
"""The largest winning digest, read big-endian: 0 .. 2^256 - 1."""
Weight = NewType("Weight", int)
"""The tickets that a chain stands for, summed over its blocks; it is unbounded."""
TimeMs = NewType("TimeMs", int)
"""Milliseconds since 1970-01-01 UTC."""
DurationMs = NewType("DurationMs", int)
"""A span of time in milliseconds."""

Hash = NewType("Hash", bytes)
"""A 32-byte digest that has no type of its own."""
BlockId = NewType("BlockId", bytes)
TxId = NewType("TxId", bytes)
JobId = NewType("JobId", bytes)
"""The id of the transaction that posted the job."""
MatrixId = NewType("MatrixId", bytes)
Anchor = NewType("Anchor", bytes)
"""The hash of a header without its seal; noise is drawn from it."""
StateRoot = NewType("StateRoot", bytes)
Address = NewType("Address", bytes)
"""The first 20 bytes of H("address", key)."""
PublicKey = NewType("PublicKey", bytes)
"""An x-only secp256k1 key, 32 bytes (BIP-340)."""
NodeId = NewType("NodeId", bytes)
"""The hash of a node's X25519 public key."""

HASH_BYTES: Final = 32
ADDRESS_BYTES: Final = 20
U32_MAX: Final = 2**32 - 1
U64_MAX: Final = 2**64 - 1
U256_MAX: Final = 2**256 - 1
NANO_PER_CREDIT: Final = 10**9
ZERO_HASH: Final = Hash(bytes(HASH_BYTES))

_CREDITS = re.compile(r"(?P<whole>[0-9]{1,11})(?:\.(?P<part>[0-9]{1,9}))?")


def format_credits(amount: int) -> str:
    """Write an amount of nano as credits, without trailing zeros: 1_500_000_000 -> "1.5"."""
    sign = "-" if amount < 0 else ""
    whole, part = divmod(abs(amount), NANO_PER_CREDIT)
    return f"{sign}{whole}" if part == 0 else f"{sign}{whole}.{part:09d}".rstrip("0")


def parse_credits(text: str) -> Nano:
    """Read credits ("1.5", at most 9 decimals) as nano.

    Raises:
        ValueError: it is not a plain decimal number, has more than 9 decimals, or is above 2^64 - 1 nano.
    """
    match = _CREDITS.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not an amount in credits: write it as 12 or 12.5, at most 9 decimals")
    amount = int(match["whole"]) * NANO_PER_CREDIT + int((match["part"] or "").ljust(9, "0"))
    if amount > U64_MAX:
        raise ValueError(f"{text} credits is more than can exist: the largest amount is {format_credits(U64_MAX)}")
    return Nano(amount)
