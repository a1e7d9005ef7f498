"""Blocks are checked before they come to the writer, which gives the `CheckedBlock`s that the ledger takes.

Pipeline: header and witness -> `check_seal` -> CheckedSeal -> `check_body` with the block (transaction root,
transactions, the aggregate's signature) -> CheckedBlock -> the writer. A bulk sync has processes that do all of it in
one step: `check_whole`. Nothing here needs the parent's state, so blocks are checked side by side and in any order.
"""

from functools import partial
from typing import Protocol

from msgspec import Struct

from inos.chain.checked import CheckedBlock
from inos.consensus.codes import Code
from inos.consensus.params import Params
from inos.consensus.state import StateView
from inos.consensus.validity import BodyMismatch, check_block_sanity, check_body_sanity, check_seal
from inos.core.verification.backends import MIN_PART, VerificationBackend
from inos.primitives.blocks import Block, Header
from inos.primitives.bls import Bls
from inos.primitives.errors import RuleViolation
from inos.primitives.matrices import Witness
from inos.primitives.transactions import Transaction
from inos.primitives.units import TxId


class CheckedSeal(Struct, frozen=True, eq=False):
    """Holds a header whose seal its witness proves. `BlockVerifier.check_seal` makes it."""

    header: Header
    witness: Witness


class StateSource(Protocol):
    """Gives the state after the connected tip."""

    @property
    def state(self) -> StateView: ...


class KnownTransactions(Protocol):
    """Knows the transactions that passed `check_transaction_sanity` before."""

    def has(self, tx: TxId, /) -> bool: ...


class BlockVerifier:
    """Checks blocks off the event loop.

    Args:
        backend: runs the checks: inline, in threads, or in processes.
        ledger: its state says which committee an aggregate belongs to.
        pool: what is in it is not checked again.
    """

    def __init__(
        self, params: Params, backend: VerificationBackend, ledger: StateSource, pool: KnownTransactions
    ) -> None:
        self.backend = backend
        self._params = params
        self._ledger = ledger
        self._pool = pool

    async def check_seal(self, header: Header, witness: Witness) -> CheckedSeal:
        """Check that the witness proves the header's seal.

        Raises:
            RuleViolation: it does not. The witness alone may be at fault: the block id does not cover it.
        """
        await self.backend.check_seal(self._params, header, witness)
        return CheckedSeal(header, witness)

    async def check_whole(self, block: Block, witness: Witness) -> CheckedBlock | None:
        """Check seal and body in one step in another process.

        Returns:
            None if no process runs that could, or if anything is wrong; `check_seal` and `check_body` then find what.
        """
        ids = await self.backend.check_block(self._params, block, witness)
        if ids is None:
            return None
        await self._check_aggregate(block)
        return CheckedBlock(block, witness, ids)

    async def check_body(self, seal: CheckedSeal, block: Block) -> CheckedBlock:
        """Check the transactions of a block whose seal was checked.

        Raises:
            BodyMismatch: these are not the transactions that the header names.
            RuleViolation: a transaction is invalid, and with it the block; the ledger says which when it is given
                the block unchecked.
        """
        find_unknown = partial(self._find_unknown, seal, block)
        is_small = len(block.transactions) <= MIN_PART
        ids, unknown = find_unknown() if is_small else await self.backend.run(find_unknown)
        if unknown:
            await self.backend.check_transactions(self._params, unknown)
        await self._check_aggregate(block)
        return CheckedBlock(block, seal.witness, ids)

    async def _check_aggregate(self, block: Block) -> None:
        if block.aggregate is not None:
            await self.backend.check_aggregate(self._params, self._ledger.state, block.aggregate)

    def _find_unknown(self, seal: CheckedSeal, block: Block) -> tuple[tuple[TxId, ...], list[Transaction]]:
        """Check all of a body but its transactions; return their ids, and those of them that are not in the pool.

        Raises:
            BodyMismatch: these are not the transactions that the header names.
            RuleViolation: for the same reasons as `check_body_sanity`.
        """
        if block.header != seal.header:
            raise BodyMismatch(Code.BAD_TX_ROOT, f"the body of block {block.header.height} came with another header")
        ids = check_body_sanity(self._params, block)
        unknown = [tx for tx, tx_id in zip(block.transactions, ids, strict=True) if not self._pool.has(tx_id)]
        return tuple(ids), unknown

    async def check(self, block: Block, witness: Witness) -> CheckedBlock:
        """Check seal and body. It raises the errors of `check_seal` and `check_body`."""
        return await self.check_body(await self.check_seal(block.header, witness), block)


def check_block(params: Params, bls: Bls, block: Block, witness: Witness) -> CheckedBlock | RuleViolation:
    """Check a block in the caller's thread, and return the violation if it is invalid."""
    try:
        check_seal(params, block.header, witness)
        ids = check_block_sanity(params, block, bls)
    except RuleViolation as error:
        return error
    return CheckedBlock(block, witness, tuple(ids))
