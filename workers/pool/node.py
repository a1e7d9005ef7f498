"""Gives the pool the services of a node's core."""

from inos.chain.view import LedgerView
from inos.consensus.costs import compute_payments_cost
from inos.consensus.movements import Reason
from inos.core.node_core import NodeCore
from inos.primitives.blocks import compute_difficulty, get_target
from inos.primitives.codec import decode, encode
from inos.primitives.errors import InosError
from inos.primitives.payments import MAX_PAYMENTS, PAYMENT_BYTES
from inos.primitives.signatures import compute_address, compute_public_key
from inos.primitives.transactions import MAX_TX_BYTES, Payload, Transaction, compute_tx_id, sign_transaction
from inos.primitives.units import Address, BlockId, Height, JobId, Nano, Tickets, TimeMs, TxId
from inos.workers.pool.ports import Received

LOTTERY = frozenset({Reason.SUBSIDY, Reason.FEES_COLLECTED, Reason.VOTES_INCLUDED})
TX_REST_BYTES = 140
"""The bytes of a TransferMany without its payments."""


class CoreChain:
    """Satisfies ChainPort: the best chain at one tip, which does not move while it is read."""

    def __init__(self, ledger: LedgerView) -> None:
        self._ledger = ledger
        self._reader = ledger.reader
        self.final_height = Height(ledger.final.header.height)
        self.base_height = ledger.base_height
        self.get_block_id = self._reader.get_block_id

    @property
    def height(self) -> Height:
        return Height(self._reader.tip.header.height)

    def get_parent(self, block: BlockId) -> BlockId | None:
        header = self._ledger.get_header(block)
        return None if header is None else BlockId(header.parent)

    def read_received(self, address: Address, height: int) -> Received:
        """Return what a block of this chain paid to an account."""
        lottery, jobs, movements = 0, dict[JobId, Nano](), 0
        following = Height(height + 1), 0
        for entry in self._reader.get_history(address, before=following, from_height=Height(height), limit=None):
            movements += len(entry.movements)
            for movement in entry.movements:
                if movement.reason in LOTTERY:
                    lottery += movement.amount
                if movement.reason is Reason.JOB_PAID and movement.job is not None:
                    jobs[JobId(movement.job)] = Nano(movement.amount)
        block = self._reader.get_block_id(height)
        header = None if block is None else self._ledger.get_header(block)
        if header is None:
            return Received(Nano(0), {}, TimeMs(0), Tickets(1), movements)
        difficulty = Tickets(compute_difficulty(get_target(header)))
        return Received(Nano(lottery), jobs, TimeMs(header.time_ms), difficulty, movements)

    def find_transaction(self, tx: TxId) -> Height | None:
        position = self._reader.get_position(tx)
        return None if position is None else Height(position.height)

    def get_nonce(self, address: Address) -> int:
        return self._reader.state.get_account(address).nonce

    def get_balance(self, address: Address) -> Nano:
        return Nano(self._reader.state.get_account(address).balance)

    def get_job_tickets(self, job: JobId) -> Tickets:
        found = self._reader.state.get_job(job)
        return Tickets(0 if found is None else found.work.tickets)


class CoreNode:
    """Satisfies the pool's NodePort.

    Args:
        secret: the key of the account that pays.
    """

    def __init__(self, core: NodeCore, secret: bytes) -> None:
        self._core = core
        self._secret = secret
        self._address = compute_address(compute_public_key(secret))
        self._tip: BlockId | None = None
        self._difficulty = Tickets(1)

    @property
    def least_payment(self) -> Nano:
        return Nano(max(self._core.params.job_fee, self._core.params.account_fee + 1))

    @property
    def difficulty(self) -> Tickets:
        """The tickets that the block at the tip took on average, nearly those of the next one."""
        tip = self._core.ledger.tip
        if tip.id != self._tip:
            self._tip, self._difficulty = tip.id, Tickets(compute_difficulty(get_target(tip.header)))
        return self._difficulty

    def read_chain(self) -> CoreChain:
        return CoreChain(self._core.ledger)

    def estimate_fee(self, payments: int) -> Nano:
        """Return the fee of a TransferMany of so many payments now."""
        payments = min(payments, MAX_PAYMENTS)
        size = TX_REST_BYTES + PAYMENT_BYTES * payments
        return self._core.mempool.estimate_fee(size, compute_payments_cost(payments))

    def sign(self, payload: Payload, fee: int) -> tuple[bytes, TxId, int]:
        """Sign with the account's next nonce, those of waiting transactions counted."""
        nonce = self._core.mempool.next_nonce(self._address, self._core.ledger.state)
        tx = sign_transaction(self._secret, self._core.params.chain_id, nonce, fee, payload)
        return encode(tx), compute_tx_id(tx), nonce

    async def send(self, tx: bytes) -> None:
        """Put a transaction into the node's pool, if it is not there."""
        found = decode(Transaction, tx, limit=MAX_TX_BYTES)
        if self._core.mempool.has(compute_tx_id(found)):
            return
        try:
            await self._core.transactions.add(found)
        except InosError as error:
            if error.code != "already-known":
                raise
