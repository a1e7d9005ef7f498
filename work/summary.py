"""A summary of all tickets of a product, by which implementations are compared."""

import threading

from msgspec import Struct

from inos.primitives.units import HASH_BYTES, U256_MAX
from inos.work.backends import AUTO
from inos.work.engine import Lottery
from inos.work.matrices import Operand, matrix_id
from inos.work.noise import compute_seed_x


class TicketSummary(Struct, frozen=True):
    """The fields of the certificate's test vectors."""

    x_id: bytes
    w_id: bytes
    y_id: bytes
    seed_x: bytes
    seed_w: bytes
    tickets: int
    best: tuple[int, int, int]
    """The (i, j, p) of the smallest digest."""
    best_digest: bytes
    digest_xor: bytes
    """The XOR over the digests of all tickets."""


class _Tally:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.best: tuple[bytes, tuple[int, int, int]] | None = None
        self.xor = 0

    def add(self, i: int, j: int, p: int, digest: bytes) -> None:
        with self._lock:
            self.xor ^= int.from_bytes(digest, "big")
            entry = (digest, (i, j, p))
            if self.best is None or entry < self.best:
                self.best = entry


def compute_summary(
    x: Operand, w: Operand, anchor: bytes, *, backend: str = AUTO, threads: int | None = None
) -> TicketSummary:
    """Multiply X by W transposed under `anchor` and sum up every ticket.

    Raises:
        InvalidMatrix, InvalidBackend: for the same reasons as `mine`.
    """
    lottery, tally = Lottery(w, anchor, U256_MAX, backend=backend, threads=threads), _Tally()
    drawn = lottery.draw(x, 0, x.strips, tally.add)
    if drawn.product is None or tally.best is None:
        raise RuntimeError("a backend returned no product although nothing stopped it")
    digest, place = tally.best
    return TicketSummary(
        x_id=x.ref.id,
        w_id=w.ref.id,
        y_id=matrix_id(drawn.product),
        seed_x=compute_seed_x(lottery.seed_w, x.ref.id),
        seed_w=lottery.seed_w,
        tickets=drawn.tickets,
        best=place,
        best_digest=digest,
        digest_xor=tally.xor.to_bytes(HASH_BYTES, "big"),
    )
