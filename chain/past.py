"""The state after a connected block some way below the tip, made from the tip's state by undoing blocks in memory."""

from collections.abc import Callable, Iterator
from typing import Final, Protocol

from inos.chain import schema
from inos.chain.errors import ChainError
from inos.chain.schema import MAX_STORED_BYTES, Undo
from inos.chain.snapshot.ranges import read_range
from inos.chain.state_tree import NodeKey, make_tree_proof
from inos.chain.tree_update import update_tree
from inos.consensus.records import StateKey
from inos.consensus.state import overlay, select_range
from inos.consensus.stateranges import Place, StateRange
from inos.consensus.statetree import StateProof
from inos.primitives.blocks import Header
from inos.primitives.codec import decode
from inos.primitives.units import BlockId, StateRoot

MAX_REWIND: Final = 512
"""The largest number of blocks to undo."""
MAX_UNDONE: Final = 200_000
"""The largest number of records that they changed. These are held in memory: some 300 bytes each, with their part of
the tree.
"""


class Stored(Protocol):
    """The database at one moment."""

    def get(self, key: bytes) -> bytes | None: ...

    def iterate(self, prefix: bytes, *, start: bytes | None = None) -> Iterator[tuple[bytes, bytes]]: ...


class Iterate(Protocol):
    """Yields the keys with a prefix and their values in order."""

    def __call__(self, prefix: bytes, *, start: bytes | None = None) -> Iterator[tuple[bytes, bytes]]: ...


def iterate_state(iterate: Iterate, prefix: bytes, start: StateKey | None) -> Iterator[tuple[StateKey, bytes]]:
    """Yield stored state records: see inos.consensus.records.StateReader."""
    first = None if start is None else schema.state_key(start)
    for key, value in iterate(schema.STATE + prefix, start=first):
        yield StateKey(key[1:]), value


class TooMuchUndone(Exception):
    """The state lies too far back to be held in memory."""


class PastState:
    """The state after `block`. It holds the database's snapshot that it was made from, so it never changes.

    Args:
        stored: the database at some tip.
        above: ids of the blocks from that tip down to the one above `block`.

    Raises:
        ChainError: "database-damaged": the undo records do not lead to the block's state.
        TooMuchUndone: the blocks above changed more than MAX_UNDONE records.
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
            data = schema.read_by_id(stored.get, schema.UNDO, each)
            if data is None:
                raise explain(f"block {each.hex()} is connected but has no undo record")
            # Older blocks are undone later, so their values replace those of newer blocks.
            self._records.update(
                (StateKey(key), value) for key, value in decode(Undo, data, limit=MAX_STORED_BYTES).records
            )
            if len(self._records) > MAX_UNDONE:
                raise TooMuchUndone(f"the blocks above {block.hex()} changed more than {MAX_UNDONE} records")
        tree = update_tree(stored.get, self._records)
        if tree.root != header.state_root:
            raise explain(f"the undo records do not lead back to the state of block {block.hex()}")
        self._nodes = tree.nodes

    @property
    def root(self) -> StateRoot:
        return StateRoot(self.header.state_root)

    def get(self, key: StateKey) -> bytes | None:
        """Return a state record, as inos.consensus.records.StateReader requires."""
        return self._records[key] if key in self._records else self._stored.get(schema.state_key(key))

    def iterate(self, prefix: bytes, start: StateKey | None = None) -> Iterator[tuple[StateKey, bytes]]:
        """Yield state records, as inos.consensus.records.StateReader requires."""
        return overlay(
            select_range(self._records.items(), prefix, start), iterate_state(self._stored.iterate, prefix, start)
        )

    def prove(self, key: StateKey) -> tuple[bytes | None, StateProof]:
        """Return a record, or None, with its proof."""
        return self.get(key), make_tree_proof(self._read_node, self.get, key)

    def read_range(self, place: Place) -> StateRange | None:
        """Return what is below a node of the tree, with its proof, or None if there is no such node."""
        return read_range(self._read_node, self.get, place)

    def _read_node(self, key: NodeKey) -> bytes | None:
        stored = schema.node_key(key)
        return self._nodes[stored] if stored in self._nodes else self._stored.get(stored)
