"""Whom a block is mined for, and what the worker's account passes on.

Jobs are claimed by an account that can sign, the worker; blocks pay an address, the payee. They
may be one account. Where they are two, blocks go to the payee, except when a job is worth taking and
the worker cannot pay the bond. What the worker earns beyond its working capital it transfers to the payee.
"""

from typing import Final

import structlog

from inos.chain.template import Template
from inos.consensus.params import Params
from inos.miner.jobs import JobDesk
from inos.miner.lane import Lane
from inos.miner.ports import NodePort
from inos.miner.settings import MinerSettings
from inos.primitives.transactions import Transfer
from inos.primitives.units import Nano

log: Final = structlog.get_logger("miner")

CAPITAL_BONDS: Final = 20
"""Working capital of a worker in least bonds: a few claims at once, and their fees."""
PAYOUT: Final = "payout"


class Payee:
    """Chooses the beneficiary of each template.

    Args:
        desk, lane: None where the miner claims nothing.
    """

    def __init__(self, node: NodePort, settings: MinerSettings, desk: JobDesk | None, lane: Lane | None) -> None:
        self._node = node
        self._address = settings.beneficiary
        self._desk = desk
        self._lane = lane if lane is not None and lane.address != settings.beneficiary else None

    async def get_template(self) -> Template:
        """A block for the account that should win it now."""
        if self._lane is not None and self._desk is not None and self._desk.lacks_capital:
            return await self._node.templates.make(self._lane.address)
        return await self._node.templates.make(self._address)

    async def tend(self) -> None:
        """Pass on what the worker does not need, once it is worth a transaction.

        Raises:
            InosError: the pool or a rule refused the transfer.
        """
        if self._lane is None or self._desk is None or self._desk.lacks_capital or self._lane.is_pending(PAYOUT):
            return
        capital = compute_capital(self._node.params)
        fee = self._node.mempool.estimate_fee()
        surplus = self._desk.compute_spendable() - capital - 2 * fee
        if surplus < capital:
            return
        await self._lane.send(PAYOUT, Transfer(self._address, surplus))
        log.info("earnings passed on", nano=surplus, to=self._address.hex())


def compute_capital(params: Params) -> Nano:
    """What a worker keeps for bonds and fees."""
    return Nano(CAPITAL_BONDS * params.min_bond)
