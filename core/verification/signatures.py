"""This BLS backend remembers which aggregates it has checked."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from inos.primitives.bls import Bls

MAX_REMEMBERED: Final = 256
"""This many aggregates are remembered; a block carries at most one, and a bulk sync has hundreds of blocks on their
way."""


class RememberedSignatures:
    """Satisfies `inos.primitives.bls.Bls`. It is safe to call from several threads.

    An aggregate's signature costs a pairing. `BlockVerifier` checks it in a thread when the block arrives, and the
    writer, which asks the same question while it executes the block, finds the answer here.
    """

    def __init__(self, bls: Bls) -> None:
        self._bls = bls
        self._remembered = lru_cache(MAX_REMEMBERED)(bls.is_aggregate_signed)
        self.is_key_valid = bls.is_key_valid
        self.is_possession_proven = bls.is_possession_proven
        self.is_signed = bls.is_signed

    def is_aggregate_signed(self, keys: Sequence[bytes], message: bytes, signature: bytes) -> bool:
        return self._remembered(tuple(keys), message, signature)

    def __reduce__(self) -> tuple[type["RememberedSignatures"], tuple[Bls]]:
        """Begin with an empty memory in another process."""
        return RememberedSignatures, (self._bls,)
