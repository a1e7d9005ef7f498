"""The queue sends the miner's own transactions in nonce order, and replaces one that blocks the others.

A claim that another miner won can never be executed, but it waits in the pool at a nonce that later claims and results
must wait for. The queue remembers such nonces and uses them again.
"""

from typing import Final

from msgspec import Struct

from inos.miner.ports import NodePort
from inos.primitives.errors import NotYet
from inos.primitives.signatures import compute_address, compute_public_key
from inos.primitives.transactions import Payload, compute_tx_id, sign_transaction
from inos.primitives.units import Nano, TxId

FEE_BUMP_PERCENT: Final = 115
"""A replacement must pay at least 10 % more (mempool policy); the rest allows for rounding."""
MAX_ABANDONED: Final = 256


class Sent(Struct, frozen=True):
    """Records one transaction that this account sent."""

    payload: Payload
    nonce: int
    fee: Nano
    tx: TxId


class TransactionQueue:
    """Signs and sends the transactions of one account.

    Args:
        secret: the account's key, 32 bytes.
    """

    def __init__(self, node: NodePort, secret: bytes) -> None:
        self._node = node
        self._secret = secret
        self.address = compute_address(compute_public_key(secret))
        self._live: dict[str, Sent] = {}
        self._abandoned: dict[int, Sent] = {}

    def is_pending(self, key: str) -> bool:
        """Return True if the transaction sent under `key` still waits in the pool."""
        sent = self._live.get(key)
        return sent is not None and self._node.mempool.has(sent.tx)

    def forget(self, key: str) -> None:
        """Give up the transaction sent under `key`, so that its nonce can be used again."""
        sent = self._live.pop(key, None)
        if sent is not None and len(self._abandoned) < MAX_ABANDONED:
            self._abandoned[sent.nonce] = sent

    async def send(self, key: str, payload: Payload) -> TxId:
        """Sign and send `payload` with the first nonce that can be executed.

        Raises:
            InosError: the pool or a rule refused it, and nothing is remembered.
        """
        self._clear_passed()
        nonce = self._choose_nonce(key)
        before = self._abandoned.get(nonce) or self._live.get(key)
        fee = self._compute_fee(before)
        tx = sign_transaction(self._secret, self._node.params.chain_id, nonce, fee, payload)
        await self._node.transactions.add(tx)
        self._abandoned.pop(nonce, None)
        self._live[key] = Sent(payload, nonce, fee, compute_tx_id(tx))
        return self._live[key].tx

    async def advance(self) -> None:
        """Fill the nonce that blocks the others with the last transaction of the queue.

        Raises:
            NotYet: it waits for something else, and stays where it was. Other InosError: the pool or a rule refused
                it, so it is given up; the next call tries the one before it.
        """
        self._clear_passed()
        gap = self._abandoned.get(self._node.ledger.state.get_account(self.address).nonce)
        waiting = [key for key, sent in self._live.items() if gap is not None and sent.nonce > gap.nonce]
        if gap is None or not waiting:
            return
        last = max(waiting, key=lambda key: self._live[key].nonce)
        moved = self._live[last]
        self.forget(last)
        try:
            await self.send(last, moved.payload)
        except NotYet:
            self._abandoned.pop(moved.nonce, None)
            self._live[last] = moved
            raise

    def _choose_nonce(self, key: str) -> int:
        known = self._live.get(key)
        if known is not None:
            return known.nonce
        if self._abandoned:
            return min(self._abandoned)
        nonce = self._node.mempool.next_nonce(self.address, self._node.ledger.state)
        taken = {sent.nonce for sent in self._live.values()}
        while nonce in taken:
            nonce += 1
        return nonce

    def _compute_fee(self, before: Sent | None) -> Nano:
        fee = self._node.mempool.estimate_fee()
        if before is not None and self._node.mempool.has(before.tx):
            fee = Nano(max(fee, before.fee * FEE_BUMP_PERCENT // 100 + 1))
        return fee

    def _clear_passed(self) -> None:
        """Forget nonces that the chain has passed. The nonce of a transaction that left the pool is free again."""
        nonce = self._node.ledger.state.get_account(self.address).nonce
        self._live = {key: sent for key, sent in self._live.items() if sent.nonce >= nonce}
        self._abandoned = {old: sent for old, sent in self._abandoned.items() if old >= nonce}
        for key in [key for key, sent in self._live.items() if not self._node.mempool.has(sent.tx)]:
            self.forget(key)
