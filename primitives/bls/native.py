"""The native backend: arkworks' BLS12-381 in Rust through py_arkworks_bls12381.

Its decoder of points accepts other encodings of infinity, and other flags; so each point that is read is
encoded again and compared. It is not written to run in constant time: see the decision on the backends.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from py_arkworks_bls12381 import GT, G1Point, G2Point, Scalar

from inos.primitives.bls.base import (
    KEY_BYTES,
    PROOF_DST,
    SIGN_DST,
    SIGNATURE_BYTES,
    make_bad_point,
    read_secret,
)

CACHED_KEYS: Final = 4096
"""This many checked keys are kept, some 200 bytes each: committees vote with the same keys again and again."""
_GENERATOR: Final = G1Point()
_MINUS_GENERATOR: Final = -G1Point()
_NO_KEY: Final = G1Point.identity()
_NO_SIGNATURE: Final = G2Point.identity()


class NativeBls:
    """base.Bls over arkworks."""

    name = "arkworks"

    def compute_public_key(self, secret: bytes) -> bytes:
        read_secret(secret)
        return bytes((_GENERATOR * Scalar.from_be_bytes(secret)).to_compressed_bytes())

    def sign(self, secret: bytes, message: bytes) -> bytes:
        return _sign(secret, message, SIGN_DST)

    def prove_possession(self, secret: bytes, message: bytes) -> bytes:
        return _sign(secret, message, PROOF_DST)

    def is_key_valid(self, key: bytes) -> bool:
        return _read_key(key) is not None

    def is_possession_proven(self, key: bytes, message: bytes, proof: bytes) -> bool:
        return _is_signed(_read_key(key), message, proof, PROOF_DST)

    def is_signed(self, key: bytes, message: bytes, signature: bytes) -> bool:
        return _is_signed(_read_key(key), message, signature, SIGN_DST)

    def aggregate(self, signatures: Sequence[bytes]) -> bytes:
        if not signatures:
            raise make_bad_point("an aggregate of no signatures")
        total = _NO_SIGNATURE
        for index, signature in enumerate(signatures):
            point = _read_signature(signature)
            if point is None:
                raise make_bad_point(f"signature {index}")
            total = total + point
        return bytes(total.to_compressed_bytes())

    def is_aggregate_signed(self, keys: Sequence[bytes], message: bytes, signature: bytes) -> bool:
        total = _NO_KEY
        for key in keys:
            point = _read_key(key)
            if point is None:
                return False
            total = total + point
        return total != _NO_KEY and _is_signed(total, message, signature, SIGN_DST)


def _sign(secret: bytes, message: bytes, domain: bytes) -> bytes:
    read_secret(secret)
    return bytes((G2Point.hash_to_curve(message, domain) * Scalar.from_be_bytes(secret)).to_compressed_bytes())


def _is_signed(key: G1Point | None, message: bytes, signature: bytes, domain: bytes) -> bool:
    """Return True if e(key, H(message)) == e(G, signature)."""
    point = _read_signature(signature)
    if key is None or point is None:
        return False
    return bool(GT.pairing_check([key, _MINUS_GENERATOR], [G2Point.hash_to_curve(message, domain), point]))


@lru_cache(maxsize=CACHED_KEYS)
def _read_key(data: bytes) -> G1Point | None:
    """Return the point if it is in the group and not infinity, else None."""
    if len(data) != KEY_BYTES:
        return None
    try:
        point = G1Point.from_compressed_bytes(data)
    except ValueError:
        return None
    return None if point == _NO_KEY or bytes(point.to_compressed_bytes()) != data else point


def _read_signature(data: bytes) -> G2Point | None:
    if len(data) != SIGNATURE_BYTES:
        return None
    try:
        point = G2Point.from_compressed_bytes(data)
    except ValueError:
        return None
    return None if point == _NO_SIGNATURE or bytes(point.to_compressed_bytes()) != data else point
