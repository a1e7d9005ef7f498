"""Seals and signatures get the same verdict inline and in threads, whole blocks in processes, and a killed process
loses none."""

import asyncio
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager

import msgspec
import pytest

from inos.core.verification import backends, processes
from inos.core.verification.backends import InlineBackend, ThreadBackend, split_evenly
from inos.core.verification.processes import BATCH_BLOCKS, MAX_BREAKS, ProcessBackend, check_block_batch
from inos.primitives.bls import get_bls
from inos.primitives.codec import encode
from inos.primitives.errors import RuleViolation
from inos.primitives.transactions import compute_tx_id
from support.chain_maker import ALICE, BOB, Branch

BRANCH = Branch()
MADE = BRANCH.grow_by(2)
PAYING = Branch()
FULL = PAYING.grow(PAYING.pay(ALICE, BOB.address), PAYING.pay(ALICE, BOB.address, ahead=1))
PARAMS = BRANCH.params
BAD = msgspec.structs.replace(MADE[0].witness, x_strip=bytes(len(MADE[0].witness.x_strip)))
TXS = [BRANCH.pay(ALICE, BOB.address, ahead=ahead) for ahead in range(70)]
FORGED = [*TXS[:-1], msgspec.structs.replace(TXS[-1], fee=2)]


@asynccontextmanager
async def running(kind):
    backend = kind(get_bls())
    try:
        await backend.begin_bulk()
        yield backend
        await backend.end_bulk()
    finally:
        backend.close()


@pytest.mark.parametrize("kind", [InlineBackend, ThreadBackend, ProcessBackend])
async def test_what_holds_passes_and_what_does_not_is_told_why(kind):
    async with running(kind) as backend:
        # These are more than fit into one batch, with a bad one among them.
        checks = [backend.check_seal(PARAMS, made.block.header, made.witness) for made in MADE * 20]
        checks.insert(7, backend.check_seal(PARAMS, MADE[0].block.header, BAD))
        found = await asyncio.gather(*checks, return_exceptions=True)
        assert [each for each in found if each is not None] == [found[7]]
        assert isinstance(found[7], RuleViolation)
        assert found[7].code == "bad-x-path"
        await backend.check_transactions(PARAMS, TXS)
        await backend.check_transactions(PARAMS, [])
        with pytest.raises(RuleViolation) as caught:
            await backend.check_transactions(PARAMS, FORGED)
        assert caught.value.code == "bad-signature"


@pytest.mark.parametrize("kind", [InlineBackend, ThreadBackend])
async def test_of_many_small_blocks_at_once_only_the_forged_one_is_refused(kind):
    async with running(kind) as backend:
        blocks = [TXS[at : at + 7] for at in range(0, 70, 7)] * 6
        blocks.insert(23, FORGED[-7:])
        checks = [backend.check_transactions(PARAMS, block) for block in blocks]
        found = await asyncio.gather(*checks, return_exceptions=True)
        assert [place for place, each in enumerate(found) if each is not None] == [23]
        assert found[23].code == "bad-signature"


async def test_a_seal_does_not_wait_for_the_signatures_of_another_block(monkeypatch):
    """All threads that check signatures are held up until the seal was checked."""
    has_sealed, check_all = threading.Event(), backends.check_transactions_sanity

    def wait_and_check(*args):
        assert has_sealed.wait(60)
        check_all(*args)

    monkeypatch.setattr(backends, "check_transactions_sanity", wait_and_check)
    async with running(ThreadBackend) as backend:
        checking = asyncio.gather(*(backend.check_transactions(PARAMS, TXS) for _ in range(4)))
        await asyncio.sleep(0)
        async with asyncio.timeout(60):
            await backend.check_seal(PARAMS, MADE[0].block.header, MADE[0].witness)
        has_sealed.set()
        await checking


def list_ids(block):
    return tuple(map(compute_tx_id, block.transactions))


@pytest.mark.parametrize("kind", [InlineBackend, ThreadBackend])
async def test_without_processes_no_block_is_checked_in_one_step(kind):
    async with running(kind) as backend:
        assert await backend.check_block(PARAMS, FULL.block, FULL.witness) is None


async def test_processes_check_whole_blocks_and_leave_wrong_ones_to_the_other_checks():
    body = FULL.block.transactions
    forged = msgspec.structs.replace(FULL.block, transactions=(body[0], msgspec.structs.replace(body[1], fee=2)))
    good = [(FULL.block, FULL.witness), *((made.block, made.witness) for made in MADE)]
    wrong = [(FULL.block, BAD), (forged, FULL.witness), (msgspec.structs.replace(FULL.block, transactions=()), BAD)]
    asked = (good + wrong) * BATCH_BLOCKS  # These are more than fit into one batch.
    async with running(ProcessBackend) as backend:
        found = await asyncio.gather(*(backend.check_block(PARAMS, *each) for each in asked))
        await backend.end_bulk()
        assert await backend.check_block(PARAMS, FULL.block, FULL.witness) is None
    assert found == [*(list_ids(block) for block, _ in good), *(None for _ in wrong)] * BATCH_BLOCKS


async def test_blocks_wait_for_processes_that_start(monkeypatch):
    monkeypatch.setattr(processes, "PATIENCE_S", 60)
    backend = ProcessBackend(get_bls(), workers=1)
    try:
        starting = asyncio.ensure_future(backend.begin_bulk())
        await asyncio.sleep(0)
        assert backend.workers == 0
        ids = await backend.check_block(PARAMS, FULL.block, FULL.witness)
        assert ids == list_ids(FULL.block)
        await starting
        await backend.end_bulk()
    finally:
        backend.close()


@pytest.mark.parametrize("end", ["patience", "cancel", "close", "failure"])
async def test_blocks_do_not_wait_for_processes_that_do_not_start(end, monkeypatch):
    """A process that never starts, one that comes too late, and the end of the node leave the blocks to threads."""
    may_start = threading.Event()

    def submit(*_):
        assert may_start.wait(60)
        raise OSError("no more processes")

    monkeypatch.setattr(processes, "PATIENCE_S", 0.01 if end == "patience" else 60)
    monkeypatch.setattr(ProcessPoolExecutor, "submit", submit)
    backend = ProcessBackend(get_bls(), workers=1)
    starting = asyncio.ensure_future(backend.begin_bulk())
    await asyncio.sleep(0)
    checking = asyncio.ensure_future(backend.check_block(PARAMS, FULL.block, FULL.witness))
    await asyncio.sleep(0)
    assert not checking.done()
    try:
        async with asyncio.timeout(60):
            match end:
                case "cancel":
                    starting.cancel()
                case "close":
                    backend.close()
                case "failure":
                    may_start.set()
            assert await checking is None
            assert await backend.check_block(PARAMS, FULL.block, FULL.witness) is None
    finally:
        may_start.set()
        await asyncio.gather(starting, return_exceptions=True)
        assert backend.workers == 0
        backend.close()


async def test_processes_live_as_long_as_the_bulk_sync_and_a_killed_one_is_survived():
    backend = ProcessBackend(get_bls(), workers=1)
    try:
        assert backend.workers == 0
        for _ in range(MAX_BREAKS):
            await backend.begin_bulk()
            assert backend.workers == 1
            (pid,) = backend._processes._processes
            checks = [
                asyncio.ensure_future(backend.check_block(PARAMS, made.block, made.witness))
                for made in (*MADE, FULL) * 40
            ]
            await asyncio.sleep(0)
            os.kill(pid, signal.SIGKILL)
            # Its blocks are left to the other checks.
            assert None in await asyncio.gather(*checks)
            while backend.workers:
                await backend.check_block(PARAMS, MADE[0].block, MADE[0].witness)
        # After this many deaths no process is started in this sync, and threads continue.
        await backend.begin_bulk()
        assert backend.workers == 0
        assert await backend.check_block(PARAMS, MADE[1].block, MADE[1].witness) is None
        await backend.check_seal(PARAMS, MADE[1].block.header, MADE[1].witness)
        await backend.end_bulk()
    finally:
        backend.close()


def test_a_worker_says_no_and_does_not_raise():
    data = encode(((FULL.block, BAD), (FULL.block, FULL.witness)))
    assert check_block_batch(PARAMS, get_bls(), data) == (None, b"".join(list_ids(FULL.block)))


def test_work_is_cut_into_parts_that_are_worth_it():
    assert [len(part) for part in split_evenly(range(100), 2)] == [50, 50]
    assert [len(part) for part in split_evenly(range(40), 8)] == [32, 8]
    assert split_evenly([], 4) == []
