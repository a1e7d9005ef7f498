"""While a node syncs through history, its own processes check whole blocks: seals, transactions and their signatures.

Pipeline: `check_block` -> a queue -> batches of encoded blocks -> a worker process, which answers with the ids of each
block's transactions, or that something is wrong -> what it calls wrong is checked once more step by step in threads
here, which raise the reason. The processes start when a bulk sync begins and end with it; before, after, and if they
start slowly, threads do the work. When the operating system kills a worker, threads check what it had; after
`MAX_BREAKS` deaths in one bulk sync no more processes are started.
"""

import asyncio
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from functools import partial
from typing import Final, TypeAlias

import msgspec
import structlog

from inos.consensus.params import Params
from inos.consensus.validity import check_body_sanity, check_seal, check_transactions_sanity
from inos.core.verification.backends import ThreadBackend, count_workers
from inos.primitives.blocks import Block
from inos.primitives.bls import Bls
from inos.primitives.codec import encode
from inos.primitives.errors import InosError
from inos.primitives.matrices import Witness
from inos.primitives.units import HASH_BYTES, TxId

log = structlog.get_logger("inos.core")

BATCH_CHECKS: Final = 128
"""One call of a worker makes about so many checks, of seals and signatures: some 6 ms, of which the transfer takes a
fraction."""
BATCH_BLOCKS: Final = 16
"""It has at most so many blocks, of which each brings a witness of 33 KB."""
JOBS_PER_WORKER: Final = 2
"""A worker checks one batch while the next one is on its way."""
MAX_BREAKS: Final = 3
"""A bulk sync goes on with threads alone after this many workers died."""

START_S: Final = 30.0
PATIENCE_S: Final = 2.0
"""Blocks wait so long for processes that start. Threads would check some hundred of them meanwhile, but would delay the
processes, and all that waits for the interpreter's lock."""

Answers: TypeAlias = tuple[bytes | None, ...] | None
"""A worker answers for each block with the ids of its transactions, 32 bytes each; None for a block means that
something in it is wrong, and None for all that the worker died."""

_blocks = msgspec.msgpack.Decoder(tuple[tuple[Block, Witness], ...])


class _Waiting(msgspec.Struct, eq=False):
    """Holds one block until it is checked."""

    params: Params
    block: Block
    witness: Witness
    answer: asyncio.Future[tuple[TxId, ...] | None]


class ProcessBackend(ThreadBackend):
    """Checks whole blocks in processes while they run, and everything else in threads.

    Args:
        bls: checks the signatures of voters, here and in the processes, to which it is pickled.
        workers: the number of processes; by default one for each core but one.
    """

    def __init__(self, bls: Bls, workers: int | None = None) -> None:
        super().__init__(bls)
        self._size = workers or count_workers()
        self._processes: ProcessPoolExecutor | None = None
        self._is_starting = False
        """Blocks wait for the processes."""
        self._waiting: deque[_Waiting] = deque()
        self._running = 0
        self._breaks = 0
        self._turn = asyncio.Lock()

    @property
    def workers(self) -> int:
        return 0 if self._processes is None else self._size

    async def check_block(self, params: Params, block: Block, witness: Witness) -> tuple[TxId, ...] | None:
        if self._processes is None and not self._is_starting:
            return None
        waiting = _Waiting(params, block, witness, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._pump()
        return await waiting.answer

    async def begin_bulk(self) -> None:
        async with self._turn:
            if self._processes is None and self._breaks < MAX_BREAKS:
                await self._start()

    async def end_bulk(self) -> None:
        async with self._turn:
            self._breaks = 0
            self._drop()

    def close(self) -> None:
        self._drop()
        super().close()

    async def _start(self) -> None:
        """Start the processes. Blocks wait until one of them has answered, or for `PATIENCE_S`."""
        pool = ProcessPoolExecutor(self._size, multiprocessing.get_context("spawn"), initializer=begin_worker)
        self._is_starting, is_ready = True, False
        patience = asyncio.get_running_loop().call_later(PATIENCE_S, self._drop)
        try:
            # Starting processes takes milliseconds and their imports take a second, so neither happens on the event
            # loop.
            answer = await asyncio.to_thread(pool.submit, os.getpid)
            async with asyncio.timeout(START_S):
                await asyncio.wrap_future(answer)
            is_ready = True
        except (BrokenProcessPool, OSError, RuntimeError) as error:  # TimeoutError is an OSError.
            self._breaks += 1
            reason = str(error) or "they did not start in time"
            log.warning("verification processes did not start; threads check seals", reason=reason)
        finally:
            patience.cancel()
            if is_ready:
                self._processes, self._is_starting = pool, False
                log.info("verification processes started", workers=self._size)
                self._pump()
            else:
                pool.shutdown(wait=False, cancel_futures=True)
                self._drop()

    def _drop(self) -> None:
        """End the processes; threads answer the callers that still wait."""
        pool, self._processes, self._is_starting = self._processes, None, False
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)
        self._pump()

    def _pump(self) -> None:
        """Give the workers what waits, a batch at a time."""
        while self._waiting and self._processes is None and not self._is_starting:
            _settle(self._waiting.popleft().answer, None)
        while self._waiting and self._processes is not None and self._running < JOBS_PER_WORKER * self._size:
            batch = self._take_batch()
            data = encode(tuple((each.block, each.witness) for each in batch))
            self._running += 1
            answers = self._submit(self._processes, partial(check_block_batch, batch[0].params, self._bls, data))
            answers.add_done_callback(partial(self._on_answers, batch))

    def _take_batch(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        checks = 0
        while self._waiting and checks < BATCH_CHECKS and len(batch) < BATCH_BLOCKS:
            batch.append(self._waiting.popleft())
            checks += 1 + len(batch[-1].block.transactions)
        return batch

    def _on_answers(self, batch: list[_Waiting], answers: asyncio.Future[Answers]) -> None:
        self._running -= 1
        known = None if answers.cancelled() else answers.result()
        for index, waiting in enumerate(batch):
            ids = None if known is None else known[index]
            _settle(waiting.answer, None if ids is None else _split_ids(ids))
        self._pump()

    def _submit(self, pool: ProcessPoolExecutor, call: Callable[[], Answers]) -> asyncio.Future[Answers]:
        """Return a future of a worker's answer, which is None if the worker died over the call."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answers] = loop.create_future()

        def tell(done: Future[Answers]) -> None:
            known = None if done.cancelled() or done.exception() is not None else done.result()
            with suppress(RuntimeError):  # The loop is closed, so nothing waits for the answer.
                loop.call_soon_threadsafe(self._take, pool, answer, known)

        try:
            pool.submit(call).add_done_callback(tell)
        except RuntimeError:  # BrokenProcessPool is a RuntimeError.
            self._take(pool, answer, None)
        return answer

    def _take(self, pool: ProcessPoolExecutor, answer: asyncio.Future[Answers], known: Answers) -> None:
        if known is None and pool is self._processes:
            self._breaks += 1
            log.warning("a verification process died", deaths=self._breaks)
            self._drop()
        if not answer.done():
            answer.set_result(known)


def _settle(answer: asyncio.Future[tuple[TxId, ...] | None], ids: tuple[TxId, ...] | None) -> None:
    if not answer.done():
        answer.set_result(ids)


def _split_ids(ids: bytes) -> tuple[TxId, ...]:
    return tuple(TxId(ids[at : at + HASH_BYTES]) for at in range(0, len(ids), HASH_BYTES))


# The functions below run in the workers.


def begin_worker() -> None:
    """Leave Ctrl-C to the node, and end when the node's process ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def check_block_batch(params: Params, bls: Bls, data: bytes) -> tuple[bytes | None, ...]:
    """Return for each (block, witness) of the encoded tuple the ids of its transactions, or None if anything is wrong
    with seal, body or transactions."""
    return tuple(_list_checked_ids(params, bls, block, witness) for block, witness in _blocks.decode(data))


def _list_checked_ids(params: Params, bls: Bls, block: Block, witness: Witness) -> bytes | None:
    try:
        check_seal(params, block.header, witness)
        ids = check_body_sanity(params, block)
        check_transactions_sanity(params, block.transactions, bls)
    except InosError:
        return None
    return b"".join(ids)
