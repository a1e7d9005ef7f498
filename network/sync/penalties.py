"""Sync reports in this way a fault that it finds outside a peer's own session."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from inos.network.errors import Misbehaviour
from inos.network.peers.peer import Peer

Penalise: TypeAlias = Callable[[Peer, Misbehaviour], Awaitable[None]]
