"""What the miner needs of a node. The node satisfies it; the miner knows no network and no database."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from inos.chain.template import Template
from inos.consensus.params import Params
from inos.consensus.records import Account, Claim, Job
from inos.primitives.blocks import Block
from inos.primitives.clock import Clock
from inos.primitives.matrices import MatrixRef, Witness
from inos.primitives.transactions import Transaction
from inos.primitives.units import Address, BlockId, Height, JobId, MatrixId, Nano, TxId


class RowFile(Protocol):
    """A product's rows on disk, written in order; they survive the process. Every call may wait for the disk."""

    @property
    def rows_done(self) -> int:
        """Rows written, from the first one on."""

    def write(self, first: int, rows: NDArray[Any]) -> None:
        """Keep the next rows, which end with a strip or with the product.

        Raises:
            InosError: the disk refuses; they count as not written.
        """

    def drop(self) -> None:
        """Forget them."""


class MinerPort(Protocol):
    """The node as the miner sees it. Reads are of the connected tip."""

    @property
    def params(self) -> Params: ...

    @property
    def clock(self) -> Clock: ...

    def get_height(self) -> Height: ...

    def get_tip_id(self) -> BlockId: ...

    def get_account(self, address: Address) -> Account: ...

    def get_reputation(self, address: Address) -> Nano:
        """Reputation at the tip, halvings done."""

    def get_job(self, job: JobId) -> Job | None: ...

    def get_claim(self, job: JobId) -> Claim | None: ...

    def list_open_jobs(self, limit: int) -> Sequence[tuple[JobId, Job]]:
        """Jobs nobody has claimed, oldest first."""

    def list_held_jobs(self, worker: Address, limit: int) -> Sequence[tuple[JobId, Job]]:
        """Jobs `worker` holds a claim on."""

    def get_next_nonce(self, address: Address) -> int:
        """The nonce after the account's transactions on chain and in the pool."""

    def estimate_fee(self) -> Nano: ...

    def is_pending(self, tx: TxId) -> bool:
        """Whether the transaction waits in this node's pool."""

    async def get_template(self, beneficiary: Address) -> Template:
        """A block to be mined on the tip, without seal and nonce."""

    async def add_block(self, block: Block, witness: Witness) -> bool:
        """Hand in a won block; True where it was connected."""

    async def add_transaction(self, tx: Transaction) -> TxId: ...

    async def add_matrix(self, array: NDArray[np.int32]) -> MatrixRef: ...

    async def open_rows(self, job: JobId, rows: int, cols: int) -> RowFile:
        """The job's product (int32) as far as it was written before, by this process or an earlier one."""

    async def add_rows(self, file: RowFile) -> MatrixRef:
        """Store a product that is complete on disk."""

    async def fetch_matrix(self, matrix: MatrixId, timeout_s: float) -> NDArray[Any]:
        """The matrix from this node's store, or from others within `timeout_s` seconds.

        Raises:
            MatrixMissing: nobody had it in time.
        """

    def watch_tip(self) -> AbstractAsyncContextManager[AsyncIterator[BlockId]]:
        """The ids of new tips as they are connected; bounded, the newest always arrives."""
