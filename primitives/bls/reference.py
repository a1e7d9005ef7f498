"""The reference backend: py_ecc in plain Python. A pairing takes half a second; a node works with it, slowly."""

from collections.abc import Sequence

from eth_typing import BLSPubkey, BLSSignature
from py_ecc.bls.ciphersuites import G2ProofOfPossession
from py_ecc.bls.g2_primitives import G2_to_signature, signature_to_G2, subgroup_check
from py_ecc.optimized_bls12_381.optimized_curve import Z2, add, is_inf

from inos.primitives.bls.base import PROOF_DST, SIGNATURE_BYTES, make_bad_point, read_secret


class ReferenceBls:
    """base.Bls over py_ecc."""

    name = "py_ecc"

    def compute_public_key(self, secret: bytes) -> bytes:
        return bytes(G2ProofOfPossession.SkToPk(read_secret(secret)))

    def sign(self, secret: bytes, message: bytes) -> bytes:
        return bytes(G2ProofOfPossession.Sign(read_secret(secret), message))

    def prove_possession(self, secret: bytes, message: bytes) -> bytes:
        return bytes(G2ProofOfPossession._CoreSign(read_secret(secret), message, PROOF_DST))

    def is_key_valid(self, key: bytes) -> bool:
        return bool(G2ProofOfPossession._is_valid_pubkey(key))

    def is_possession_proven(self, key: bytes, message: bytes, proof: bytes) -> bool:
        return _is_signature(proof) and bool(
            G2ProofOfPossession._CoreVerify(BLSPubkey(key), message, BLSSignature(proof), PROOF_DST)
        )

    def is_signed(self, key: bytes, message: bytes, signature: bytes) -> bool:
        return _is_signature(signature) and bool(
            G2ProofOfPossession.Verify(BLSPubkey(key), message, BLSSignature(signature))
        )

    def aggregate(self, signatures: Sequence[bytes]) -> bytes:
        if not signatures:
            raise make_bad_point("an aggregate of no signatures")
        total = Z2
        for index, signature in enumerate(signatures):
            if not _is_signature(signature):
                raise make_bad_point(f"signature {index}")
            total = add(total, signature_to_G2(BLSSignature(signature)))
        return bytes(G2_to_signature(total))

    def is_aggregate_signed(self, keys: Sequence[bytes], message: bytes, signature: bytes) -> bool:
        if not keys or not _is_signature(signature):
            return False
        return bool(
            G2ProofOfPossession.FastAggregateVerify([BLSPubkey(key) for key in keys], message, BLSSignature(signature))
        )


def _is_signature(data: bytes) -> bool:
    """Return True if these are 96 bytes of a point of G2 other than infinity, in its one encoding."""
    if len(data) != SIGNATURE_BYTES:
        return False
    try:
        point = signature_to_G2(BLSSignature(data))
    except ValueError:
        return False
    return not is_inf(point) and subgroup_check(point) and bytes(G2_to_signature(point)) == data
