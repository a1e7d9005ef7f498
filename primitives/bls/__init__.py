"""BLS signatures on BLS12-381: `BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_`, keys in G1, proofs of possession.

`base.Bls` checks signatures, which is all that the rules see; `base.BlsBackend` signs too. Two backends give the same
bytes and the same refusals: `reference` (py_ecc, half a second a pairing) and `native` (arkworks, a
millisecond). `get_bls` returns the faster one that is installed; only composition roots call it and pass it on.
The package does not know votes and committees: those are in `inos.consensus.finality`.

Pipeline: seed -> `compute_secret` -> public key and proof of possession; message -> sign -> aggregate -> verify.
"""

from inos.primitives.bls.base import KEY_BYTES, SECRET_BYTES, SIGNATURE_BYTES, Bls, BlsBackend, BlsError, compute_secret
from inos.primitives.bls.choice import get_bls, get_native, get_reference

__all__ = [
    "KEY_BYTES",
    "SECRET_BYTES",
    "SIGNATURE_BYTES",
    "Bls",
    "BlsBackend",
    "BlsError",
    "compute_secret",
    "get_bls",
    "get_native",
    "get_reference",
]
