"""Attacks on tasks: what posters and workers try, played on the rules with the check that a juror makes."""

from typing import Any

import msgspec
import numpy as np
import pytest

from inos.consensus.jury import MAX_BOND_SUBSIDIES, compute_min_bond, compute_task_mib
from inos.consensus.params import compute_subsidy
from inos.consensus.records import JobState, TaskWork
from inos.consensus.transactionrules import MAX_UNITS
from inos.genesis import load_network
from inos.primitives.errors import MatrixMissing
from inos.primitives.transactions import ClaimJob, PostTask, SubmitOutcome, SubmitResult, Verdict, compute_tx_id
from inos.primitives.units import U64_MAX, Height, JobId, Nano
from inos.programs.limits import PROFILE_UNITS
from support.consensus_lab import ALICE, BOB, CAROL, NOBODY, Lab, get_code, make_result, make_task
from support.juries import BOND, JURY_PARAMS, REWARD, Court
from support.tasks import ECHO, Mesh, W, X, judge_outcome, make_network, post_function, post_program
from support.tiles import make_challenge

BUILT = make_network()
PRODUCT = X.astype(np.int32) @ W.T.astype(np.int32)
SQUARES = (np.clip((PRODUCT + (1 << 11)) >> 12, -32, 31) ** 2 * 300).astype(np.int32)
OUTCOME = (PRODUCT.tobytes(), SQUARES.tobytes())


class Trial:
    """A task of Alice's that Bob delivered, and its files."""

    def __init__(self, mesh: Mesh, task: TaskWork, outputs: tuple[bytes, ...]) -> None:
        self.court, self.mesh = Court({"miner": 10}), mesh
        terms = {"reward": REWARD, "bond": BOND, "deadline": self.court.height + 20}
        fields = {name: getattr(task, name) for name in ("kind", "spec", "inputs", "tickets", "units")}
        post = self.court.sign(ALICE, make_task(self.court.height + 1, **(fields | terms)))
        self.job = JobId(compute_tx_id(post))
        self.before = self.court.get_wealth("bob")
        self.court.mine(post, miner=NOBODY)
        self.court.mine(self.court.sign(BOB, ClaimJob(self.job)), miner=NOBODY)
        ids = tuple(mesh.put(output) for output in outputs)
        self.court.mine(self.court.sign(BOB, SubmitOutcome(self.job, ids)), miner=NOBODY)

    @property
    def task(self) -> TaskWork:
        found = self.court.state.get_job(self.job)
        assert found is not None
        assert isinstance(found.work, TaskWork)
        return found.work

    @property
    def state(self) -> JobState:
        found = self.court.state.get_job(self.job)
        assert found is not None
        return found.state

    async def dispute(self) -> Verdict:
        """Let Carol dispute, and a juror say what it finds; return its verdict."""
        self.court.dispute(self.job)
        try:
            verdict = await judge_outcome(self.mesh, self.task)
        except MatrixMissing:
            verdict = Verdict.UNAVAILABLE
        for step in (self.court.commit, self.court.reveal):
            step(self.job, {"miner": verdict})
        self.court.count(self.job)
        return verdict

    @property
    def gain(self) -> int:
        """What Bob has gained, but for the fees of his transactions."""
        return self.court.get_wealth("bob") - self.before + 2


async def test_honest_work_survives_its_dispute() -> None:
    mesh = Mesh()
    trial = Trial(mesh, post_program(mesh, BUILT), OUTCOME)
    assert await trial.dispute() is Verdict.RIGHT
    trial.court.mine_until(trial.court.height + 3)
    assert trial.state is JobState.SETTLED
    assert trial.gain > 0


@pytest.mark.parametrize("changes", [{"units": 1, "tickets": 1}, {"units": 1, "tickets": 0}, {"tickets": 3}])
async def test_poster_and_worker_that_agree_on_a_false_price_lose_a_bond(changes: dict[str, Any]) -> None:
    """They would burn next to nothing, or be counted as more paid work than they did."""
    mesh = Mesh()
    trial = Trial(mesh, msgspec.structs.replace(post_program(mesh, BUILT), **changes), OUTCOME)
    assert await trial.dispute() is Verdict.WRONG
    assert (trial.state, trial.gain) == (JobState.OPEN, -BOND)


async def test_a_function_counts_as_no_paid_share() -> None:
    mesh = Mesh()
    task = post_function(mesh, ECHO, b"hello")
    lab = Lab()
    lab.mine(miner=NOBODY)
    fields = {"kind": task.kind, "spec": task.spec, "inputs": task.inputs, "units": task.units, "tickets": 1}
    post = make_task(lab.height + 1, **fields, max_burn=10**6)
    assert get_code(lambda: lab.mine(lab.sign(ALICE, post))) == "bad-units"


@pytest.mark.parametrize(
    "inputs",
    [(X.tobytes() + b"\0",), (bytes([64]) + X.tobytes()[1:],), (X,), (), (X.tobytes(), X.tobytes())],
    ids=["longer", "out of range", "operand", "none", "two"],
)
async def test_a_worker_that_takes_inputs_of_the_wrong_type_loses_its_bond(inputs: tuple[Any, ...]) -> None:
    mesh = Mesh()
    task = msgspec.structs.replace(post_program(mesh, BUILT), inputs=tuple(map(mesh.put, inputs)))
    trial = Trial(mesh, task, OUTCOME)
    assert await trial.dispute() is Verdict.WRONG
    assert (trial.state, trial.gain) == (JobState.OPEN, -BOND)


@pytest.mark.parametrize("which", [0, 1])
async def test_outputs_that_nobody_gets_cost_the_bond(which: int) -> None:
    mesh = Mesh()
    trial = Trial(mesh, post_program(mesh, BUILT), OUTCOME)
    outputs = trial.task.outputs
    assert outputs is not None
    del mesh.held[outputs[which]]
    assert await trial.dispute() is Verdict.UNAVAILABLE
    assert (trial.state, trial.gain) == (JobState.OPEN, -BOND)


async def test_a_gigabyte_in_place_of_an_output_is_wrong_and_not_fetched() -> None:
    """A juror that would fetch it has no verdict in time, and the worker keeps its bond."""
    mesh = Mesh()
    trial = Trial(mesh, post_program(mesh, BUILT), (bytes(2**21), OUTCOME[1]))
    assert await trial.dispute() is Verdict.WRONG
    assert (trial.state, trial.gain) == (JobState.OPEN, -BOND)


def test_no_challenge_and_no_product_ends_a_task() -> None:
    """A challenge needs the tiles of a product: it would convict a worker whose task has none."""
    mesh = Mesh()
    trial = Trial(mesh, post_program(mesh, BUILT), OUTCOME)
    court = trial.court
    assert get_code(lambda: court.mine(court.sign(CAROL, make_challenge(trial.job)))) == "wrong-kind"
    assert get_code(lambda: court.mine(court.sign(BOB, SubmitResult(trial.job, make_result(1, 1))))) == "wrong-kind"
    assert trial.state is JobState.DELIVERED


def test_the_largest_tasks_overflow_no_sum() -> None:
    """Burn, jury fee and counts are exact up to the last unit, and one unit more is refused."""
    params = msgspec.structs.replace(JURY_PARAMS, burn_per_mille=0, jury_mib_fee=Nano(0))
    court = Court({"miner": 10}, params)
    jobs = []
    for _ in range(2):
        post = make_task(court.height + 1, units=MAX_UNITS, tickets=MAX_UNITS, bond=BOND)
        tx = court.sign(ALICE, post)
        court.mine(tx, miner=NOBODY)
        court.mine(court.sign(BOB, ClaimJob(JobId(compute_tx_id(tx)))), miner=NOBODY)
        court.mine(court.sign(BOB, SubmitOutcome(JobId(compute_tx_id(tx)), (bytes(32),))), miner=NOBODY)
        jobs.append(JobId(compute_tx_id(tx)))
    court.mine_until(court.height + 4)
    assert all(court.state.get_job(job).state is JobState.SETTLED for job in jobs)  # type: ignore[union-attr]
    more = make_task(court.height + 1, units=MAX_UNITS + 1, tickets=0, bond=BOND)
    assert get_code(lambda: court.mine(court.sign(ALICE, more))) == "bad-units"


def test_the_largest_task_cannot_be_afforded_and_its_price_does_not_overflow() -> None:
    def post(court: Court, **changes: Any) -> PostTask:
        return make_task(court.height + 1, units=MAX_UNITS, tickets=0, bond=BOND, **changes)

    court = Court({"miner": 10}, msgspec.structs.replace(JURY_PARAMS, jury_mib_fee=Nano(0)))
    for most, code in ((10_000, "burn-above-maximum"), (U64_MAX - 1, "insufficient-balance")):
        assert get_code(lambda m=most: court.mine(court.sign(ALICE, post(court, max_burn=m)))) == code  # type: ignore[misc]
    court = Court({"miner": 10})
    assert get_code(lambda: court.mine(court.sign(ALICE, post(court)))) == "bond-too-small"


@pytest.mark.parametrize("network", ["devnet", "testnet"])
def test_the_jury_profile_can_be_posted_and_far_more_cannot(network: str) -> None:
    """The bond pays a jury by units, and is at most four subsidies."""
    params = load_network(network).params
    most = MAX_BOND_SUBSIDIES * compute_subsidy(params, Height(1))
    assert compute_min_bond(params, 1, compute_task_mib(PROFILE_UNITS)) <= most
    assert compute_min_bond(params, 1, compute_task_mib(MAX_UNITS)) > most
