"""Checks what a worker says it drew: nothing is counted that this node did not compute itself."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from inos.primitives.matrices import Seal, Witness
from inos.work import Operand, Win, compute_strip, is_ticket
from inos.workers.errors import Offence
from inos.workers.messages import Share
from inos.workers.server.templates import IssuedTemplate

PREFIX_BITS: Final = 32


class Drawing(Struct, frozen=True, eq=False):
    """What tickets may be drawn of in one assignment: strips [first, last) of X by all of W."""

    x: Operand
    w: Operand
    first: int
    last: int
    share_target: int
    """The worker tells tickets whose digest is at most this; which of them count, the template's target says."""
    is_piece: bool = False
    """They are of a piece whose rows are wanted or counted, and not of a filler."""


def check_places(shares: Sequence[Share], drawing: Drawing, prefix: int, win_target: int) -> None:
    """Check what is cheap to check.

    Raises:
        Offence: "foreign-prefix", "share-outside", "share-above-target".
    """
    target, strips, panels = max(drawing.share_target, win_target), drawing.w.strips, drawing.x.panels
    for share in shares:
        if share.nonce >> PREFIX_BITS != prefix:
            raise Offence(
                "foreign-prefix", f"nonce {share.nonce} does not begin with this connection's prefix {prefix}"
            )
        if not (drawing.first <= share.i < drawing.last and share.j < strips and share.p < panels):
            raise Offence(
                "share-outside",
                f"ticket ({share.i}, {share.j}, {share.p}) is outside of strips {drawing.first} to {drawing.last - 1}"
                f" by {strips}, of {panels} panels",
            )
        if int.from_bytes(share.digest, "big") > target:
            raise Offence("share-above-target", f"digest {share.digest.hex()} is above the targets")


def check_digests(shares: Sequence[Share], drawing: Drawing, issued: IssuedTemplate) -> None:
    """Compute all shares again from this node's operands. It may run in any thread.

    Raises:
        Offence: "wrong-digest".
    """
    for share in shares:
        place = share.i, share.j, share.p
        if not is_ticket(drawing.x, drawing.w, place, issued.compute_anchor(share.nonce), share.digest):
            raise Offence("wrong-digest", f"ticket {place} of nonce {share.nonce} has another digest")


def open_win(share: Share, drawing: Drawing) -> Win:
    """Return the proof of a share. It may wait for the disk."""
    seal = Seal(drawing.x.ref, drawing.w.ref, share.i, share.j, share.p, share.digest)
    x_strip, x_path = _open(drawing.x, share.i, share.p)
    w_strip, w_path = _open(drawing.w, share.j, share.p)
    return Win(seal, Witness(x_strip, x_path, w_strip, w_path))


def _open(operand: Operand, strip: int, panel: int) -> tuple[bytes, tuple[bytes, ...]]:
    index = strip * operand.panels + panel
    return compute_strip(operand.array, index), operand.tree.compute_path(index)
