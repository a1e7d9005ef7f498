"""Check that a seal and its witness prove a winning ticket (protocol, section 3)."""

from msgspec import Struct

from inos.primitives.errors import InosError, InvalidCertificate
from inos.primitives.matrices import DType, MatrixRef, Seal, Witness
from inos.primitives.units import HASH_BYTES, U256_MAX, Hash
from inos.work.backends.native.verify import is_ticket_natively, verify_natively
from inos.work.matrices import Operand, check_strip
from inos.work.noise import compute_seed_w, compute_seed_x
from inos.work.strips import InvalidMatrix, compute_grid, compute_strip
from inos.work.tickets import compute_ticket


class Win(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A winning ticket: the seal for the header, and the witness that proves it."""

    seal: Seal
    witness: Witness


def verify(seal: Seal, witness: Witness, anchor: bytes, target: int) -> None:
    """Check a seal against its witness. It costs two paths, 32 noise rows and 2^18 multiply-accumulates.

    Kernels check it if there are any; the reference checks once more what they find invalid.

    Args:
        anchor: 32 bytes.
        target: largest winning digest read big-endian, 0 .. 2^256 - 1.

    Raises:
        InvalidCertificate: "bad-x-shape" or "bad-w-shape", "bad-x-matrix-id", "depth-mismatch",
            "index-outside-matrix", "bad-x-path-length", "bad-x-path", "x-nonzero-padding",
            "x-entry-out-of-range" (and the same of w), "above-target", "digest-mismatch".
    """
    check_anchor(anchor, target)
    if not verify_natively(seal, witness, anchor, target):
        check_certificate(seal, witness, anchor, target)


def check_certificate(seal: Seal, witness: Witness, anchor: bytes, target: int) -> None:
    """Check in numpy, as the reference, and name what is wrong. Arguments and errors are those of `verify`."""
    if seal.x.cols != seal.w.cols:
        raise InvalidCertificate(
            "depth-mismatch", "X and W of a seal have the same number of columns", expected=seal.x.cols, got=seal.w.cols
        )
    if int.from_bytes(seal.digest, "big") > target:
        raise InvalidCertificate(
            "above-target",
            "the digest does not meet the target",
            expected=f"at most {target:064x}",
            got=seal.digest.hex(),
        )
    _check_side("x", seal.x, seal.i, seal.p, witness.x_strip, witness.x_path)
    _check_side("w", seal.w, seal.j, seal.p, witness.w_strip, witness.w_path)
    digest = compute_digest(seal, witness, anchor)
    if digest != seal.digest:
        raise InvalidCertificate(
            "digest-mismatch",
            f"ticket ({seal.i}, {seal.j}, {seal.p}) has another digest",
            expected=digest.hex(),
            got=seal.digest.hex(),
        )


def is_ticket(x: Operand, w: Operand, place: tuple[int, int, int], anchor: bytes, digest: bytes) -> bool:
    """Return True if ticket (i, j, p) of two operands in memory has this digest.

    No path is computed or checked, so it costs less than `verify`.

    Args:
        place: (i, j, p), inside of both operands.
    """
    if is_ticket_natively(x, w, place, anchor, digest):
        return True
    i, j, p = place
    seed_w = compute_seed_w(anchor, w.ref.id)
    strips = compute_strip(x.array, i * x.panels + p), compute_strip(w.array, j * w.panels + p)
    return compute_ticket(*strips, compute_seed_x(seed_w, x.ref.id), seed_w, place) == digest


def check_anchor(anchor: bytes, target: int) -> None:
    """Check that anchor and target have the right size.

    Raises:
        InosError: "bad-anchor", "bad-target": the caller made a mistake, so the certificate may be valid.
    """
    if not isinstance(anchor, bytes | bytearray) or len(anchor) != HASH_BYTES:
        raise InosError("bad-anchor", f"an anchor is {HASH_BYTES} bytes, not {anchor!r:.80}")
    if not isinstance(target, int) or not 0 <= target <= U256_MAX:
        raise InosError("bad-target", f"a target is a whole number, 0 .. 2^256 - 1, not {target!r:.80}")


def _check_side(side: str, ref: MatrixRef, strip: int, panel: int, data: bytes, path: tuple[bytes, ...]) -> None:
    strips, panels = compute_grid(DType.INT7, ref.rows, ref.cols)
    if not (0 <= strip < strips and 0 <= panel < panels):
        raise InvalidCertificate(
            "index-outside-matrix",
            f"strip ({strip}, {panel}) of {side} is outside its matrix",
            expected=f"below ({strips}, {panels})",
            got=f"({strip}, {panel})",
        )
    try:
        check_strip(ref, DType.INT7, strip * panels + panel, data, path)
    except InvalidMatrix as error:
        raise InvalidCertificate(_name_code(side, error.code), f"{side}: {error.message}") from error


def _name_code(side: str, code: str) -> str:
    return f"bad-{side}-{code[4:]}" if code.startswith("bad-") else f"{side}-{code}"


def compute_digest(seal: Seal, witness: Witness, anchor: bytes) -> Hash:
    """Return the digest of ticket (i, j, p), computed from the two strips, which are not checked here."""
    seed_w = compute_seed_w(anchor, seal.w.id)
    seed_x = compute_seed_x(seed_w, seal.x.id)
    return compute_ticket(witness.x_strip, witness.w_strip, seed_x, seed_w, (seal.i, seal.j, seal.p))
