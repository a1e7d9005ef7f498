"""The state after a connected block some way below the tip: the tip's, with the blocks above undone in memory."""

from collections.abc import Callable, Iterator
from typing import Final, Protocol

from inos.chain import schema
from inos.chain.errors import ChainError
from inos.chain.schema import MAX_STORED_BYTES, Undo
from inos.chain.snapshot.ranges import read_range
from inos.chain.state_tree import NodeKey, TreeUpdate, make_tree_proof
from inos.consensus.records import StateKey
from inos.consensus.state import overlay, select_range
from inos.consensus.stateranges import Place, StateRange
from inos.consensus.statetree import StateProof
from inos.primitives.blocks import Header
from inos.primitives.codec import decode
from inos.primitives.units import BlockId, StateRoot

MAX_REWIND: Final = 512
"""Blocks undone at most."""
MAX_UNDONE: Final = 200_000
"""Records they changed, at most: they are held in memory, some 300 bytes each with their part of the tree."""


class Stored(Protocol):
    """The database at one moment."""

    def get(self, key: bytes) -> bytes | None: ...

    def iterate(self, prefix: bytes, *, start: bytes | None = None) -> Iterator[tuple[bytes, bytes]]: ...


class Iterate(Protocol):
    """Keys with a prefix and their values, in order."""

    def __call__(self, prefix: bytes, *, start: bytes | None = None) -> Iterator[tuple[bytes, bytes]]: ...


def iterate_state(iterate: Iterate, prefix: bytes, start: StateKey | None) -> Iterator[tuple[StateKey, bytes]]:
    """Stored state records: see inos.consensus.records.StateReader."""
    first = None if start is None else schema.state_key(start)
    for key, value in iterate(schema.STATE + prefix, start=first):
        yield StateKey(key[1:]), value


class TooMuchUndone(Exception):
    """The state lies too far back to be held in memory."""


class PastState:
    """The state after `block`. Holds the database's snapshot it was made from, so it stays as it is.

    Args:
        stored: the database at some tip.
        above: ids of the blocks from that tip down to the one above `block`.

    Raises:
        ChainError: "database-damaged": the undo records do not lead to the block's state.
        TooMuchUndone.
    """

    def __init__(
        self,
        stored: Stored,
        block: BlockId,
        header: Header,
        above: list[BlockId],
        explain: Callable[[object], ChainError],
    ) -> None:
        self.block = block
        self.header = header
        self._stored = stored
        self._records: dict[StateKey, bytes | None] = {}
        for each in above:
            data = stored.get(schema.undo_key(each))
            if data is None:
                raise explain(f"block {each.hex()} is connected but has no undo record")
            # The older a block, the later it is undone: its values are the ones that stay.
            self._records.update(
                (StateKey(key), value) for key, value in decode(Undo, data, limit=MAX_STORED_BYTES).records
            )
            if len(self._records) > MAX_UNDONE:
                raise TooMuchUndone(f"the blocks above {block.hex()} changed more than {MAX_UNDONE} records")
        tree = TreeUpdate(lambda key: stored.get(schema.node_key(key)), self._records)
        if tree.root != header.state_root:
            raise explain(f"the undo records do not lead back to the state of block {block.hex()}")
        self._nodes = tree.nodes

    @property
    def root(self) -> StateRoot:
        return StateRoot(self.header.state_root)

    def get(self, key: StateKey) -> bytes | None:
        """A state record; makes this a inos.consensus.records.StateReader."""
        return self._records[key] if key in self._records else self._stored.get(schema.state_key(key))

    def iterate(self, prefix: bytes, start: StateKey | None = None) -> Iterator[tuple[StateKey, bytes]]:
        """See inos.consensus.records.StateReader."""
        return overlay(
            select_range(self._records.items(), prefix, start), iterate_state(self._stored.iterate, prefix, start)
        )

    def prove(self, key: StateKey) -> tuple[bytes | None, StateProof]:
        """A record, or None, with its proof."""
        return self.get(key), make_tree_proof(self._read_node, self.get, key)

    def read_range(self, place: Place) -> StateRange | None:
        """What is under a node of the tree, with its proof; None where there is no such node."""
        return read_range(self._read_node, self.get, place)

    def _read_node(self, key: NodeKey) -> bytes | None:
        return self._nodes[key] if key in self._nodes else self._stored.get(schema.node_key(key))
