"""What all sessions of one node share."""

from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, Final

import numpy as np

from inos.core.bounded import TokenBucket
from inos.primitives.units import Address
from inos.workers.limits import MAX_ROWS_ROOM, SHARED_SHARES_PER_S
from inos.workers.messages import Local
from inos.workers.ports import PoolPort
from inos.workers.server.fillers import Fillers
from inos.workers.server.pieces import OfferedProduct, RowChecks
from inos.workers.server.ports import NodePort
from inos.workers.server.row_memory import RowMemory
from inos.workers.server.templates import Templates


class Shared:
    """The services and counters of all sessions. It belongs to the event loop.

    Args:
        beneficiary: all blocks pay this address.
        pool: counts the shares of strangers; without one they are refused.
    """

    def __init__(
        self, node: NodePort, beneficiary: Address, pool: PoolPort | None, random: np.random.Generator
    ) -> None:
        self.node: Final = node
        self.beneficiary: Final = beneficiary
        self.pool: Final = pool
        self.templates: Final = Templates(node, beneficiary)
        self.fillers: Final = Fillers(random)
        self.stranger_shares: Final = TokenBucket(SHARED_SHARES_PER_S, SHARED_SHARES_PER_S, node.clock.monotonic())
        self.errors: Final[Counter[str]] = Counter()
        self.product: OfferedProduct | None = None
        self.row_memory: Final = RowMemory()
        self.row_checks: Final = RowChecks()
        self.has_fillers = True
        """False while workers are to be idle without a product."""
        self.rows_room = MAX_ROWS_ROOM
        """Rows that pieces to come may take; each piece in progress lowers it."""
        self.socket_path: str | None = None
        """The Unix socket of workers on this machine."""
        self.total_speed = 0.0
        """Tickets of pieces per second that all workers make."""
        self.fleet_speed = self.local_speed = 0.0
        """Those of the own fleet, and of its workers that map this node's files."""
        self.submit: Callable[[Coroutine[Any, Any, None]], object] = _close
        """Runs the submission of a block in the background; it is set while the service runs."""

    def note_speed(self, change: float, *, is_local: bool) -> None:
        """Take a worker of the fleet for this much faster. All are summed up again every second."""
        self.total_speed += change
        self.fleet_speed += change
        self.local_speed += change if is_local else 0.0

    def make_local(self, key: bytes) -> Local | None:
        """Return what a worker of the fleet is told about the Unix socket."""
        return None if self.socket_path is None else Local(self.socket_path, key)


def _close(work: Coroutine[Any, Any, None]) -> None:
    work.close()
