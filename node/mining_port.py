"""The node as the miner sees it: inos.miner.ports.MinerPort over a NodeService."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inos.chain.events import TipChanged
from inos.chain.template import Template
from inos.consensus.params import Params
from inos.consensus.records import Account, Claim, Job, JobState
from inos.consensus.state import compute_reputation
from inos.core.matrices.product_rows import JobRows
from inos.core.service import NodeService
from inos.miner.ports import RowFile
from inos.primitives.blocks import Block
from inos.primitives.clock import Clock
from inos.primitives.matrices import MatrixRef, Witness
from inos.primitives.transactions import Transaction
from inos.primitives.units import Address, BlockId, Height, JobId, MatrixId, Nano, TxId


class MiningPort:
    """MinerPort over a NodeService."""

    def __init__(self, service: NodeService) -> None:
        self._service = service

    @property
    def params(self) -> Params:
        return self._service.params

    @property
    def clock(self) -> Clock:
        return self._service.clock

    def get_height(self) -> Height:
        return Height(self._service.ledger.tip.header.height)

    def get_tip_id(self) -> BlockId:
        return self._service.ledger.tip.id

    def get_account(self, address: Address) -> Account:
        return self._service.ledger.state.get_account(address)

    def get_reputation(self, address: Address) -> Nano:
        return compute_reputation(self.params, self.get_account(address), self.get_height())

    def get_job(self, job: JobId) -> Job | None:
        return self._service.ledger.state.get_job(job)

    def get_claim(self, job: JobId) -> Claim | None:
        return self._service.ledger.state.get_claim(job)

    def list_open_jobs(self, limit: int) -> Sequence[tuple[JobId, Job]]:
        return self._service.ledger.list_jobs(state=JobState.OPEN, limit=limit)

    def list_held_jobs(self, worker: Address, limit: int) -> Sequence[tuple[JobId, Job]]:
        return self._service.ledger.list_jobs(state=JobState.CLAIMED, worker=worker, limit=limit)

    def get_next_nonce(self, address: Address) -> int:
        return self._service.mempool.next_nonce(address, self._service.ledger.state)

    def estimate_fee(self) -> Nano:
        return self._service.mempool.estimate_fee()

    def is_pending(self, tx: TxId) -> bool:
        return self._service.mempool.has(tx)

    async def get_template(self, beneficiary: Address) -> Template:
        return await self._service.get_template(beneficiary)

    async def add_block(self, block: Block, witness: Witness) -> bool:
        outcome = await self._service.add_block(block, witness)
        return bool(outcome.connected)

    async def add_transaction(self, tx: Transaction) -> TxId:
        return await self._service.add_transaction(tx)

    async def add_matrix(self, array: NDArray[np.int32]) -> MatrixRef:
        return await self._service.add_matrix(array)

    async def open_rows(self, job: JobId, rows: int, cols: int) -> RowFile:
        return await self._service.open_rows(job, rows, cols)

    async def add_rows(self, file: RowFile) -> MatrixRef:
        if not isinstance(file, JobRows):
            raise TypeError("only what open_rows made can be stored")
        return await self._service.add_rows(file)

    async def fetch_matrix(self, matrix: MatrixId, timeout_s: float) -> NDArray[Any]:
        return await self._service.fetch_matrix(matrix, timeout_s)

    @asynccontextmanager
    async def watch_tip(self) -> AsyncIterator[AsyncIterator[BlockId]]:
        async with self._service.subscribe() as events:

            async def tips() -> AsyncIterator[BlockId]:
                async for event in events:
                    if isinstance(event, TipChanged):
                        yield event.tip.id

            yield tips()
