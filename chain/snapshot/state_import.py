"""A state that is imported from peers, range by range, instead of by executing every block.

It is written in place of genesis's state. Until it is complete, META_IMPORT says so, and no reader uses the state.
After a restart, the parts that are present are found again, also for another block's root: a node of the tree with the
right hash is right, no matter which peer sent it and when.
"""

from collections.abc import Collection, Iterator
from typing import Final

from inos.chain import schema
from inos.chain.connection import compute_new_root
from inos.chain.database import Database
from inos.chain.jobindex import compute_index_changes
from inos.chain.ranking import Ranking, compute_holdings_changes
from inos.chain.snapshot.ranges import build_range, compute_place_key
from inos.chain.state_tree import Inner, Leaf, decode_node, encode_node, hash_of
from inos.consensus.codes import Code
from inos.consensus.records import StateKey
from inos.consensus.stateranges import ROOT, Halves, Place, StateRange, check_fold, compute_halves
from inos.primitives.errors import NotYet, RuleViolation
from inos.primitives.units import ZERO_HASH, BlockId, Hash, StateRoot

Batch = dict[bytes, bytes | None]
CLEARED_AT_ONCE: Final = 10_000
"""The number of keys that one batch removes."""


class StateImport:
    """The state under `root`, which is the one after `block`. It belongs to the writer's thread, except
    `list_missing`.
    """

    def __init__(self, database: Database, block: BlockId, root: StateRoot) -> None:
        self._db = database
        self.block = block
        self.root = root
        self._missing: dict[Place, Hash] = {}
        self.added = 0
        """The number of ranges that were stored since this object was made."""
        self._search(ROOT, Hash(root))

    @property
    def is_complete(self) -> bool:
        return not self._missing

    def count_missing(self) -> int:
        """Return the number of known places to request; each may turn out to be many."""
        return len(self._missing)

    def list_missing(self, limit: int, without: Collection[Place] = ()) -> list[Place]:
        """Return at most `limit` places to request, except those in `without`."""
        found: list[Place] = []
        for place in tuple(self._missing):
            if len(found) >= limit:
                break
            if place not in without:
                found.append(place)
        return found

    def add(self, place: Place, found: StateRange) -> bool:
        """Store a range from a peer; return False if it is not missing, or no longer missing.

        Raises:
            RuleViolation: "bad-range-proof", "range-out-of-place" or "empty-range" if the state has no such range.
        """
        expected = self._missing.get(place)
        if expected is None:
            return False
        batch: Batch = {}
        if isinstance(found.content, Halves):
            node = compute_halves(found.content)
            self._check(place, node, expected, found)
            if not isinstance(self._read(place), Inner):
                batch |= self._erase(place)
            batch |= {
                schema.node_key(compute_place_key(place)): encode_node(
                    Inner(Hash(found.content.left), Hash(found.content.right))
                ),
                schema.range_key(compute_place_key(place)): None,
            }
        else:
            node, nodes = build_range(place, found.content)
            self._check(place, node, expected, found)
            records = {StateKey(key): value for key, value in found.content.records}
            batch |= self._erase(place)
            batch |= {schema.node_key(key): value for key, value in nodes.items()}
            batch |= {schema.state_key(key): value for key, value in records.items()}
            batch |= compute_index_changes(lambda key: None, records)
            batch |= compute_holdings_changes(lambda key: None, records)
            batch[schema.range_key(compute_place_key(place))] = node
        self._db.write(batch, is_synced=False)
        self.added += 1
        del self._missing[place]
        if isinstance(found.content, Halves):
            self._search(place.get_half(0), Hash(found.content.left))
            self._search(place.get_half(1), Hash(found.content.right))
        return True

    def make_last_batch(self) -> Batch:
        """Return the batch that ends the import.

        Raises:
            NotYet: "state-incomplete" while places are missing.
            ChainError: "database-damaged" if the state does not match its root.
        """
        if self._missing:
            raise NotYet("state-incomplete", f"the state is not complete: {len(self._missing)} places are missing")
        if compute_new_root(self._db.get, {}) != self.root:
            raise self._db.explain("the imported state does not match its root")
        batch: Batch = dict.fromkeys(self._db.iterate_keys(schema.RANGE))
        batch[schema.META_IMPORT] = None
        return batch

    def _check(self, place: Place, node: Hash, expected: Hash, found: StateRange) -> None:
        check_fold(self.root, place, node, found.siblings)
        if node != expected:
            raise RuleViolation(Code.BAD_RANGE_PROOF, "a range of the state", expected=expected.hex(), got=node.hex())

    def _search(self, place: Place, expected: Hash) -> None:
        """Find the missing places from a place down, as far as they are known."""
        waiting = [(place, expected)]
        while waiting:
            place, expected = waiting.pop()
            if expected == ZERO_HASH:
                if erased := self._erase(place):
                    self._db.write(erased, is_synced=False)
                continue
            if self._db.get(schema.range_key(compute_place_key(place))) == expected:
                continue
            node = self._read(place)
            if node is None or hash_of(node) != expected:
                self._missing[place] = expected
            elif isinstance(node, Inner):
                waiting += [(place.get_half(0), node.left), (place.get_half(1), node.right)]

    def _read(self, place: Place) -> Inner | Leaf | None:
        return decode_node(self._db.get(schema.node_key(compute_place_key(place))))

    def _erase(self, place: Place) -> Batch:
        """Remove everything from a place down that another state left there."""
        batch: Batch = {}
        waiting = [place]
        while waiting:
            place = waiting.pop()
            node = self._read(place)
            if node is None:
                continue
            batch[schema.node_key(compute_place_key(place))] = None
            batch[schema.range_key(compute_place_key(place))] = None
            if isinstance(node, Inner):
                waiting += [place.get_half(0), place.get_half(1)]
            else:
                batch |= compute_index_changes(self._db.get, {node.key: None})
                batch |= compute_holdings_changes(self._db.get, {node.key: None})
                batch[schema.state_key(node.key)] = None
        return batch


def make_clearing(database: Database) -> Iterator[Batch]:
    """Yield batches that remove every state record, tree node and range, and what is indexed of the records."""
    holdings = schema.RANK + Ranking.HOLDINGS.value
    for prefix in (schema.RANGE, schema.NODE, schema.STATE, schema.JOB_INDEX, holdings):
        batch: Batch = {}
        for key in database.iterate_keys(prefix):
            batch[key] = None
            if len(batch) >= CLEARED_AT_ONCE:
                yield batch
                batch = {}
        yield batch
