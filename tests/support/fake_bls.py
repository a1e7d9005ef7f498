"""A BLS backend without curves: a signature is a hash of key and message, an aggregate the exclusive or of several.

Anybody could forge it, but in a simulation nobody does. It lets a thousand runs take the time of one.
"""

from collections.abc import Sequence
from functools import reduce
from hashlib import blake2b

from inos.primitives.bls import KEY_BYTES, SIGNATURE_BYTES


class FakeBls:
    """Implements inos.primitives.bls.Bls."""

    name = "fake"

    def compute_public_key(self, secret: bytes) -> bytes:
        return blake2b(secret, digest_size=KEY_BYTES).digest()

    def sign(self, secret: bytes, message: bytes) -> bytes:
        return sign_fake(self.compute_public_key(secret), message)

    def prove_possession(self, secret: bytes, message: bytes) -> bytes:
        return sign_fake(self.compute_public_key(secret), b"possession" + message)

    def is_key_valid(self, key: bytes) -> bool:
        return len(key) == KEY_BYTES

    def is_possession_proven(self, key: bytes, message: bytes, proof: bytes) -> bool:
        return proof == sign_fake(key, b"possession" + message)

    def is_signed(self, key: bytes, message: bytes, signature: bytes) -> bool:
        return signature == sign_fake(key, message)

    def aggregate(self, signatures: Sequence[bytes]) -> bytes:
        total = reduce(lambda sum_, each: sum_ ^ int.from_bytes(each, "big"), signatures, 0)
        return total.to_bytes(SIGNATURE_BYTES, "big")

    def is_aggregate_signed(self, keys: Sequence[bytes], message: bytes, signature: bytes) -> bool:
        return bool(keys) and signature == self.aggregate([sign_fake(key, message) for key in keys])


def sign_fake(key: bytes, message: bytes) -> bytes:
    return (blake2b(message, key=key).digest() * 2)[:SIGNATURE_BYTES]
