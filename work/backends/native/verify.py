"""Checks one certificate, or one ticket of operands in memory, by the kernels, in one call."""

from typing import Any

import numpy as np

from inos.primitives.matrices import MAX_DEPTH, MAX_ROWS, PANEL_BYTES, STRIP_BYTES, STRIP_ROWS, MatrixRef, Seal, Witness
from inos.primitives.units import HASH_BYTES, U32_MAX
from inos.work.backends.native.library import Kernel, find_best, load
from inos.work.backends.native.memory import cast
from inos.work.matrices import Operand
from inos.work.strips import pack_strips


def verify_natively(seal: Seal, witness: Witness, anchor: bytes, target: int, kernel: Kernel | None = None) -> bool:
    """Return True if the kernels find the certificate valid; False if not, if there are none, or if they cannot read
    it.

    Args:
        anchor, target: these were checked by the caller.
        kernel: None selects the best one.
    """
    loaded, kernel = load(), kernel or find_best()
    if loaded is None or kernel is None:
        return False
    ffi, lib = loaded
    proof = ffi.new("inos_proof *")
    alive: list[Any] = []

    def point(data: bytes, length: int, kind: str = "uint8_t[]") -> Any:
        if len(data) != length:
            raise ValueError
        alive.append(ffi.from_buffer(kind, data))
        return alive[-1]

    def fill(side: Any, ref: MatrixRef, strip: int, data: bytes, path: tuple[bytes, ...]) -> None:
        if not (1 <= ref.rows <= MAX_ROWS and 1 <= ref.cols <= MAX_DEPTH and 0 <= strip <= U32_MAX):
            raise ValueError
        side.rows, side.cols, side.strip, side.path_length = ref.rows, ref.cols, strip, len(path)
        side.id, side.root = point(ref.id, HASH_BYTES), point(ref.root, HASH_BYTES)
        side.data = point(data, STRIP_BYTES, "int8_t[]")
        if any(len(node) != HASH_BYTES for node in path):
            raise ValueError
        side.path = point(b"".join(path), HASH_BYTES * len(path))

    if not 0 <= seal.p <= U32_MAX:
        return False
    try:
        fill(proof.x, seal.x, seal.i, witness.x_strip, witness.x_path)
        fill(proof.w, seal.w, seal.j, witness.w_strip, witness.w_path)
        proof.panel = seal.p
        proof.anchor, proof.digest = point(anchor, HASH_BYTES), point(seal.digest, HASH_BYTES)
    except (TypeError, ValueError):  # no decoder made this seal; the reference reports what is wrong
        return False
    proof.target = point(target.to_bytes(HASH_BYTES, "big"), HASH_BYTES)
    return bool(lib.inos_run_verify(kernel.number, proof))


def is_ticket_natively(
    x: Operand, w: Operand, place: tuple[int, int, int], anchor: bytes, digest: bytes, kernel: Kernel | None = None
) -> bool:
    """Return True if the kernels draw this ticket (i, j, p); False if not, or if there are none that can.

    Args:
        x, w: as they are in memory. They are not compared with their ids.
        anchor, digest: 32 bytes each.
        kernel: None selects the best one.
    """
    loaded, kernel = load(), kernel or find_best()
    if loaded is None or kernel is None:
        return False
    ffi, lib = loaded
    proof, (i, j, p) = ffi.new("inos_proof *"), place
    if not hasattr(proof.x, "is_own"):  # The kernels were compiled before they could do without a path.
        return False
    alive = list[Any]()
    for side, operand, strip in ((proof.x, x, i), (proof.w, w, j)):
        data = _get_strip(operand, strip, p)
        alive += [data, ffi.from_buffer("uint8_t[]", operand.ref.id)]
        side.rows, side.cols, side.strip, side.is_own = operand.ref.rows, operand.ref.cols, strip, True
        side.data, side.id = cast(ffi, "int8_t *", data), alive[-1]
    alive += [ffi.from_buffer("uint8_t[]", each) for each in (anchor, digest)]
    proof.panel, proof.anchor, proof.target, proof.digest = p, alive[-2], alive[-1], alive[-1]
    return bool(lib.inos_run_verify(kernel.number, proof))


def _get_strip(operand: Operand, strip: int, panel: int) -> np.ndarray[Any, Any]:
    """Return one strip, 16 x 1024, zero beyond the matrix."""
    top, left = strip * STRIP_ROWS, panel * PANEL_BYTES
    part = operand.array[top : top + STRIP_ROWS, left : left + PANEL_BYTES]
    if part.shape == (STRIP_ROWS, PANEL_BYTES):
        return np.ascontiguousarray(part)
    return pack_strips(operand.array, strip, strip + 1, panel, panel + 1)
