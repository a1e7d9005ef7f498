"""The distance between ids is the XOR of their 256 bits as a number (Maymounkov and Mazieres, Kademlia, 2002, section
2.1)."""

from typing import Final

from inos.primitives.randomness import Randomness
from inos.primitives.units import HASH_BYTES

ID_BITS: Final = 8 * HASH_BYTES


def compute_distance(left: bytes, right: bytes) -> int:
    """Return the distance, which is symmetric and 0 for equal ids only; each distance from an id belongs to one other
    id."""
    return int.from_bytes(left, "big") ^ int.from_bytes(right, "big")


def count_common_bits(left: bytes, right: bytes) -> int:
    """Return the number of leading bits that are equal, 0 to 256."""
    return ID_BITS - compute_distance(left, right).bit_length()


def make_id_near(own_id: bytes, common_bits: int, *, is_exact: bool, rng: Randomness) -> bytes:
    """Return a random id that shares the first `common_bits` bits with `own_id`, and if `is_exact` not the one after
    them."""
    free = ID_BITS - common_bits
    distance = rng.getrandbits(free) if free else 0
    if is_exact and free:
        distance |= 1 << (free - 1)
    return (int.from_bytes(own_id, "big") ^ distance).to_bytes(HASH_BYTES, "big")
