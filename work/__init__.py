"""Matrices and the proof that they were multiplied.

Pipeline: int8 array -> `Operand.commit` (checked, cut into strips, hashed) -> `mine` (noise drawn
from the anchor, exact product, one ticket per 16 x 16 x 1024 piece) -> `Win` (seal and witness)
-> `verify`. Results are checked with `freivalds`; int16 goes through `multiply_limbs`.

Works on arrays, hashes and targets. It does not know what a block is, who may mine, or where
matrices are kept. The kernels are in `work.backends`.
"""

from primitives.errors import InvalidCertificate
from work.backends import BackendInfo, InvalidBackend, list_backends
from work.certificate import Win, verify
from work.engine import Lottery, Mined, mine, mine_strips
from work.freivalds import compute_freivalds_seed, freivalds
from work.limbs import multiply_int7, multiply_limbs, split_int16
from work.matrices import Operand, assemble, check_ref, check_strip, matrix_id, matrix_ref
from work.noise import compute_seed_w, compute_seed_x
from work.stopping import Stopped
from work.strips import InvalidMatrix, StripTree, compute_leaves, compute_matrix_path, compute_strip
from work.summary import TicketSummary, compute_summary

__all__ = [
    "BackendInfo",
    "InvalidBackend",
    "InvalidCertificate",
    "InvalidMatrix",
    "Lottery",
    "Mined",
    "Operand",
    "Stopped",
    "StripTree",
    "TicketSummary",
    "Win",
    "assemble",
    "check_ref",
    "check_strip",
    "compute_freivalds_seed",
    "compute_leaves",
    "compute_matrix_path",
    "compute_seed_w",
    "compute_seed_x",
    "compute_strip",
    "compute_summary",
    "freivalds",
    "list_backends",
    "matrix_id",
    "matrix_ref",
    "mine",
    "mine_strips",
    "multiply_int7",
    "multiply_limbs",
    "split_int16",
    "verify",
]
