"""Who multiplies: what the RPC and the display show of workers."""

from msgspec import Struct

from inos.primitives.units import Address, Tickets
from inos.workers.messages import WorkerKind


class WorkerStatus(Struct, frozen=True, kw_only=True):
    """One connected worker."""

    connection: int
    name: str
    kind: WorkerKind
    backend: str
    threads: int
    address: Address | None
    """Its shares are paid to this address; None for the node's own fleet."""
    host: str
    is_local: bool
    """It maps this node's files."""
    seconds: float
    """It has been connected for so long."""
    tickets_per_second: float
    """Over the last minute: as it says for the own fleet, by its shares for a stranger."""
    tickets: Tickets
    shares: int
    pieces: int
    """Pieces whose rows were checked and used."""
    late: int
    """Pieces that another taker finished first, or that it gave back."""
    has_piece: bool


class WorkersStatus(Struct, frozen=True, kw_only=True):
    """All workers, and what went wrong since the node started."""

    workers: tuple[WorkerStatus, ...]
    blocks_won: int
    blocks_stale: int
    errors: dict[str, int]
    """Connections ended, by the code of the offence."""
