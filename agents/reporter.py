"""The reporter sends evidence: a voter that signed two conflicting votes loses its bond for it.

Every node finds the same evidence, and one report is enough. So each reporter waits a random time before it sends its
own report, and sends none while another one waits in its pool. Evidence is public, so anybody can copy it, or put a
report of its own into a block it mines. A report that came too late costs only its place in the queue: the account's
next transactions would wait behind it, so its nonce is used up by a transfer of 1 nano to the account itself.
"""

from typing import Final

import structlog
from msgspec import Struct

from inos.agents.signing import make_transaction
from inos.chain.events import TipChanged, VoteAdded
from inos.chain.votepool import Evidence, is_voter
from inos.core.node_core import NodeCore
from inos.primitives.errors import InosError
from inos.primitives.randomness import Randomness
from inos.primitives.signatures import compute_address, compute_public_key
from inos.primitives.transactions import ReportVoter, Transfer, compute_tx_id
from inos.primitives.units import TxId
from inos.primitives.votes import SignedLink

log: Final = structlog.get_logger("finality")

LOOK_S: Final = 5.0
SPREAD_SPACINGS: Final = 2.0
"""The random wait is at most this many block intervals."""
PATIENCE_BLOCKS: Final = 4
"""A report of another account that is in no block after this many may never be in one, because its nonce may never be
next."""


class _Sent(Struct, frozen=True):
    """One of this node's own reports."""

    tx: TxId
    nonce: int


class Reporter:
    """Runs until cancelled.

    Args:
        secret: the key of the account that sends reports, and gets a tenth of each bond.
    """

    def __init__(self, core: NodeCore, secret: bytes, rng: Randomness) -> None:
        self._core = core
        self._secret = secret
        self._address = compute_address(compute_public_key(secret))
        self._rng = rng
        self._sent: dict[bytes, _Sent] = {}
        self._due: dict[bytes, float] = {}

    async def run(self) -> None:
        """Send evidence until cancelled."""
        async with self._core.events.subscribe() as events:
            while True:
                for evidence in self._core.votes.pool.get_evidence():
                    await self._report_if_due(evidence)
                await events.wait_for(TipChanged, VoteAdded, limit_s=LOOK_S)

    async def _report_if_due(self, evidence: Evidence) -> None:
        key, core = evidence.first.key, self._core
        if not is_voter(core.ledger.state, key):
            await self._clear_way(key)
            return
        now = core.clock.monotonic()
        wait_s = SPREAD_SPACINGS * core.params.spacing_ms / 1000 * self._rng.random()
        if now < self._due.setdefault(key, now + wait_s) or self._is_reported(key):
            return
        try:
            await self._report(evidence)
        except InosError as error:
            self._due[key] = now + LOOK_S
            log.info("evidence not sent", key=key.hex(), code=error.code, error=error.message)

    def _is_reported(self, key: bytes) -> bool:
        """Return True if a report of the voter waits in the pool, this node's own or a recent one of another node."""
        pool = self._core.mempool
        if key in self._sent and pool.has(self._sent[key].tx):
            return True
        for tx_id in pool.list_ids():
            tx = pool.get(tx_id)
            is_report = tx is not None and isinstance(tx.payload, ReportVoter) and tx.payload.key == key
            if is_report and pool.get_age(tx_id) < PATIENCE_BLOCKS:
                return True
        return False

    async def _report(self, evidence: Evidence) -> None:
        first, second = evidence.first, evidence.second
        payload = ReportVoter(
            first.key, SignedLink(first.link, first.signature), SignedLink(second.link, second.signature)
        )
        tx = make_transaction(self._core, self._secret, payload)
        await self._core.transactions.add(tx)
        self._sent[first.key] = _Sent(compute_tx_id(tx), tx.nonce)
        log.warning("voter reported", key=first.key.hex(), reporter=self._address.hex(), tx=compute_tx_id(tx).hex())

    async def _clear_way(self, key: bytes) -> None:
        """Use up the nonce of a report of this node if a report of another account was included first."""
        sent, core = self._sent.pop(key, None), self._core
        if sent is None or core.mempool.next_nonce(self._address, core.ledger.state) != sent.nonce:
            return
        try:
            await core.transactions.add(make_transaction(core, self._secret, Transfer(self._address, 1)))
        except InosError as error:
            log.info("nonce not used up", nonce=sent.nonce, code=error.code, error=error.message)
