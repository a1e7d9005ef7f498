"""A view of the database at one tip: state, indices and proofs. Blocks that come later do not change it."""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice

from msgspec import Struct

from inos.chain import schema
from inos.chain.connection import compute_new_root
from inos.chain.database import Database
from inos.chain.entry import Tip
from inos.chain.headers import iterate_headers
from inos.chain.idsearch import FoundKind, find_ids
from inos.chain.jobindex import iterate_jobs
from inos.chain.jobrecords import TrackRecord, decode_record, iterate_events
from inos.chain.past import MAX_REWIND, PastState, TooMuchUndone, iterate_state
from inos.chain.preparation import PreparedBlock, prepare_block
from inos.chain.ranking import Ranking, iterate_ranking
from inos.chain.schema import MAX_STORED_BYTES, HistoryRecord, Position
from inos.chain.staging import CACHED, RECENT_KEYS, Recent
from inos.chain.state_tree import make_tree_proof
from inos.chain.totals import Totals, read_totals
from inos.chain.tree_update import update_tree
from inos.consensus.effects import Effects
from inos.consensus.execution import BlockStats
from inos.consensus.jobevents import JobEvent
from inos.consensus.movements import Movement
from inos.consensus.params import Params
from inos.consensus.records import Job, JobState, StateKey
from inos.consensus.state import StateView, overlay, select_range
from inos.consensus.statetree import StateProof, make_proof
from inos.primitives.blocks import Block, Header
from inos.primitives.bls import Bls
from inos.primitives.codec import decode
from inos.primitives.units import Address, BlockId, Height, JobId, StateRoot, TxId


class HistoryEntry(Struct, frozen=True):
    """What happened to an account at one place of a block: see inos.consensus.movements."""

    height: Height
    place: int
    tx_id: TxId | None
    """None for what a block did before or after its transactions."""
    movements: tuple[Movement, ...]


class ChainReader:
    """A tip, with a snapshot of the database at that tip."""

    is_whole = True
    """True if the database has the complete state of the tip."""

    def __init__(
        self,
        database: Database,
        tip: Tip,
        floors: Mapping[StateKey, StateKey] | None = None,
        recent: Recent | None = None,
    ) -> None:
        self._snapshot = database.snapshot()
        self._explain = database.explain
        self._floors = floors or {}
        self._recent = {} if recent is None else recent
        """State records and tree nodes that were read or written lately, as they are at the tip. Several blocks and
        templates on one tip read the same ones.
        """
        self.tip = tip

    @property
    def state(self) -> StateView:
        """The state after the tip. It is not kept here: a cycle of references would keep the snapshot for a while, and
        with it all that is removed from the database meanwhile.
        """
        return StateView(self)

    def get(self, key: StateKey) -> bytes | None:
        """Return a state record, as inos.consensus.records.StateReader requires."""
        return self._read(schema.state_key(key))

    def recall(self, written: Recent | None) -> Recent:
        """Return what is known of the state after some changes, for the reader of the next tip.

        Args:
            written: all of the changes between the tips; None if they are too many.
        """
        known = self._recent.copy()
        if written is None or len(known) + len(written) > RECENT_KEYS:
            return written or {}
        return known | written

    def _read(self, key: bytes) -> bytes | None:
        """Read the database, and remember state records and tree nodes."""
        if key in self._recent:
            return self._recent[key]
        value = self._snapshot.get(key)
        if key[:1] in CACHED and len(self._recent) < RECENT_KEYS:
            self._recent[key] = value
        return value

    def iterate(self, prefix: bytes, start: StateKey | None = None) -> Iterator[tuple[StateKey, bytes]]:
        """Yield state records, as inos.consensus.records.StateReader requires."""
        return iterate_state(self._snapshot.iterate, prefix, start or self._floors.get(StateKey(prefix)))

    def compute_root(self, changes: Mapping[StateKey, bytes | None]) -> StateRoot:
        """Return the state root after `changes` on the tip's state."""
        return compute_new_root(self._read, changes)

    def prepare(
        self, params: Params, block_id: BlockId, block: Block, bls: Bls, start: Effects | None = None
    ) -> PreparedBlock:
        """Return what connecting a child of the tip changes.

        Args:
            start: see inos.consensus.execution.Execution.
        """
        return prepare_block(
            params, self, self._read, lambda changes: update_tree(self._read, changes), block_id, block, bls, start
        )

    def get_block_id(self, height: int) -> BlockId | None:
        """Return the id of the connected block at a height, or None."""
        found = self._snapshot.get(schema.active_key(Height(height))) if 0 <= height <= self.tip.header.height else None
        return None if found is None else BlockId(found)

    def list_block_ids(self, first: int, limit: int) -> list[BlockId]:
        """Return the ids of at most `limit` connected blocks from height `first` on."""
        end = min(first + limit, self.tip.header.height + 1)
        if first >= end:
            return []
        start, below = schema.active_key(Height(first)), schema.active_key(Height(end))
        found = self._snapshot.iterate(schema.ACTIVE, start=start, below=below)
        return [BlockId(value) for _, value in found]

    def list_headers(self, first: int, limit: int) -> list[Header]:
        """Return the headers of at most `limit` connected blocks from height `first` on."""
        ids = set(self.list_block_ids(first, limit))
        stored = self._snapshot.iterate(
            schema.HEADER, start=schema.header_floor(first), below=schema.header_floor(first + limit)
        )
        connected = (item for item in stored if schema.get_header_id(item[0]) in ids)
        return [record.header for _, record in iterate_headers(connected)]

    def get_block_stats(self, block: BlockId) -> BlockStats | None:
        """Return what a connected block did."""
        data = self._snapshot.get(schema.block_stats_key(block))
        return None if data is None else decode(BlockStats, data, limit=MAX_STORED_BYTES)

    def get_totals(self, block: BlockId) -> Totals | None:
        """Return the running totals up to a connected block, or None: see `read_totals`."""
        return read_totals(self._snapshot.get, block)

    def get_position(self, tx: TxId) -> Position | None:
        data = self._snapshot.get(schema.transaction_key(tx))
        return None if data is None else decode(Position, data, limit=MAX_STORED_BYTES)

    def get_history(
        self,
        address: Address,
        *,
        before: tuple[Height, int] | None = None,
        from_height: Height | None = None,
        limit: int | None = 100,
    ) -> list[HistoryEntry]:
        """Return what concerned an account and what moved on it, newest first, starting below (height, place in the
        block).

        The movements since genesis sum up to what the account has. A ledger that began with a state from peers has no
        entries from before that state.

        Args:
            from_height: entries of lower blocks are left out.
            limit: None for all entries.
        """
        prefix = schema.HISTORY + address
        start = None if from_height is None else schema.history_key(address, from_height, 0)
        below = None if before is None else schema.history_key(address, *before)
        found = self._snapshot.iterate(prefix, start=start, below=below, newest_first=True)
        return [_decode_history(key, value) for key, value in islice(found, limit)]

    def list_jobs(
        self,
        *,
        state: JobState | None = None,
        poster: Address | None = None,
        worker: Address | None = None,
        after: JobId | None = None,
        limit: int = 100,
        newest_first: bool = False,
    ) -> list[tuple[JobId, Job]]:
        """Return jobs that match all filters, oldest or newest first, from beyond the job `after`."""
        found = iterate_jobs(
            self._snapshot,
            self.state,
            job_state=state,
            poster=poster,
            worker=worker,
            after=after,
            newest_first=newest_first,
        )
        return list(islice(found, limit))

    def get_record(self, address: Address) -> TrackRecord:
        """Return what an address has done on the market."""
        return decode_record(self._snapshot.get(schema.record_key(address)))

    def list_ranking(
        self, ranking: Ranking, *, after: tuple[int, Address] | None = None, limit: int
    ) -> list[tuple[Address, int]]:
        """Return accounts with their values, the largest first, from beyond the value and address `after`."""
        return list(islice(iterate_ranking(self._snapshot, ranking, after), limit))

    def list_job_events(self, job: JobId, *, limit: int = 1000) -> list[tuple[Height, JobEvent]]:
        """Return what happened to a job, oldest first, with the heights."""
        return list(islice(iterate_events(self._snapshot, job), limit))

    def find_ids(self, digits: str, limit: int) -> list[tuple[FoundKind, bytes]]:
        """Return at most `limit` blocks, transactions and jobs whose ids begin with these hex digits."""
        return find_ids(self._snapshot, digits, limit)

    def prove(self, key: StateKey) -> tuple[bytes | None, StateProof]:
        """Return a record, or None, with the proof against the tip's state root."""
        return self.get(key), make_tree_proof(lambda node: self._snapshot.get(schema.node_key(node)), self.get, key)

    def rewind(self, height: int, get_header: Callable[[BlockId], Header | None]) -> PastState | None:
        """Return the state after the connected block at `height`, or None if the height is above the tip or too far
        below it.

        Raises:
            ChainError: "database-damaged".
        """
        depth = self.tip.header.height - height
        block = self.get_block_id(height)
        header = None if block is None else get_header(block)
        if block is None or header is None or not 0 <= depth <= MAX_REWIND:
            return None
        above = self.list_block_ids(height + 1, depth)[::-1]
        if any(schema.read_by_id(self._snapshot.get, schema.UNDO, each) is None for each in above):
            return None  # these blocks lie below an imported state
        try:
            return PastState(self._snapshot, block, header, above, self._explain)
        except TooMuchUndone:
            return None

    def iterate_records(self) -> Iterator[tuple[StateKey, bytes]]:
        """Yield every record of the state."""
        return self.iterate(b"")


class GenesisReader(ChainReader):
    """A reader that shows genesis while another state is being imported into the database."""

    is_whole = False

    def __init__(self, database: Database, genesis: Tip, records: Mapping[StateKey, bytes]) -> None:
        super().__init__(database, genesis)
        self._records = records

    def get(self, key: StateKey) -> bytes | None:
        return self._records.get(key)

    def iterate(self, prefix: bytes, start: StateKey | None = None) -> Iterator[tuple[StateKey, bytes]]:
        return overlay(select_range(self._records.items(), prefix, start), iter(()))

    def prove(self, key: StateKey) -> tuple[bytes | None, StateProof]:
        return self._records.get(key), make_proof(self._records, key)

    def list_jobs(self, **_: object) -> list[tuple[JobId, Job]]:
        return []

    def list_ranking(
        self, ranking: Ranking, *, after: tuple[int, Address] | None = None, limit: int
    ) -> list[tuple[Address, int]]:
        return []

    def rewind(self, height: int, get_header: Callable[[BlockId], Header | None]) -> PastState | None:
        return None


def _decode_history(key: bytes, value: bytes) -> HistoryEntry:
    height, place = Height(int.from_bytes(key[-12:-4], "big")), int.from_bytes(key[-4:], "big")
    record = decode(HistoryRecord, value, limit=MAX_STORED_BYTES)
    return HistoryEntry(height, place, None if record.tx_id is None else TxId(record.tx_id), record.movements)
