"""Follows the chain: finds the pool's income in new blocks, and moves incomes and payouts on as blocks get deep or are
undone.
"""

from typing import Final

import structlog

from inos.primitives.units import Address, BlockId, JobId, Nano, TxId
from inos.workers.pool.books import Books
from inos.workers.pool.incomes import make_block_income
from inos.workers.pool.ports import ChainPort, Received
from inos.workers.pool.records import Income, IncomeState, Payout
from inos.workers.pool.split import pack_parts
from inos.workers.pool.window import SPAN_OF_D

log: Final = structlog.get_logger("pool")

RIPE_BLOCKS: Final = 100
"""A block counts as one that stays when it is final, or this deep where nothing becomes final."""
BLOCKS_AT_ONCE: Final = 200
"""At most so many blocks are searched before others get their turn."""
MOVEMENTS_AT_ONCE: Final = 1000
"""The search ends for now after the block with which it has read so many movements, which takes some milliseconds."""


class Follower:
    """Keeps the books in step with the best chain.

    Args:
        fee_ppm: the pool's fee in millionths.
    """

    def __init__(self, books: Books, address: Address, fee_ppm: int, ripe_blocks: int = RIPE_BLOCKS) -> None:
        self._books = books
        self._address = address
        self._fee_ppm = fee_ppm
        self._ripe_blocks = ripe_blocks
        self._judged: tuple[BlockId | None, int] = None, 0
        """The tip and the final height at which incomes were judged last."""
        self._gone_since: dict[int, int] = {}
        """For payouts whose nonce another transaction took: the height at which that was seen."""
        self.doubtful: set[int] = set()
        """Payouts whose nonce was used in blocks of which this node knows no transactions: by them, or by others."""

    def follow(self, chain: ChainPort) -> bool:
        """Bring the books up to the chain; return False if more blocks are left to search."""
        is_done = self._scan(chain)
        place = chain.get_block_id(chain.height), chain.final_height
        if place != self._judged:
            self._update_incomes(chain)
            self._books.forget_done(chain.final_height)
            self._judged = place
        self._update_payouts(chain)
        return is_done

    def _scan(self, chain: ChainPort) -> bool:
        head = self._books.head
        height, block = head.scanned_height, BlockId(head.scanned)
        if block == bytes(32):  # The pool begins now; what came before was not earned by its members.
            self._note(chain, chain.height)
            return True
        while chain.get_block_id(height) != block:
            parent = chain.get_parent(block)
            if parent is None or height == 0:
                log.warning("pool lost its place on the chain", height=height)
                self._note(chain, chain.height)
                return True
            height, block = height - 1, parent
        last, read = height, 0
        while last < min(chain.height, height + BLOCKS_AT_ONCE) and read < MOVEMENTS_AT_ONCE:
            last += 1
            read += self._search(chain, last)
        if last != head.scanned_height or block != head.scanned:
            self._note(chain, last)
        return last == chain.height

    def _note(self, chain: ChainPort, height: int) -> None:
        block = chain.get_block_id(height)
        if block is not None:
            self._books.set_scanned(height, block)

    def _search(self, chain: ChainPort, height: int) -> int:
        """Record what a block paid the pool, unless that is recorded already: a block may come back to the chain.

        Returns:
            how many movements were read for it.
        """
        block = chain.get_block_id(height)
        received = chain.read_received(self._address, height)
        if block is None:
            return received.movements
        known = {income.job for _, income in self._books.list_open_incomes() if income.block == block}
        if received.lottery and None not in known:
            self._add_block(block, height, received)
        for job, reward in received.jobs.items():
            if job not in known:
                self._add_job(chain, block, height, job, reward, received)
        return received.movements

    def _add_block(self, block: BlockId, height: int, received: Received) -> None:
        window = self._books.window.take(SPAN_OF_D * received.difficulty)
        round_tickets = self._books.head.round_tickets
        income = make_block_income(
            window, block, height, received.time_ms, received.lottery, self._fee_ppm, received.difficulty, round_tickets
        )
        number = self._books.add_income(income)
        log.info("pool found a block", number=number, height=height, nano=received.lottery, members=len(window))

    def _add_job(
        self, chain: ChainPort, block: BlockId, height: int, job: JobId, reward: Nano, received: Received
    ) -> None:
        parts = self._books.list_pieces(job)
        if not parts:
            return
        delivered = sum(part.amount for part in parts)
        of = max(delivered, chain.get_job_tickets(job))
        self._books.add_income(
            Income(block, height, received.time_ms, job, reward, self._fee_ppm, 0, 0, of, pack_parts(parts))
        )

    def _update_incomes(self, chain: ChainPort) -> None:
        for number, income in self._books.list_open_incomes():
            state = self._judge(chain, income)
            if state is not income.state:
                self._books.set_income_state(number, state)
                log.debug("pool income moved on", number=number, state=state.name.lower())

    def _judge(self, chain: ChainPort, income: Income) -> IncomeState:
        if chain.get_block_id(income.height) != income.block:
            return IncomeState.UNDONE
        if self._is_ripe(chain, income.height) or income.state is IncomeState.EARNED:
            return IncomeState.EARNED
        return IncomeState.YOUNG

    def _is_ripe(self, chain: ChainPort, height: int) -> bool:
        return height <= chain.final_height or height + self._ripe_blocks <= chain.height

    def _update_payouts(self, chain: ChainPort) -> None:
        for number, payout in self._books.list_sent():
            height = chain.find_transaction(TxId(payout.id))
            if height is not None or chain.get_nonce(self._address) <= payout.nonce:
                self._gone_since.pop(number, None)
                self.doubtful.discard(number)
                if height is not None and self._is_ripe(chain, height):
                    self._books.end_payout(number, is_settled=True)
            elif chain.base_height and payout.height <= chain.base_height + self._ripe_blocks:
                self._doubt(number, payout)
            else:
                self._void_when_deep(chain, number)

    def _doubt(self, number: int, payout: Payout) -> None:
        """Leave a payout as it is: it may be in a block below the state that this node began with."""
        if number not in self.doubtful:
            self.doubtful.add(number)
            log.warning(
                "payout may be in a block that this node does not have, and stays pending",
                number=number,
                id=payout.id.hex(),
                height=payout.height,
            )

    def _void_when_deep(self, chain: ChainPort, number: int) -> None:
        """Void a payout once another transaction has had its nonce for long enough to stay."""
        since = self._gone_since.setdefault(number, chain.height)
        if since + self._ripe_blocks <= chain.height:
            del self._gone_since[number]
            self._books.end_payout(number, is_settled=False)
            log.warning("payout void: another transaction took its nonce", number=number)
