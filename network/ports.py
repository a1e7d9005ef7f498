"""What the network needs of a node. The node satisfies it; the network knows no database.

Reads of ledger, pool and store are synchronous and cheap; whatever writes is awaited. Every writing method may raise
RuleViolation (invalid, the sender's fault), NotYet (nobody's fault) or another InosError (this node's own policy or
trouble, nobody's fault either).
"""

from collections.abc import Callable, Collection, Sequence
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
from inos.primitives.matrices import Witness
from inos.primitives.transactions import Transaction
from inos.primitives.units import BlockId, Hash, MatrixId, TxId
from inos.primitives.votes import Vote

T = TypeVar("T")


class Files(Protocol):
    """Small files of this node by name: what the network remembers over a restart. May live in memory."""

    async def read(self, name: str, limit: int, /) -> bytes | None:
        """The whole file; None where there is none, it is longer than `limit` bytes, or it cannot be read."""

    async def write(self, name: str, data: bytes, /) -> bool:
        """Replace the file in one step, so that a crash leaves the old or the new one; whether that went well."""


class TipView(Protocol):
    """A block and the weight of the chain up to it."""

    @property
    def id(self) -> BlockId: ...

    @property
    def header(self) -> Header: ...

    @property
    def weight(self) -> int: ...


class LedgerPort(Protocol):
    """The chain as this node has it."""

    @property
    def bls(self) -> Bls:
        """Checks the signatures of voters."""

    @property
    def tip(self) -> TipView:
        """Best connected block."""

    @property
    def best_header(self) -> TipView:
        """Heaviest known valid header chain, with or without bodies."""

    def get_header(self, id: BlockId, /) -> Header | None: ...

    def get_block(self, id: BlockId, /) -> Block | None: ...

    def get_witness(self, id: BlockId, /) -> Witness | None: ...

    def get_status(self, id: BlockId, /) -> Any:
        """Its text begins with unknown, header, stored, connected or invalid."""

    def get_locator(self) -> Sequence[BlockId]: ...

    def get_headers_after(self, locator: Sequence[BlockId], limit: int, /) -> Sequence[Header]:
        """At most `limit` headers of the connected chain after the locator's last known block on it."""

    def get_skeleton(self, locator: Sequence[BlockId], step: int, limit: int, /) -> tuple[BlockId, Sequence[BlockId]]:
        """The locator's last known block on the connected chain, and every `step`-th id after it, at most `limit`."""

    def get_missing_blocks(self, limit: int, /) -> Sequence[BlockId]:
        """Ids on the best header chain whose bodies are not here, lowest first."""

    @property
    def is_awaiting_state(self) -> bool:
        """Whether a state is on its way in from others; no block is connected before it is whole."""

    def list_steps(self, first: int, limit: int, /) -> Sequence[Step]:
        """How finality went on the connected chain, from epoch `first` on."""

    def is_on_best_chain(self, id: BlockId, /) -> bool:
        """Whether a block is on the heaviest chain of headers."""


class StateImportView(Protocol):
    """A state on its way in."""

    @property
    def block(self) -> bytes: ...

    @property
    def added(self) -> int:
        """Ranges that came so far."""

    @property
    def is_complete(self) -> bool: ...

    def count_missing(self) -> int: ...

    def list_missing(self, limit: int, without: Collection[Place], /) -> Sequence[Place]:
        """Places of the state tree to ask for, but for some."""


class MempoolPort(Protocol):
    """Transactions waiting for a block."""

    def get(self, id: TxId, /) -> Transaction | None: ...

    def has(self, id: TxId, /) -> bool: ...

    def list_ids(self) -> Sequence[TxId]: ...


class MatrixInfoView(Protocol):
    """A matrix without its entries; its id is the hash of exactly these four."""

    @property
    def dtype(self) -> int: ...

    @property
    def rows(self) -> int: ...

    @property
    def cols(self) -> int: ...

    @property
    def root(self) -> bytes: ...


class MatricesPort(Protocol):
    """Matrices by id on this node's disk."""

    def has(self, id: MatrixId, /) -> bool: ...

    def list_ids(self) -> Sequence[MatrixId]:
        """All that are complete."""

    def info(self, id: MatrixId, /) -> MatrixInfoView | None:
        """Of a complete matrix, else None."""

    def get_strips(self, id: MatrixId, first: int, count: int, /) -> Sequence[tuple[bytes, Sequence[bytes]]]:
        """Strips [first, first + count) of a complete matrix with their paths; fewer at its end."""

    def get_demand(self, id: MatrixId, /) -> float:
        """Requests of others that count now."""

    def is_promised(self, id: MatrixId, /) -> bool:
        """Whether the chain or this node's owner needs it."""

    def may_lend(self, info: Any, /) -> bool:
        """Whether a copy is taken for others (info: inos.mesh.store.MatrixInfo)."""

    def set_lent(self, id: MatrixId, /) -> None:
        """A copy is kept for others."""

    def may_let_go(self, id: MatrixId, /) -> bool:
        """Whether this copy may go where there are enough others."""

    def missing_runs(self, id: MatrixId, limit: int, /) -> Sequence[int]:
        """At most `limit` runs (inos.mesh.runs) that are not here yet, lowest first."""


class RunView(Protocol):
    """Strips that travel together, with one path."""

    @property
    def data(self) -> bytes: ...

    @property
    def path(self) -> Sequence[Hash]: ...


class VotesPort(Protocol):
    """Votes on checkpoints that this node has checked, and those it cannot check yet."""

    def has(self, vote: Vote, /) -> bool: ...

    async def add(self, vote: Vote, /) -> Any:
        """Check a vote and take it; VoteAdded tells where it is worth passing on."""

    async def list_votes(self, first_epoch: int, limit: int, /) -> Sequence[Vote]:
        """Checked ones for targets from an epoch on, evidence first, then the lowest epochs."""


class AddedView(Protocol):
    """What became of blocks that were added together."""

    @property
    def errors(self) -> Sequence[InosError | None]:
        """Per block what `add_block` would have raised, or None."""

    @property
    def state_s(self) -> float:
        """Seconds for executing them."""

    @property
    def disk_s(self) -> float:
        """Seconds for writing them."""


class NodePort(Protocol):
    """The node as the network sees it."""

    @property
    def params(self) -> Params: ...

    @property
    def genesis_id(self) -> BlockId: ...

    @property
    def ledger(self) -> LedgerPort: ...

    @property
    def mempool(self) -> MempoolPort: ...

    @property
    def matrices(self) -> MatricesPort: ...

    @property
    def votes(self) -> VotesPort: ...

    @property
    def verifier(self) -> BlockVerifier:
        """Checks blocks before they are added."""

    async def add_header_batch(self, headers: Sequence[Header], /) -> Any:
        """Check and index headers, parents first. Known ones are passed over."""

    async def add_block(self, block: Block, witness: Witness, /) -> Any:
        """Check, store and where possible connect. MatrixMissing means that it is stored and held."""

    async def add_checked_blocks(self, blocks: Sequence[CheckedBlock], /) -> AddedView:
        """Store and where possible connect checked blocks in order, parents first.

        Raises:
            InosError: this node's own trouble; what one block deserves is told in the result.
        """

    async def add_transaction(self, tx: Transaction, /) -> Any: ...

    async def begin_matrix(self, info: Any, /) -> bool:
        """Make room for a matrix that arrives in runs (info: inos.mesh.store.MatrixInfo); True where it is here."""

    async def add_run(self, id: MatrixId, index: int, data: bytes, path: Sequence[bytes], /) -> bool:
        """Verify and keep one run; True when the matrix is complete with it."""

    async def drop_matrix(self, id: MatrixId, /) -> bool:
        """Delete a matrix; False where something here needs it."""

    async def read_run(self, id: MatrixId, index: int, /) -> RunView | None:
        """One run of a complete matrix, checked; None where it is not here."""

    async def run_check(self, call: Callable[[], T], /) -> T:
        """Run something that changes nothing and takes a while, off the loop."""

    @property
    def state_import(self) -> StateImportView | None:
        """The state on its way in, where one is."""

    async def read_range(self, block: BlockId, place: Place, /) -> StateRange | None:
        """A part of the state after a recent checkpoint with its proof; None where it is not kept here."""

    async def add_step(self, step: Step, /) -> None:
        """Keep a step of finality that was proven, for others who begin as this node does."""

    async def begin_import(self, block: BlockId, /) -> StateImportView:
        """Take the state after a block from others from now on. NotYet where its header is not here."""

    async def add_range(self, block: BlockId, place: Place, found: StateRange, /) -> bool:
        """Take a part of that block's state; whether it was missing. RuleViolation where it is no part of it."""

    async def finish_import(self) -> Any:
        """Stand on the block whose state is whole now."""

    async def abandon_import(self) -> None:
        """Begin with genesis after all."""

    def subscribe(self) -> AbstractAsyncContextManager[Any]:
        """Enters an async iterator over TipChanged, TransactionAdded, MatrixAdded, MatrixWanted, VoteAdded."""
