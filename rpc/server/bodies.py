"""All request bodies in memory share a budget of bytes, one for callers without the token and one for its holder."""

from types import TracebackType
from typing import Final

from inos.rpc import errors
from inos.rpc.errors import RpcError

BODIES: Final = 2
"""The bodies of each kind of caller take at most this many times the largest body."""
FREE_BYTES: Final = 64 << 10
"""So much of each body is not counted, so that small calls always pass; the connections bound their number."""


class BodyBudget:
    """Counts the bytes of bodies from their arrival until their call is answered.

    Args:
        limit: the largest body in bytes.
    """

    def __init__(self, limit: int) -> None:
        self._limit = BODIES * limit
        self.used = {False: 0, True: 0}
        """These bytes are held for callers without the token, and for its holder."""

    def open(self, *, is_owner: bool) -> "BodyLease":
        """Return a lease for one body, which gives its bytes back when the `with` block ends."""
        return BodyLease(self, is_owner)

    def take(self, size: int, *, is_owner: bool) -> None:
        """Count bytes that have arrived.

        Raises:
            RpcError: "busy": the bodies of others take the room.
        """
        if self.used[is_owner] + size > self._limit:
            raise RpcError(
                errors.BUSY,
                "busy",
                f"request bodies of {self.used[is_owner]} bytes are in memory already, of {self._limit} that may be",
                hint="try again in a moment, or send the node's token",
            )
        self.used[is_owner] += size


class BodyLease:
    """Counts one request's body in the budget, and gives its bytes back at the end."""

    def __init__(self, budget: BodyBudget, is_owner: bool) -> None:
        self._budget = budget
        self._is_owner = is_owner
        self._size = 0
        self._taken = 0

    def __enter__(self) -> "BodyLease":
        return self

    def add(self, size: int) -> None:
        """Count more bytes of this body. It raises the errors of `BodyBudget.take`."""
        self._size += size
        more = max(0, self._size - FREE_BYTES) - self._taken
        if more > 0:
            self._budget.take(more, is_owner=self._is_owner)
            self._taken += more

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._budget.used[self._is_owner] -= self._taken
        self._taken = 0
