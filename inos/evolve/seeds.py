"""Numbers that follow from a seed: the same on every machine."""

from typing import Final

from blake3 import blake3

from inos.primitives.units import ADDRESS_BYTES

_OWNER: Final = "inos evolve local owner v1"
_TRIAL: Final = "inos evolve trial v1"
_ELITE: Final = "inos evolve elite v1"
_SEED: Final = "inos evolve seed v1"


def derive_seed(text: str) -> bytes:
    """Return the seed that a name or number stands for."""
    return blake3(text.encode(), derive_key_context=_SEED).digest()


def derive_local_owner(seed: bytes) -> bytes:
    """Return the owner of an island that pays no miners: no account has this address."""
    return blake3(seed, derive_key_context=_OWNER).digest(ADDRESS_BYTES)


def derive_trial_seed(seed: bytes, number: int) -> bytes:
    """Return what a function draws its random numbers from."""
    return blake3(_join(seed, number), derive_key_context=_TRIAL).digest()


def choose_elite(seed: bytes, number: int, count: int) -> int:
    """Return which of `count` elites a generation begins with."""
    return int.from_bytes(blake3(_join(seed, number), derive_key_context=_ELITE).digest(), "little") % count


def _join(seed: bytes, number: int) -> bytes:
    return seed + number.to_bytes(8, "little")
