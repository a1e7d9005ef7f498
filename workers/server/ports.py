"""The worker service needs these services of a node, each with the few members that it calls."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from inos.chain.template import Template
from inos.genesis import Network
from inos.primitives.blocks import Block, Header
from inos.primitives.clock import Clock
from inos.primitives.matrices import Witness
from inos.primitives.units import Address, BlockId


class TipView(Protocol):
    """The newest block of the connected chain."""

    @property
    def id(self) -> BlockId: ...

    @property
    def header(self) -> Header: ...


class LedgerPort(Protocol):
    """Reads the chain at its connected tip."""

    @property
    def tip(self) -> TipView: ...


class TemplatesPort(Protocol):
    """Makes blocks to be mined."""

    async def make(self, beneficiary: Address) -> Template:
        """Make a block on the tip, without seal and nonce."""


class OutcomeView(Protocol):
    """Says how the chain moved."""

    @property
    def connected(self) -> Sequence[BlockId]: ...


class BlocksPort(Protocol):
    """Adds blocks to the chain."""

    async def add(self, block: Block, witness: Witness) -> OutcomeView: ...


class EventsPort(Protocol):
    """Publishes the node's events."""

    def subscribe(self) -> AbstractAsyncContextManager[Any]:
        """Enter an async iterator over inos.core.events."""


class NodePort(Protocol):
    """A node, as the worker service sees it."""

    @property
    def network(self) -> Network: ...

    @property
    def genesis_id(self) -> BlockId: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def ledger(self) -> LedgerPort: ...

    @property
    def templates(self) -> TemplatesPort: ...

    @property
    def blocks(self) -> BlocksPort: ...

    @property
    def events(self) -> EventsPort: ...
