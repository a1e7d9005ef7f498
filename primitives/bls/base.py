"""The interface of BLS backends, and what all of them refuse (draft-irtf-cfrg-bls-signature-05)."""

import hashlib
import hmac
from collections.abc import Sequence
from typing import Final, Protocol

from inos.primitives.errors import InosError

KEY_BYTES: Final = 48
"""A key is a compressed point of G1."""
SIGNATURE_BYTES: Final = 96
"""A signature is a compressed point of G2."""
SECRET_BYTES: Final = 32
CURVE_ORDER: Final = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
"""This is the order r of the groups; a secret is 1 ... r - 1, big-endian."""
SIGN_DST: Final = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_"
PROOF_DST: Final = b"BLS_POP_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_"
_MATERIAL_BYTES: Final = 48
"""This is L of KeyGen: ceil(1.5 * ceil(log2 r) / 8)."""


class BlsError(InosError):
    """The code is "bad-secret" (not 1 ... r - 1) or "bad-point" (bytes that are no point of the group, or infinity)."""


class Bls(Protocol):
    """Checks signatures, which is all that the rules need. Keys have 48 bytes, signatures 96, both compressed.

    A key or signature that is not the one encoding of a point of its prime-order group, or that is the point at
    infinity, is refused everywhere: `is_*` return False, `BlsBackend.aggregate` raises BlsError "bad-point".
    """

    def is_key_valid(self, key: bytes) -> bool: ...

    def is_possession_proven(self, key: bytes, message: bytes, proof: bytes) -> bool:
        """Return True if `proof` is the key's signature over `message` under the proofs' own domain."""
        ...

    def is_signed(self, key: bytes, message: bytes, signature: bytes) -> bool: ...

    def is_aggregate_signed(self, keys: Sequence[bytes], message: bytes, signature: bytes) -> bool:
        """Return True if all `keys`, each with a proven possession, signed this one message; False for no keys."""
        ...


class BlsBackend(Bls, Protocol):
    """Signs too. Secrets have 32 bytes, big-endian."""

    @property
    def name(self) -> str: ...

    def compute_public_key(self, secret: bytes) -> bytes: ...

    def sign(self, secret: bytes, message: bytes) -> bytes: ...

    def prove_possession(self, secret: bytes, message: bytes) -> bytes:
        """Sign what the proof binds the key to, under the proofs' own domain: no vote is ever a proof."""
        ...

    def aggregate(self, signatures: Sequence[bytes]) -> bytes:
        """Return the sum of at least one signature."""
        ...


def read_secret(secret: bytes) -> int:
    """Return a secret as a number.

    Raises:
        BlsError: "bad-secret".
    """
    number = int.from_bytes(secret, "big")
    if len(secret) != SECRET_BYTES or not 0 < number < CURVE_ORDER:
        raise BlsError(
            "bad-secret", "a BLS secret must be 32 bytes, big-endian, between 1 and the curve's order less 1"
        )
    return number


def make_bad_point(what: str) -> BlsError:
    return BlsError("bad-point", f"{what} is not the encoding of a point of its group")


def compute_secret(material: bytes) -> bytes:
    """Return a secret made from at least 32 secret bytes by KeyGen of the draft (section 2.3).

    Raises:
        BlsError: "bad-secret" if there are fewer.
    """
    if len(material) < SECRET_BYTES:
        raise BlsError("bad-secret", f"a BLS secret is made from at least {SECRET_BYTES} bytes, got {len(material)}")
    salt, number = b"BLS-SIG-KEYGEN-SALT-", 0
    while number == 0:
        salt = hashlib.sha256(salt).digest()
        extracted = hmac.digest(salt, material + b"\0", "sha256")
        expanded, block = b"", b""
        for counter in (1, 2):
            info = _MATERIAL_BYTES.to_bytes(2, "big") + bytes([counter])
            block = hmac.digest(extracted, block + info, "sha256")
            expanded += block
        number = int.from_bytes(expanded[:_MATERIAL_BYTES], "big") % CURVE_ORDER
    return number.to_bytes(SECRET_BYTES, "big")
