"""Matrices and the proof that they were multiplied.

Pipeline: int8 array -> `Operand.commit` (checked, cut into strips, hashed) -> `mine` (noise drawn
from the anchor, exact product, one ticket per 16 x 16 x 1024 piece) -> `Win` (seal and witness)
-> `verify`. Results are checked with `freivalds`; int16 goes through `multiply_limbs`.

The package works on arrays, hashes and targets. It does not know what a block is, who may mine, or where
matrices are kept. The kernels are in `inos.work.backends`.
"""

from inos.primitives.errors import InvalidCertificate
from inos.work.backends import BackendInfo, InvalidBackend, list_backends
from inos.work.backends.native.running import MiningPriority, set_mining_priority
from inos.work.certificate import Win, is_ticket, verify
from inos.work.engine import Lottery, Mined, mine, mine_strips
from inos.work.files import compute_file_id, compute_file_ref
from inos.work.freivalds import compute_freivalds_seed, freivalds
from inos.work.limbs import multiply_int7, multiply_limbs, split_int16
from inos.work.matrices import Operand, assemble, check_ref, check_strip, matrix_id, matrix_ref
from inos.work.noise import compute_seed_w, compute_seed_x
from inos.work.stopping import Stopped, StopSignal
from inos.work.strips import InvalidMatrix, StripTree, compute_leaves, compute_matrix_path, compute_strip
from inos.work.summary import TicketSummary, compute_summary

__all__ = [
    "BackendInfo",
    "InvalidBackend",
    "InvalidCertificate",
    "InvalidMatrix",
    "Lottery",
    "Mined",
    "MiningPriority",
    "Operand",
    "StopSignal",
    "Stopped",
    "StripTree",
    "TicketSummary",
    "Win",
    "assemble",
    "check_ref",
    "check_strip",
    "compute_file_id",
    "compute_file_ref",
    "compute_freivalds_seed",
    "compute_leaves",
    "compute_matrix_path",
    "compute_seed_w",
    "compute_seed_x",
    "compute_strip",
    "compute_summary",
    "freivalds",
    "is_ticket",
    "list_backends",
    "matrix_id",
    "matrix_ref",
    "mine",
    "mine_strips",
    "multiply_int7",
    "multiply_limbs",
    "set_mining_priority",
    "split_int16",
    "verify",
]
