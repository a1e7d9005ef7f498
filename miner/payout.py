"""Payout chooses the beneficiary of each block, and transfers what the worker's account does not need.


Jobs are claimed by an account that can sign, the worker. Blocks pay an address, the payee. Both may be one account. If
they are two, blocks pay the payee, except if a job is worth taking and the worker cannot pay the bond. What the worker
earns beyond its working capital goes to the payee.
"""

from typing import Final

import structlog

from inos.chain.template import Template
from inos.consensus.params import Params
from inos.miner.jobs import JobManager
from inos.miner.ports import NodePort
from inos.miner.settings import MinerSettings
from inos.miner.transaction_queue import TransactionQueue
from inos.primitives.transactions import Transfer
from inos.primitives.units import Nano

log: Final = structlog.get_logger("miner")

CAPITAL_BONDS: Final = 20
"""A worker's working capital is this many least bonds: a few claims at once, and their fees."""
PAYOUT: Final = "payout"


class Payout:
    """Chooses the beneficiary of each template, and transfers the worker's surplus.

    Args:
        jobs, queue: None if the miner claims no jobs.
    """

    def __init__(
        self, node: NodePort, settings: MinerSettings, jobs: JobManager | None, queue: TransactionQueue | None
    ) -> None:
        self._node = node
        self._address = settings.beneficiary
        self._jobs = jobs
        self._queue = queue if queue is not None and queue.address != settings.beneficiary else None

    async def get_template(self) -> Template:
        """Make a template for the account that should win the next block."""
        if self._queue is not None and self._jobs is not None and self._jobs.lacks_capital:
            return await self._node.templates.make(self._queue.address)
        return await self._node.templates.make(self._address)

    async def advance(self) -> None:
        """Transfer what the worker does not need, when it is worth a transaction.

        Raises:
            InosError: the pool or a rule refused the transfer.
        """
        if self._queue is None or self._jobs is None or self._jobs.lacks_capital or self._queue.is_pending(PAYOUT):
            return
        capital = compute_capital(self._node.params)
        fee = self._node.mempool.estimate_fee()
        surplus = self._jobs.compute_spendable() - capital - 2 * fee
        if surplus < capital:
            return
        await self._queue.send(PAYOUT, Transfer(self._address, surplus))
        log.info("earnings transferred", nano=surplus, to=self._address.hex())


def compute_capital(params: Params) -> Nano:
    """Return what a worker keeps for bonds and fees."""
    return Nano(CAPITAL_BONDS * params.min_bond)
