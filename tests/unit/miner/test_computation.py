"""Programs are claimed, mined and delivered; functions are run first, and claimed with their outcome in hand."""

import asyncio
import threading
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from inos.consensus.records import Claim, JobState
from inos.core.computation import compute_outputs
from inos.functions import HostFailed
from inos.mesh.errors import MeshError
from inos.miner import MinerState, Purpose, computation
from inos.miner import miner as miner_module
from inos.miner.computation import FAILED_BLOCKS
from inos.miner.lifecycle import SETTLED_DEPTH
from inos.miner.program_products import ProgramProducts
from inos.miner.settings import JobKind
from inos.miner.stats import MinerStats
from inos.primitives.errors import InosError
from inos.primitives.transactions import ClaimJob, PostTask, SubmitOutcome, TaskKind, compute_tx_id, sign_transaction
from inos.primitives.units import JobId, MatrixId
from inos.programs.limits import PROFILE_UNITS
from support.functions import build
from support.miner_kernel import ME, OTHER, SETTINGS, Kernel, find, mining
from support.miner_node import FEE
from support.tasks import ECHO, TRAP, Mesh, W, X, make_network, post_function, post_program

ONLY_JOBS = replace(SETTINGS, purpose=Purpose.JOBS)
EVERY = 2**256 - 1
BUILT = make_network()


def share(node: Any, mesh: Mesh) -> None:
    node.matrices.update({MatrixId(id_): array for id_, array in mesh.held.items()})


def post_network(node: Any, **changes: Any) -> JobId:
    mesh = Mesh()
    task = replace(post_program(mesh, BUILT), **changes)
    share(node, mesh)
    return JobId(node.post_task(task))


def post_call(node: Any, module: bytes, stdin: bytes = b"hello", *, reward: int = 10**9, steps: int = 10**9) -> JobId:
    mesh = Mesh()
    task = post_function(mesh, module, stdin, steps=steps)
    share(node, mesh)
    return JobId(node.post_task(task, reward=reward))


def get_outputs(node: Any, job: JobId) -> list[bytes]:
    """Return the outputs that were delivered last."""
    payloads = [tx.payload for tx in node.sent if isinstance(tx.payload, SubmitOutcome) and tx.payload.job == job]
    return [node.matrices[MatrixId(output)].tobytes() for output in payloads[-1].outputs]


class HeldTemplates:
    """Lets a node make no template until it is released."""

    def __init__(self, node: Any) -> None:
        self.entered, self.release = asyncio.Event(), asyncio.Event()
        self._make, node.templates.make = node.templates.make, self.make

    async def make(self, beneficiary: Any) -> Any:
        self.entered.set()
        await self.release.wait()
        return await self._make(beneficiary)


async def test_a_program_is_claimed_first_then_mined_and_delivered(node: Any) -> None:
    job = post_network(node)
    async with mining(node, Kernel(), ONLY_JOBS) as miner:
        await node.until(find(node, ClaimJob, job))
        assert miner.get_status().job_tickets == 0
        node.make_block()
        await node.until(find(node, SubmitOutcome, job))
        product, squares = get_outputs(node, job)
        assert product == (X.astype(np.int32) @ W.T.astype(np.int32)).tobytes()
        assert len(squares) == 400
        node.make_block()
        await node.until(lambda: miner.get_status().jobs_settled == 1)
        status = miner.get_status()
    assert status.job_tickets == node.jobs[job].work.tickets == 2
    assert (status.jobs_lost, status.last_error, node.won) == (0, "", [])


async def test_a_win_inside_a_program_becomes_a_block(node: Any) -> None:
    job = post_network(node)
    node.target = EVERY
    async with mining(node, Kernel(), ONLY_JOBS) as miner:
        await node.until(find(node, ClaimJob, job))
        node.make_block()
        await node.until(lambda: node.won)
        await node.until(lambda: get_outputs(node, job) if node.sent[-1].payload != node.sent[0].payload else None)
        assert miner.get_status().blocks_won == 1, "one block for both tickets of a product"
    (block,) = node.won
    assert (block.header.height, block.header.beneficiary) == (102, ME)
    assert block.header.seal.x.rows == 5


async def test_a_program_goes_on_while_no_template_can_be_made(node: Any) -> None:
    """The claim's bond is at stake, while a ticket without a template loses nothing but its chance."""
    job = post_network(node)
    node.target = EVERY

    async def fail(beneficiary: Any) -> Any:
        raise InosError("no-template", "the chain is busy")

    async with mining(node, Kernel(), ONLY_JOBS) as miner:
        await node.until(find(node, ClaimJob, job))
        node.templates.make = fail
        node.make_block()
        await node.until(find(node, SubmitOutcome, job))
        status = miner.get_status()
    assert (status.job_tickets, status.jobs_lost, status.last_error, node.won) == (2, 0, "", [])


async def test_stop_interrupts_a_program_and_start_runs_it_again(node: Any) -> None:
    job = post_network(node)
    async with mining(node, Kernel(), ONLY_JOBS) as miner:
        await node.until(find(node, ClaimJob, job))
        held = HeldTemplates(node)
        node.make_block()
        await held.entered.wait()
        miner.stop()
        await node.until(lambda: miner.get_status().state is MinerState.STOPPED)
        assert not find(node, SubmitOutcome, job)()
        miner.start()
        held.release.set()
        await node.until(find(node, SubmitOutcome, job))
        assert (miner.get_status().job_tickets, miner.get_status().jobs_lost) == (2, 0)


async def test_a_program_that_another_account_claimed_is_not_computed_to_its_end(node: Any) -> None:
    job = post_network(node)
    async with mining(node, Kernel(), ONLY_JOBS) as miner:
        await node.until(find(node, ClaimJob, job))
        held = HeldTemplates(node)
        node.make_block()
        await held.entered.wait()
        node.jobs[job] = replace(node.jobs[job], worker=OTHER)
        node.claims[job] = Claim(OTHER, 1000, node.height, node.height + 50)
        node.tell_tip()
        await node.until(lambda: miner.get_status().state is MinerState.IDLE)
        assert miner.get_status().jobs_lost == 1
    assert not held.release.is_set()


async def test_a_lapsed_claim_is_claimed_again_and_its_outcome_is_computed_once(node: Any) -> None:
    job = post_network(node)
    async with mining(node, Kernel(), ONLY_JOBS) as miner:
        await node.until(find(node, ClaimJob, job))
        node.make_block()
        await node.until(find(node, SubmitOutcome, job))
        node.pool.clear()
        node.jobs[job] = replace(node.jobs[job], state=JobState.OPEN, worker=None)
        del node.claims[job]
        node.tell_tip()
        await node.until(find(node, ClaimJob, job))
        node.make_block()
        await node.until(find(node, SubmitOutcome, job))
        assert miner.get_status().job_tickets == 2


@pytest.mark.parametrize("kind", [TaskKind.PROGRAM, TaskKind.FUNCTION])
async def test_a_claim_from_before_a_restart_is_computed_and_delivered(node: Any, kind: TaskKind) -> None:
    job = post_network(node) if kind is TaskKind.PROGRAM else post_call(node, ECHO)
    node.jobs[job] = replace(node.jobs[job], state=JobState.CLAIMED, worker=ME)
    node.claims[job] = Claim(ME, 1000, node.height, node.height + 50)
    async with mining(node, Kernel(), ONLY_JOBS):
        await node.until(find(node, SubmitOutcome, job))
    assert len(node.sent) == 1
    assert len(get_outputs(node, job)) == (2 if kind is TaskKind.PROGRAM else 1)


async def test_a_function_is_claimed_with_its_outcome_in_hand(node: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    job, may_end, began = post_call(node, ECHO), threading.Event(), threading.Event()

    def compute(*args: Any, **words: Any) -> Any:
        began.set()
        assert may_end.wait(60)
        return compute_outputs(*args, **words)

    monkeypatch.setattr(computation, "compute_outputs", compute)
    async with mining(node, Kernel()) as miner:
        assert await asyncio.to_thread(began.wait, 10)
        filler = miner.get_status().filler_tickets
        await node.until(lambda: miner.get_status().filler_tickets > filler)  # It runs beside the mining.
        assert node.sent == []
        may_end.set()
        await node.until(find(node, ClaimJob, job))
        node.make_block()
        await node.until(find(node, SubmitOutcome, job))
        node.make_block()
        await node.until(lambda: miner.get_status().jobs_settled == 1)
    assert get_outputs(node, job) == [b"hello"]


@pytest.mark.parametrize("module", [TRAP], ids=["trap"])
async def test_a_function_without_an_outcome_is_never_claimed_and_its_posters_module_avoided(
    node: Any, module: bytes
) -> None:
    job = post_call(node, module)
    async with mining(node, Kernel(), ONLY_JOBS) as miner:
        await node.until(lambda: miner.get_status().jobs_lost == 1)
        assert "no-outcome" in miner.get_status().last_error
        again = post_call(node, module, b"another input", reward=10**10)
        await node.until(lambda: again.hex()[:16] in miner.get_status().last_error)
        assert "module-failed" in miner.get_status().last_error
        other = post_call(node, module, b"of another poster")
        node.jobs[other] = replace(node.jobs[other], poster=OTHER)
        await node.until(lambda: miner.get_status().jobs_lost == 2)
        for _ in range(FAILED_BLOCKS):
            node.make_block()
        await node.until(lambda: miner.get_status().jobs_lost > 2)
    assert node.sent == []
    assert node.jobs[job].state is JobState.OPEN


async def test_a_machine_that_cannot_run_functions_blames_no_module(node: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise HostFailed("functions-missing", "no engine")

    monkeypatch.setattr(computation, "compute_outputs", fail)
    job = post_call(node, ECHO)
    async with mining(node, Kernel(), ONLY_JOBS) as miner:
        await node.until(lambda: miner.get_status().jobs_lost == 1)
        monkeypatch.undo()
        other = post_call(node, ECHO, b"other")
        await node.until(find(node, ClaimJob, other))
    assert not find(node, ClaimJob, job)()


async def test_functions_that_wait_for_their_turn_take_the_room_of_claims(
    node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a miner would hold the files of every open function in memory."""
    may_end = threading.Event()
    monkeypatch.setattr(
        computation, "compute_outputs", lambda *args, **words: may_end.wait(60) and compute_outputs(*args, **words)
    )
    mesh = Mesh()
    tasks = [post_function(mesh, ECHO, bytes([number])) for number in range(5)]
    share(node, mesh)
    for task in tasks:
        node.post_task(task)
    async with mining(node, Kernel(), replace(ONLY_JOBS, max_claims=2, fetch_ahead_bytes=0)) as miner:
        await node.until(lambda: miner.get_status().jobs_in_progress == 2)
        looks, list_jobs = [], node.list_jobs
        node.list_jobs = lambda **words: looks.append(words["state"]) or list_jobs(**words)
        node.make_block()
        await node.until(lambda: looks.count(JobState.OPEN) >= 2)
        assert miner.get_status().jobs_in_progress == 2
        may_end.set()
        await node.until(lambda: len(node.sent) == 2)


async def test_a_function_whose_job_is_gone_is_stopped(node: Any) -> None:
    """The machine would be busy with it until its steps are over."""
    endless = build("(loop $again (br $again))")
    job = post_call(node, endless, steps=2**33)
    async with mining(node, Kernel(), ONLY_JOBS) as miner:
        await node.until(lambda: miner.get_status().jobs_in_progress == 1)
        node.jobs[job] = replace(node.jobs[job], state=JobState.CANCELLED)
        other = post_call(node, ECHO)
        node.tell_tip()
        await node.until(find(node, ClaimJob, other))
        assert miner.get_status().jobs_lost == 1


@pytest.mark.parametrize("kind", [TaskKind.PROGRAM, TaskKind.FUNCTION])
async def test_a_function_is_not_run_for_a_posting_that_no_block_has(node: Any, kind: TaskKind) -> None:
    """Its poster could replace the posting, and have it run for nothing. A program is claimed at once."""
    mesh = Mesh()
    task = post_program(mesh, BUILT) if kind is TaskKind.PROGRAM else post_function(mesh, ECHO, b"hello")
    share(node, mesh)
    payload = PostTask(kind, task.spec, task.inputs, task.tickets, task.units, 10**9, 1000, 50, 10_000, 10**9)
    tx = sign_transaction(bytes([9]) * 32, node.params.chain_id, 0, FEE, payload)
    node.pool[compute_tx_id(tx)] = tx
    job = JobId(compute_tx_id(tx))
    async with mining(node, Kernel()) as miner:
        if kind is TaskKind.FUNCTION:
            await node.until(lambda: node.made >= 3)
            assert (miner.get_status().jobs_in_progress, node.matrices.fetches) == (0, [])
            node.make_block()
        await node.until(find(node, ClaimJob, job))
        assert node.height == (100 if kind is TaskKind.PROGRAM else 101)


@pytest.mark.parametrize(
    ("kinds", "changes"),
    [
        ({JobKind.PRODUCT, JobKind.FUNCTION}, {}),
        (set(JobKind), {"units": PROFILE_UNITS + 1}),
        (set(JobKind), {"inputs": ()}),
        (set(JobKind), {"tickets": 1}),
        (set(JobKind), {"units": 2}),
    ],
    ids=["other kind", "too large", "no input", "too few tickets", "too few units"],
)
async def test_a_program_that_is_not_worth_a_bond_is_not_claimed(
    node: Any, kinds: set[JobKind], changes: dict[str, Any]
) -> None:
    bad = post_network(node, **changes)
    good = post_call(node, ECHO, reward=1)
    node.jobs[good] = replace(node.jobs[good], reward=10 * FEE)
    async with mining(node, Kernel(), replace(ONLY_JOBS, job_kinds=frozenset(kinds))):
        await node.until(find(node, ClaimJob, good))
    assert not find(node, ClaimJob, bad)()


async def test_functions_are_left_alone_if_the_settings_say_so(node: Any) -> None:
    bad, good = post_call(node, ECHO, reward=10**10), post_network(node)
    settings = replace(ONLY_JOBS, job_kinds=frozenset({JobKind.PROGRAM}))
    async with mining(node, Kernel(), settings):
        await node.until(find(node, ClaimJob, good))
    assert not find(node, ClaimJob, bad)()


def test_the_speed_of_a_program_counts_its_units_over_all_its_time() -> None:
    """Tickets alone would say that the machine is slow, since most units of a program may draw none."""
    stats = MinerStats()
    stats.count_tickets(2, 10.0, is_job=True)
    assert (stats.job_tickets, stats.speed) == (2, 0)
    stats.note_speed(5000, 2.0)
    assert stats.speed == 2500
    stats.count_slice(100, 0.5, 11.0, is_job=False)
    assert (stats.job_tickets, stats.filler_tickets, stats.get_rate(11.0)) == (2, 100, 102)
    assert stats.speed == pytest.approx(0.7 * 2500 + 0.3 * 200)


class LateFuture(Future[Any]):
    """Ends just after a wait for it timed out."""

    def result(self, timeout: float | None = None) -> Any:
        if not self.done():
            self.set_result("draw")
            raise TimeoutError
        return super().result(timeout)


async def test_a_template_that_comes_just_after_a_look_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    products = ProgramProducts(Any, Any, 1.0, (), backend="auto", threads=1, stop=threading.Event())  # type: ignore[arg-type]
    monkeypatch.setattr(asyncio, "run_coroutine_threadsafe", lambda call, loop: call)
    assert products._wait(LateFuture()) == "draw"  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [TaskKind.PROGRAM, TaskKind.FUNCTION])
async def test_an_outcome_survives_a_restart_until_it_is_paid(
    node: Any, kind: TaskKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The miner ends after it computed the outcome and before a block has its delivery."""
    job = post_network(node) if kind is TaskKind.PROGRAM else post_call(node, ECHO)
    last = SubmitOutcome if kind is TaskKind.PROGRAM else ClaimJob
    async with mining(node, Kernel(), ONLY_JOBS):
        if kind is TaskKind.PROGRAM:
            await node.until(find(node, ClaimJob, job))
            node.make_block()
        await node.until(find(node, last, job))
    assert job in node.matrices.outcomes
    node.pool.clear()
    node.matrices.fetches.clear()

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("the outcome is computed again")

    monkeypatch.setattr(computation, "compute_outputs", refuse)
    monkeypatch.setattr(miner_module, "compute_outputs", refuse)
    async with mining(node, Kernel(), ONLY_JOBS) as miner:
        if kind is TaskKind.FUNCTION:
            await node.until(find(node, ClaimJob, job))
            node.make_block()
        await node.until(find(node, SubmitOutcome, job))
        assert (miner.get_status().job_tickets, node.matrices.fetches) == (0, [])
        node.make_block()
        await node.until(lambda: miner.get_status().jobs_settled == 1)
        for _ in range(SETTLED_DEPTH):
            node.make_block()
        await node.until(lambda: not node.matrices.outcomes)
    assert len(get_outputs(node, job)) == (2 if kind is TaskKind.PROGRAM else 1)


async def test_outputs_that_the_disk_refuses_are_kept_in_memory_and_stored_later(
    node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, refused = post_network(node), asyncio.Event()

    async def refuse(*_: Any) -> Any:
        refused.set()
        raise MeshError("store-full", "no room")

    keep = node.matrices.keep_outcome
    monkeypatch.setattr(node.matrices, "keep_outcome", refuse)
    async with mining(node, Kernel(), ONLY_JOBS) as miner:
        await node.until(find(node, ClaimJob, job))
        node.make_block()
        await refused.wait()
        monkeypatch.setattr(node.matrices, "keep_outcome", keep)
        await node.until(find(node, SubmitOutcome, job))
        assert miner.get_status().job_tickets == 2, "it is computed once"
