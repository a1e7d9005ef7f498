"""`inos.Miner` multiplies the caller's own operands, draws tickets under a node's templates, and submits winning ones
as blocks.

with inos.Miner("http://127.0.0.1:8645") as miner:
    y = miner.matmul(x, w)
"""

import secrets
import threading
from collections import OrderedDict
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from inos.client.errors import ClientError
from inos.client.miner_link import MinerLink, Work
from inos.client.operands import check_shapes, to_operand
from inos.primitives.blocks import compute_anchor
from inos.work import Lottery, Operand
from inos.work.backends import AUTO

__all__ = ["Miner", "get_current"]

DEFAULT_URL: Final = "http://127.0.0.1:8645"
KEPT_BYTES: Final = 512 << 20
"""Bytes of W operands that are kept ready under the present anchor; the least recently used are dropped first."""
MAX_SEEN: Final = 1 << 16
"""The largest number of pairs of operands that are multiplied under one anchor."""

_running: "list[Miner]" = []


def get_current() -> "Miner | None":
    """Return the miner whose `with` block was entered last and not left yet, or None."""
    return _running[-1] if _running else None


class Miner:
    """Multiplies exactly what it is given, and mines with every product.

    Args:
        url: the RPC address of the node whose templates are mined.
        beneficiary: the address that is paid; by default the node's own.
        backend: a name of `inos work backends`.
        threads: None for one per processor.
        token: the node's bearer token, if it asks for one.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        beneficiary: str | None = None,
        backend: str = AUTO,
        threads: int | None = None,
        token: str | None = None,
    ) -> None:
        self._link = MinerLink(url, beneficiary, token)
        self._backend = backend
        self._threads = threads
        self._lock = threading.Lock()
        self._nonce = secrets.randbits(62)
        self._work: Work | None = None
        self._anchor = b""
        self._target = 0
        self._lotteries: OrderedDict[bytes, tuple[Lottery, int]] = OrderedDict()
        self._kept = 0
        self._seen: set[tuple[bytes, bytes]] = set()
        self.tickets = 0
        """Tickets drawn so far."""

    def __enter__(self) -> Self:
        """Connect, and wait for the first template.

        Raises:
            ClientError: no node answers. RemoteError: the node has no template to give.
        """
        self._link.start()
        _running.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Submit the wins that wait, and disconnect."""
        _running.remove(self)
        self._link.stop()

    @property
    def wins(self) -> int:
        """Winning tickets submitted so far."""
        return self._link.submitted

    @property
    def blocks(self) -> tuple[str, ...]:
        """Ids of the blocks won so far."""
        return tuple(self._link.blocks)

    @property
    def stale(self) -> int:
        """Wins that came too late, after another block."""
        return self._link.stale

    @property
    def last_error(self) -> str:
        """The last error between this miner and its node, or ""."""
        return self._link.last_error

    def commit(self, array: NDArray[Any]) -> Operand:
        """Check, copy and hash an operand once, for use in many products; the array may change afterwards.

        Raises:
            BadOperand: not integers in -64 .. 63.
        """
        return Operand.commit(to_operand(array, "the operand"))

    def matmul(self, x: NDArray[Any] | Operand, w: NDArray[Any] | Operand) -> NDArray[np.int32]:
        """Return X * W^T exactly, int32 m x n, as a linear layer does. Every 16 x 16 x 1024 piece draws a ticket.

        Args:
            x: m x k integers in -64 .. 63, or what `commit` made of them.
            w: n x k, likewise; commit it once if it is multiplied with many X.

        Raises:
            BadOperand: a matrix has a wrong shape, type or entry; nothing was multiplied.
            ClientError: "not-running", outside the `with` block.
        """
        if self not in _running:
            raise ClientError(
                "not-running", "the miner is not connected", hint="use it as: with inos.Miner(url) as miner"
            )
        left = x if isinstance(x, Operand) else Operand.commit(to_operand(x, "X"), copy=False)
        # W is copied: it stays with the lottery of its contents, and the caller may fill the array anew.
        right = w if isinstance(w, Operand) else Operand.commit(to_operand(w, "W"))
        check_shapes(left.array, right.array)
        work, nonce, lottery = self._draw(left, right)
        mined = lottery.mine_strips(left, 0, left.strips)
        with self._lock:
            self.tickets += mined.tickets
        for win in mined.wins:
            self._link.submit(work, nonce, win)
        assert mined.product is not None  # only a stopped product is None, and nothing stops this one
        return mined.product

    def _draw(self, x: Operand, w: Operand) -> tuple[Work, int, Lottery]:
        """Return the lottery for W under an anchor that these two operands were not multiplied under before."""
        with self._lock:
            work, pair = self._link.get_work(), (bytes(x.ref.id), bytes(w.ref.id))
            if work is not self._work or pair in self._seen or len(self._seen) >= MAX_SEEN:
                self._begin(work)
            self._seen.add(pair)
            if pair[1] not in self._lotteries:
                lottery = Lottery(w, self._anchor, self._target, backend=self._backend, threads=self._threads)
                self._lotteries[pair[1]] = lottery, w.array.nbytes
                self._kept += w.array.nbytes
                while self._kept > KEPT_BYTES and len(self._lotteries) > 1:
                    self._kept -= self._lotteries.popitem(last=False)[1][1]
            self._lotteries.move_to_end(pair[1])
            return work, self._nonce, self._lotteries[pair[1]][0]

    def _begin(self, work: Work) -> None:
        self._work = work
        self._nonce = (self._nonce + 1) % (1 << 64)
        self._anchor = compute_anchor(replace(work.header, nonce=self._nonce))
        self._target = work.target
        self._lotteries.clear()
        self._seen.clear()
        self._kept = 0
