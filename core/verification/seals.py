"""Who checks seals and signatures: inline, or in threads; `verifier_pool` adds processes.

Sync knows the Protocol alone, so a simulation on a virtual clock hands in the inline one.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, Protocol, TypeAlias, TypeVar

from inos.consensus.params import Params
from inos.consensus.validity import check_seal, check_transaction_sanity
from inos.primitives.blocks import Header
from inos.primitives.bls import Bls
from inos.primitives.matrices import Witness
from inos.primitives.transactions import Transaction

T = TypeVar("T")

MAX_WORKERS: Final = 8
MIN_PART: Final = 32
"""Transactions that are worth a thread or a process of their own, at some 30 microseconds each."""

SealCheck: TypeAlias = Callable[[Params, Header, Witness], None]
"""Raises RuleViolation where a witness does not prove a header's seal."""


class SealVerifier(Protocol):
    """Checks what costs most and needs no state."""

    @property
    def workers(self) -> int:
        """Processes at work now."""

    async def check(self, params: Params, header: Header, witness: Witness) -> None:
        """The witness proves the header's seal.

        Raises:
            RuleViolation: it does not.
        """

    async def check_transactions(self, params: Params, transactions: Sequence[Transaction]) -> None:
        """Stage 1 of each, its signature above all.

        Raises:
            RuleViolation: of one that fails.
        """

    async def begin_bulk(self) -> None:
        """Much is to come: get ready what helps. May be repeated."""

    async def end_bulk(self) -> None:
        """It is over: let go of it. May be repeated."""

    def close(self) -> None:
        """The end: nothing is checked any more. May be repeated."""


class InlineVerifier:
    """On the event loop, for virtual clocks and tests."""

    def __init__(self, bls: Bls, check_seal: SealCheck = check_seal) -> None:
        self._bls = bls
        self._check_seal = check_seal
        self.workers = 0

    async def check(self, params: Params, header: Header, witness: Witness) -> None:
        self._check_seal(params, header, witness)

    async def check_transactions(self, params: Params, transactions: Sequence[Transaction]) -> None:
        check_all(params, transactions, self._bls)

    async def begin_bulk(self) -> None:
        """Nothing to get ready."""

    async def end_bulk(self) -> None:
        """Nothing to let go of."""

    def close(self) -> None:
        """Nothing to close."""


class ThreadVerifier:
    """In a few threads: seals and signatures are checked in C, which lets go of the interpreter meanwhile."""

    def __init__(self, bls: Bls, check_seal: SealCheck = check_seal, threads: int | None = None) -> None:
        self._bls = bls
        self._check_seal = check_seal
        self._threads = threads or count_workers() + 1
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="verify")
        self.workers = 0

    async def check(self, params: Params, header: Header, witness: Witness) -> None:
        await self._run(partial(self._check_seal, params, header, witness))

    async def check_transactions(self, params: Params, transactions: Sequence[Transaction]) -> None:
        parts = cut(transactions, self._threads)
        await asyncio.gather(*(self._run(partial(check_all, params, part, self._bls)) for part in parts))

    async def begin_bulk(self) -> None:
        """Threads come with the first check."""

    async def end_bulk(self) -> None:
        """Idle threads cost nothing."""

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self, call: Callable[[], None]) -> asyncio.Future[None]:
        return asyncio.get_running_loop().run_in_executor(self._pool, call)


def check_all(params: Params, transactions: Sequence[Transaction], bls: Bls) -> None:
    """Stage 1 of each in turn; RuleViolation of the first that fails."""
    for tx in transactions:
        check_transaction_sanity(params, tx, bls)


def cut(items: Sequence[T], parts: int) -> list[Sequence[T]]:
    """At most `parts` about equal parts, none of them too small to be worth it."""
    size = max(MIN_PART, -(-len(items) // max(parts, 1)))
    return [items[start : start + size] for start in range(0, len(items), size)]


def count_workers() -> int:
    """One for each core this process may use, less the one that runs the chain."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(MAX_WORKERS, cores - 1))
