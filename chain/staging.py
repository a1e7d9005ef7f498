"""Changes on their way to the database: readers of the staging see them at once, and one batch writes them together.

A flush only happens between two steps of the connected chain, each of which leads from one block's state to another's.
So however many blocks one batch holds, a process that is killed at any moment leaves the state of exactly one block.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from inos.chain import schema
from inos.chain.database import Database
from inos.chain.errors import ChainError
from inos.chain.ranking import compute_holdings_changes
from inos.chain.tree_update import Nodes, UpdatedTree, open_tree
from inos.consensus.records import ACCOUNT_PREFIX, StateKey
from inos.consensus.state import overlay, select_range

FULL_BYTES: Final = 8 << 20
"""Staged changes of this size are written before more are added, which limits memory and the work that a kill loses."""

Recent = dict[bytes, bytes | None]
"""Records of the database; None for those that it lacks."""
RECENT_KEYS: Final = 65_536
"""The largest number of remembered keys, some 20 MB. Beyond it all are forgotten, as the next block soon reads again
what it needs.
"""
NODE_BYTES: Final = 150
"""A changed node of the tree takes about so much in a batch."""
TREE_BYTES: Final = 24 << 20
"""A tree that remembers more nodes is read anew."""
STATE_BYTE: Final = schema.STATE[0]
CACHED: Final = frozenset({schema.STATE, schema.NODE})
"""The prefixes whose records are remembered. Only this class writes them, so what it remembers is right."""


class Staging:
    """The changes staged by the writer's thread. Readers on other threads read the database itself."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._recent: Recent = {}
        """State records and tree nodes as they are in the database, if they were read or written lately."""
        self._written: Recent | None = {}
        """Those that were written since `take_written`; None if there are too many."""
        self._changes: dict[bytes, bytes | None] = {}
        self._kinds: dict[bytes, dict[bytes, bytes | None]] = {}
        """The state records among the changes by the kind of record, so that a run of keys is found quickly."""
        self._floors: dict[bytes, bytes] = {}
        """A key below which there is no record, by kind of state record: LevelDB steps over deleted keys one by one,
        and a queue deletes at its front.
        """
        self._empty: set[bytes] = set()
        """Kinds of state records of which there is none, as of most queues in most blocks."""
        self._bytes = 0
        self._tree = open_tree(self._read_node)
        """The state tree after the staged changes. It has the changed nodes until something else wants them."""

    @property
    def is_full(self) -> bool:
        return self._bytes + self._tree.count_changed() * NODE_BYTES >= FULL_BYTES

    def get(self, key: bytes) -> bytes | None:
        """Return the value under `key`, staged or stored, or None; `get_node` reads nodes of the state tree."""
        if key in self._changes:
            return self._changes[key]
        if key in self._recent:
            return self._recent[key]
        value = self._db.get(key)
        if key[:1] in CACHED:
            self._recent[key] = value
        return value

    def get_node(self, key: bytes) -> bytes | None:
        """Return the node of the state tree under `key`, or None."""
        self._stage_nodes()
        return self._read_node(key)

    def iterate_state(self, prefix: bytes, start: StateKey | None) -> Iterator[tuple[StateKey, bytes]]:
        """Yield state records, staged or stored: see StateReader.iterate."""
        whole, first = schema.STATE + prefix, None if start is None else schema.state_key(start)
        is_kind = first is None and len(whole) == schema.STATE_KIND_BYTES
        if is_kind and whole in self._empty:
            return
        first = self._floors.get(whole) if is_kind else first
        staged = self._kinds.get(whole[: schema.STATE_KIND_BYTES], {})
        changes = select_range(staged.items(), whole, first)
        for key, value in overlay(changes, self._db.iterate(whole, start=first)):
            if is_kind:
                self._floors[whole], is_kind = key, False
            yield StateKey(key[1:]), value
        if is_kind:
            self._empty.add(whole)

    def get_floors(self) -> dict[StateKey, StateKey]:
        """Return a copy of the keys below which there is no record, by kind of state record."""
        return {StateKey(kind[1:]): StateKey(floor[1:]) for kind, floor in self._floors.items()}

    def update_tree(self, changes: Mapping[StateKey, bytes | None]) -> UpdatedTree:
        """Return the root of the state tree after changes to records, without its nodes: see inos.chain.tree_update.

        Raises:
            ChainError: "database-damaged".
        """
        try:
            return UpdatedTree(self._tree.update(changes), {})
        except BaseException:
            self.forget_tree()
            raise

    def list_new_nodes(self) -> Nodes:
        """Return the nodes that the last update of the tree changes."""
        return self._tree.list_nodes()

    def commit_tree(self) -> None:
        """Stage the nodes of the last update of the tree."""
        self._tree.commit()

    def forget_tree(self) -> None:
        """Read the tree anew from now on, because nodes are written by other means than its updates."""
        self._stage_nodes()
        self._tree = open_tree(self._read_node)

    def _read_node(self, key: bytes) -> bytes | None:
        return self._changes[key] if key in self._changes else self._db.get(key)

    def _stage_nodes(self) -> None:
        if self._tree.count_changed():
            self.write(self._tree.take_nodes())

    def write(self, changes: Mapping[bytes, bytes | None], *, is_synced: bool = True) -> None:
        """Stage changes; None deletes a key. All of them are on disk after `flush`, and none before."""
        self._changes.update(changes)
        for key, value in changes.items():
            if key[0] == STATE_BYTE:
                kind = key[: schema.STATE_KIND_BYTES]
                self._kinds.setdefault(kind, {})[key] = value
                if value is not None:
                    self._empty.discard(kind)
                    if key < self._floors.get(kind, b""):
                        self._floors[kind] = key
        self._bytes += sum(map(len, changes)) + sum(map(len, filter(None, changes.values())))

    def flush(self) -> None:
        """Write everything in one batch; if the disk refuses, it stays staged for another try.

        Raises:
            ChainError: for the same reasons as Database.write.
        """
        self._stage_nodes()
        if self._changes:
            self._db.write(self._changes | self._compute_holdings())
            if len(self._recent) > RECENT_KEYS:
                self._recent.clear()
            written = {key: value for key, value in self._changes.items() if key[:1] in CACHED}
            self._recent.update(written)
            self._note_written(written)
            self._changes, self._kinds, self._bytes = {}, {}, 0
            if self._tree.size > TREE_BYTES:
                self.forget_tree()

    def _compute_holdings(self) -> Recent:
        """Return what the changed accounts change in their ranking, which nobody reads before all is written."""
        accounts = self._kinds.get(schema.STATE + ACCOUNT_PREFIX, {})
        return compute_holdings_changes(self._get_stored, {StateKey(key[1:]): value for key, value in accounts.items()})

    def _get_stored(self, key: bytes) -> bytes | None:
        return self._recent[key] if key in self._recent else self._db.get(key)

    def take_written(self) -> Recent | None:
        """Return the state records and tree nodes written since the last call; None if they are too many to keep."""
        written, self._written = self._written, {}
        return written

    def _note_written(self, written: Recent) -> None:
        if self._written is not None:
            self._written |= written
            if len(self._written) > RECENT_KEYS:
                self._written = None

    def forget(self) -> None:
        """Forget all remembered records, because they were written in the database by other means."""
        self._recent.clear()
        self._floors.clear()
        self._empty.clear()
        self._written = None
        self.forget_tree()

    def explain(self, error: object) -> ChainError:
        """Return the ChainError for an error: see Database.explain."""
        return self._db.explain(error)


class StagedState:
    """The state as it is now, also in the middle of a reorganisation; it is an inos.consensus.records.StateReader."""

    def __init__(self, staging: Staging) -> None:
        self._staging = staging
        self._get = staging.get

    def get(self, key: StateKey) -> bytes | None:
        return self._get(schema.STATE + key)

    def iterate(self, prefix: bytes, start: StateKey | None = None) -> Iterator[tuple[StateKey, bytes]]:
        return self._staging.iterate_state(prefix, start)
