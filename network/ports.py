"""The network needs this interface of a node. The node satisfies it; the network knows no database.

Reads of ledger, pool and store are synchronous and cheap; every write is awaited. A writing method may raise
RuleViolation (the object is invalid, which is the sender's fault), NotYet (neither side is at fault), or another
InosError (a policy or a failure of this node itself).
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar

from inos.chain.checked import CheckedBlock
from inos.consensus.finality.trust import Step
from inos.consensus.params import Params
from inos.consensus.stateranges import Place, StateRange
from inos.core.verification.blocks import BlockVerifier
from inos.primitives.blocks import Block, Header
from inos.primitives.bls import Bls
from inos.primitives.errors import InosError
from inos.primitives.matrices import DType, Witness
from inos.primitives.randomness import Randomness
from inos.primitives.transactions import Transaction
from inos.primitives.units import BlockId, Hash, MatrixId, TxId
from inos.primitives.votes import Vote

T = TypeVar("T")


class Files(Protocol):
    """Keeps small files of this node by name across restarts, on disk or in memory."""

    async def read(self, name: str, limit: int, /) -> bytes | None:
        """Return the whole file, or None if it is missing, longer than `limit` bytes, or unreadable."""

    async def write(self, name: str, data: bytes, /) -> bool:
        """Replace the file in one step, so that a crash leaves the old or the new one; return True if it was
        written."""


class TipView(Protocol):
    """A block comes with the weight of the chain up to it."""

    @property
    def id(self) -> BlockId: ...

    @property
    def header(self) -> Header: ...

    @property
    def weight(self) -> int: ...


class LedgerPort(Protocol):
    """Reads the chain as this node has it."""

    @property
    def bls(self) -> Bls:
        """This backend checks the signatures of voters."""

    @property
    def tip(self) -> TipView:
        """This is the best connected block."""

    @property
    def best_header(self) -> TipView:
        """The heaviest known chain of valid headers ends here, with or without bodies."""

    @property
    def first_block(self) -> int:
        """This is the lowest height from which on the blocks of the chain are here, besides genesis."""

    def get_header(self, id: BlockId, /) -> Header | None: ...

    def get_block(self, id: BlockId, /) -> Block | None: ...

    def get_witness(self, id: BlockId, /) -> Witness | None: ...

    def get_status(self, id: BlockId, /) -> Any:
        """Return a status whose text begins with unknown, header, stored, connected or invalid."""

    def get_locator(self) -> Sequence[BlockId]: ...

    def get_headers_after(self, locator: Sequence[BlockId], limit: int, /) -> Sequence[Header]:
        """Return at most `limit` headers of the connected chain after the locator's last known block on it."""

    def get_skeleton(self, locator: Sequence[BlockId], step: int, limit: int, /) -> tuple[BlockId, Sequence[BlockId]]:
        """Return the locator's last known block on the connected chain, and at most `limit` ids after it, every
        `step`-th one."""

    def get_missing_blocks(self, limit: int, /) -> Sequence[BlockId]:
        """Return the ids on the best header chain whose bodies this node does not have, lowest first."""

    @property
    def is_awaiting_state(self) -> bool:
        """While this is True, this node takes a state from peers; it connects no block before that state is whole."""

    def list_steps(self, first: int, limit: int, /) -> Sequence[Step]:
        """Return how finality proceeded on the connected chain, from epoch `first` on."""

    def draw_work_sample(self, count: int, rng: Randomness, /) -> tuple[BlockId, tuple[BlockId, ...]] | None:
        """Return the best header's id and blocks above the tip, drawn by weight; None while they are not needed."""

    def is_on_best_chain(self, id: BlockId, /) -> bool:
        """Return True if the block is on the heaviest chain of headers."""


class StateImportView(Protocol):
    """This node takes this state from peers."""

    @property
    def block(self) -> bytes: ...

    @property
    def added(self) -> int:
        """This many ranges have been received so far."""

    @property
    def is_complete(self) -> bool: ...

    def count_missing(self) -> int: ...

    def list_missing(self, limit: int, without: Collection[Place], /) -> Sequence[Place]:
        """Return places of the state tree that are missing, except those in `without`."""


class MempoolPort(Protocol):
    """Holds the transactions that wait for a block."""

    def get(self, id: TxId, /) -> Transaction | None: ...

    def has(self, id: TxId, /) -> bool: ...

    def list_ids(self) -> Sequence[TxId]: ...


class MatrixInfoView(Protocol):
    """This describes a matrix without its entries; its id is the hash of exactly these four fields."""

    @property
    def dtype(self) -> DType: ...

    @property
    def rows(self) -> int: ...

    @property
    def cols(self) -> int: ...

    @property
    def root(self) -> bytes: ...


class RetentionPort(Protocol):
    """Knows what the matrix store keeps, and for whom."""

    def get_demand(self, id: MatrixId, /) -> float:
        """Return the recent requests of other nodes, weighted by age."""

    def is_promised(self, id: MatrixId, /) -> bool:
        """Return True if the chain or this node's owner needs the matrix."""

    def count_lending_room(self) -> tuple[int, int]:
        """Return how many bytes copies for others may take, and how many of these are left."""

    def set_lent(self, id: MatrixId, /) -> None:
        """Record that a copy is kept for others."""

    def may_let_go(self, id: MatrixId, /) -> bool:
        """Return True if this copy may be dropped once there are enough others."""


class ArrivalsPort(Protocol):
    """Knows the matrices that arrive in runs."""

    def list_missing(self, id: MatrixId, limit: int, /) -> Sequence[int]:
        """Return at most `limit` runs (inos.mesh.runs) that this node does not have yet, lowest first."""

    def count_here(self, id: MatrixId, /) -> int | None:
        """Return how many runs of a matrix are here, or None if it has not begun to arrive."""


class MatrixStorePort(Protocol):
    """Reads the matrices on this node's disk by id."""

    @property
    def retention(self) -> RetentionPort: ...

    @property
    def arrivals(self) -> ArrivalsPort: ...

    def has(self, id: MatrixId, /) -> bool: ...

    def list_ids(self) -> Sequence[MatrixId]:
        """Return the ids of all complete matrices."""

    def info(self, id: MatrixId, /) -> MatrixInfoView | None:
        """Return the shape and root of a complete matrix, or None."""

    def get_strips(self, id: MatrixId, first: int, count: int, /) -> Sequence[tuple[bytes, Sequence[bytes]]]:
        """Return the strips [first, first + count) of a complete matrix with their paths; fewer at its end."""


class RunView(Protocol):
    """These strips are sent together, with one path."""

    @property
    def data(self) -> bytes: ...

    @property
    def path(self) -> Sequence[Hash]: ...


class MatricesPort(Protocol):
    """Stores matrices; `store` tells which ones it has."""

    @property
    def store(self) -> MatrixStorePort: ...

    async def begin(self, info: Any, max_bytes: int | None, /) -> bool:
        """Allocate a matrix that arrives in runs (info: inos.mesh.store.MatrixInfo), if it has at most `max_bytes`;
        return True if it is here already."""

    async def add_run(self, id: MatrixId, index: int, data: bytes, path: Sequence[bytes], /) -> bool:
        """Verify and store one run; return True if the matrix is then complete."""

    async def drop(self, id: MatrixId, /) -> bool:
        """Delete a matrix; return False if this node needs it."""

    async def read_run(self, id: MatrixId, index: int, /) -> RunView | None:
        """Return one verified run of a complete matrix, or None if this node does not have it."""


class VotesPort(Protocol):
    """Holds the votes on checkpoints that this node has checked, and those that it cannot check yet."""

    def has(self, vote: Vote, /) -> bool: ...

    async def add(self, vote: Vote, /) -> Any:
        """Check a vote and store it; a VoteAdded event follows if the vote is to be relayed."""

    async def list_votes(self, first_epoch: int, limit: int, /) -> Sequence[Vote]:
        """Return checked votes for targets from an epoch on: evidence first, then the lowest epochs."""


class AddedView(Protocol):
    """Adding several blocks gives this result."""

    @property
    def errors(self) -> Sequence[InosError | None]:
        """For each block this is the error that `add_block` would have raised, or None."""

    @property
    def state_s(self) -> float:
        """Executing the blocks took this many seconds."""

    @property
    def disk_s(self) -> float:
        """Writing the blocks took this many seconds."""


class BlocksPort(Protocol):
    """Adds headers and blocks."""

    async def add_headers(self, headers: Sequence[Header], /) -> Any:
        """Check and index headers, parents first; known headers are skipped."""

    async def add(self, block: Block, witness: Witness, /) -> Any:
        """Check, store and if possible connect a block. MatrixMissing means that it is stored and deferred."""

    async def vouch(self, tip: BlockId, /) -> None:
        """Take results far below `tip` as checked: a sample of the work up to it was checked."""

    async def execute_ahead(self, block: Block, /) -> None:
        """Execute a block whose seal was checked, so that `add_checked` has less to do; it raises no InosError."""

    async def add_checked(self, blocks: Sequence[CheckedBlock], /) -> AddedView:
        """Store and if possible connect checked blocks in order, parents first.

        Raises:
            InosError: this node itself failed; errors of single blocks are in the result.
        """


class TransactionsPort(Protocol):
    """Takes transactions."""

    async def add(self, tx: Transaction, /) -> Any:
        """Check a transaction and add it to the pool."""


class ResultHoldersPort(Protocol):
    """Counts the peers that hold the matrices of checked results in the pool."""

    def add_peer(self, peer: Hashable, /) -> None: ...

    def drop_peer(self, peer: Hashable, /) -> None: ...

    def on_announced(self, peer: Hashable, ids: Iterable[TxId], /) -> None: ...


class ThreadsPort(Protocol):
    """Runs blocking work off the event loop."""

    async def check(self, call: Callable[[], T], /) -> T:
        """Run a slow function that changes nothing, off the event loop."""


class PastStatesPort(Protocol):
    """Reads the states after recent checkpoints."""

    async def read_range(self, block: BlockId, place: Place, /) -> StateRange | None:
        """Return a part of a state with its proof, or None if this node does not keep that state."""


class StateImportPort(Protocol):
    """Takes a state from peers."""

    @property
    def state(self) -> StateImportView | None:
        """The service imports this state; it is None if it imports none."""

    async def begin(self, block: BlockId, /) -> StateImportView:
        """Start to import the state after a block; raises NotYet if its header is not here."""

    async def add_step(self, step: Step, /) -> None:
        """Keep a proven step of finality for other nodes that start from a state."""

    async def add_range(self, block: BlockId, place: Place, found: StateRange, /) -> bool:
        """Store a part of the state after `block`; return True if it was missing. Raises RuleViolation if it is no part
        of it."""

    async def finish(self) -> Any:
        """Make the block whose state is whole the tip."""

    async def abandon(self) -> None:
        """Give up the import, and start from genesis."""


class EventsPort(Protocol):
    """Publishes the node's events."""

    def subscribe(self) -> AbstractAsyncContextManager[Any]:
        """Return a context manager that enters an async iterator over the events of the node."""


class NodePort(Protocol):
    """The network uses these services of the node."""

    @property
    def params(self) -> Params: ...

    @property
    def genesis_id(self) -> BlockId: ...

    @property
    def ledger(self) -> LedgerPort: ...

    @property
    def mempool(self) -> MempoolPort: ...

    @property
    def events(self) -> EventsPort: ...

    @property
    def threads(self) -> ThreadsPort: ...

    @property
    def verifier(self) -> BlockVerifier:
        """This checks blocks before they are added."""

    @property
    def blocks(self) -> BlocksPort: ...

    @property
    def transactions(self) -> TransactionsPort: ...

    @property
    def result_holders(self) -> ResultHoldersPort: ...

    @property
    def votes(self) -> VotesPort: ...

    @property
    def matrices(self) -> MatricesPort: ...

    @property
    def past_states(self) -> PastStatesPort: ...

    @property
    def state_import(self) -> StateImportPort: ...
