"""A backend runs the checks of seals and signatures: on the event loop, or in threads; `processes` adds processes.

Callers know `VerificationBackend` alone, so a simulation on a virtual clock uses the inline one.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Final, Protocol, TypeAlias, TypeVar

from inos.consensus.finality.aggregates import check_block_aggregate
from inos.consensus.params import Params
from inos.consensus.state import StateView
from inos.consensus.validity import check_seal, check_transactions_sanity
from inos.primitives.blocks import Block, Header
from inos.primitives.bls import Bls
from inos.primitives.errors import RuleViolation
from inos.primitives.matrices import Witness
from inos.primitives.transactions import JuryReveal, JuryVote, RegisterVoter, ReportVoter, Transaction
from inos.primitives.units import TxId
from inos.primitives.votes import Aggregate

T = TypeVar("T")

MAX_WORKERS: Final = 8
MIN_PART: Final = 32
"""This many transactions are worth a thread or a process of their own, at some 30 microseconds each."""

BLS_PAYLOADS: Final = (RegisterVoter, ReportVoter, JuryVote, JuryReveal)
"""Each of these takes milliseconds, so a few are worth a thread."""

SealCheck: TypeAlias = Callable[[Params, Header, Witness], None]
"""It raises RuleViolation if a witness does not prove a header's seal."""


class VerificationBackend(Protocol):
    """Runs the checks that cost most and need no parent state."""

    @property
    def workers(self) -> int:
        """Return the number of running processes."""

    async def run(self, check: Callable[[], T]) -> T:
        """Run another check; it runs in a thread if there are threads."""

    async def check_block(self, params: Params, block: Block, witness: Witness) -> tuple[TxId, ...] | None:
        """Check the seal, the transaction root and the transactions of a block in one step, and return their ids.

        None if no process runs that could, or if anything is wrong: then the other checks find what.
        """

    async def check_seal(self, params: Params, header: Header, witness: Witness) -> None:
        """Check that the witness proves the header's seal.

        Raises:
            RuleViolation: it does not.
        """

    async def check_transactions(self, params: Params, transactions: Sequence[Transaction]) -> None:
        """Run stage 1 for each transaction, which includes its signature.

        Raises:
            RuleViolation: a transaction is invalid.
        """

    async def check_aggregate(self, params: Params, state: StateView, aggregate: Aggregate) -> None:
        """Compute the pairing of an aggregate early, so that the BLS backend remembers it for the writer.

        `state` may be another than the block's parent state, so a violation found here proves nothing and is dropped:
        the writer decides.
        """

    async def begin_bulk(self) -> None:
        """Prepare for many checks. May be repeated."""

    async def end_bulk(self) -> None:
        """Release what `begin_bulk` prepared. May be repeated."""

    def close(self) -> None:
        """Release everything; nothing is checked afterwards. May be repeated."""


class InlineBackend:
    """Checks on the event loop, for virtual clocks and tests."""

    def __init__(self, bls: Bls, check_seal: SealCheck = check_seal) -> None:
        self._bls = bls
        self._check_seal = check_seal
        self.workers = 0

    async def run(self, check: Callable[[], T]) -> T:
        return check()

    async def check_block(self, params: Params, block: Block, witness: Witness) -> tuple[TxId, ...] | None:
        return None

    async def check_seal(self, params: Params, header: Header, witness: Witness) -> None:
        self._check_seal(params, header, witness)

    async def check_transactions(self, params: Params, transactions: Sequence[Transaction]) -> None:
        check_transactions_sanity(params, transactions, self._bls)

    async def check_aggregate(self, params: Params, state: StateView, aggregate: Aggregate) -> None:
        """Do nothing: the writer runs in the same thread, so an early check gains nothing."""

    async def begin_bulk(self) -> None:
        """Do nothing, because there is nothing to prepare."""

    async def end_bulk(self) -> None:
        """Do nothing, because there is nothing to release."""

    def close(self) -> None:
        """Do nothing, because there is nothing to release."""


class ThreadBackend:
    """Checks in a few threads: the C code of seals and signatures releases the interpreter's lock."""

    def __init__(self, bls: Bls, check_seal: SealCheck = check_seal, threads: int | None = None) -> None:
        self._bls = bls
        self._check_seal = check_seal
        self._threads = threads or count_workers() + 1
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="verify")
        self._seals = ThreadPoolExecutor(self._threads, thread_name_prefix="seals")
        """The seal of a block does not wait for the thousands of signatures of another one."""

    @property
    def workers(self) -> int:
        return 0

    async def run(self, check: Callable[[], T]) -> T:
        return await self._run(check)

    async def check_block(self, params: Params, block: Block, witness: Witness) -> tuple[TxId, ...] | None:
        return None

    async def check_seal(self, params: Params, header: Header, witness: Witness) -> None:
        check = partial(self._check_seal, params, header, witness)
        await asyncio.get_running_loop().run_in_executor(self._seals, check)

    async def check_transactions(self, params: Params, transactions: Sequence[Transaction]) -> None:
        has_costly = any(isinstance(tx.payload, BLS_PAYLOADS) for tx in transactions)
        parts = split_evenly(transactions, self._threads, 1 if has_costly else MIN_PART)
        await asyncio.gather(
            *(self._run(partial(check_transactions_sanity, params, part, self._bls)) for part in parts)
        )

    async def check_aggregate(self, params: Params, state: StateView, aggregate: Aggregate) -> None:
        with suppress(RuleViolation):
            await self._run(partial(check_block_aggregate, params, state, aggregate, self._bls))

    async def begin_bulk(self) -> None:
        """Do nothing, because threads start with the first check."""

    async def end_bulk(self) -> None:
        """Do nothing, because idle threads cost nothing."""

    def close(self) -> None:
        for pool in (self._seals, self._pool):
            pool.shutdown(wait=False, cancel_futures=True)

    def _run(self, call: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._pool, call)


def split_evenly(items: Sequence[T], parts: int, least: int = MIN_PART) -> list[Sequence[T]]:
    """Split items into at most `parts` parts of about equal size, of at least `least` items each but the last."""
    size = max(least, -(-len(items) // max(parts, 1)))
    return [items[start : start + size] for start in range(0, len(items), size)]


def count_workers() -> int:
    """Return the number of cores this process may use, less the one that runs the chain."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(MAX_WORKERS, cores - 1))
