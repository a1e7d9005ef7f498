"""The devnet's customer posts one program a batch, and products as long as no jury can judge programs."""

import asyncio
from typing import Any

import numpy as np
import pytest

from inos.client.errors import ClientError
from inos.devnet.errors import DevnetError
from inos.devnet.workload import BATCHES, MAX_UNPAID, DigitWorkload, WorkloadProgress
from inos.programs import check_program, run_program
from inos.programs.builder import BuiltProgram
from inos.programs.products import multiply
from inos.wallet.errors import WalletError
from support.digit_tasks import make_digit_task

COUNT = 30


class Market:
    """Answers at once. It has no jury for the first batches, and settles programs when it is told to."""

    def __init__(self, batches_without_jury: int = 0) -> None:
        self._without_jury = batches_without_jury
        self.due = asyncio.Event()
        self.deployed: dict[str, BuiltProgram] = {}
        self.posted: list[str] = []
        self.rewards: list[Any] = []
        self.lie = 0

    async def multiply(self, x: Any, w: Any, **_: Any) -> Any:
        self.posted.append("product")
        return multiply(x, w, 1)

    async def deploy(self, program: BuiltProgram) -> str:
        self.deployed["program"] = program
        return "program"

    async def run(self, program: str, inputs: Any, *, terms: Any, timeout_s: float, on_posted: Any) -> Any:
        self._without_jury -= 1
        if self._without_jury >= 0:
            raise WalletError("no-jury", "too few voters")
        self.posted.append("program")
        self.rewards.append(terms.reward)
        on_posted(f"job {len(self.posted)}")
        built = self.deployed[program]
        (digits,) = run_program(check_program(built.program), inputs, built.load)
        return [digits + self.lie]

    async def wait_job(self, job: str, timeout_s: float) -> object:
        await self.due.wait()
        return job


def make(market: Market) -> DigitWorkload:
    return DigitWorkload(market, make_digit_task(COUNT), job_timeout_s=1)


def test_a_program_is_the_same_network() -> None:
    task = make_digit_task(COUNT)
    built = task.build_program(COUNT)
    (digits,) = run_program(check_program(built.program), [task.images], built.load)
    assert np.array_equal(digits[:, 0], task.predict_locally(task.images))
    assert len(np.unique(digits)) > 1


async def test_each_batch_is_one_program_which_is_settled_later() -> None:
    market = Market()
    workload = make(market)

    def is_enough(progress: WorkloadProgress) -> bool:
        if progress.passes == 1:
            assert (progress.programs_answered, progress.jobs_settled) == (BATCHES, 0)
            asyncio.get_running_loop().call_soon(market.due.set)
        return progress.passes == 2

    await workload.run(is_enough)
    assert market.posted == ["program"] * 2 * BATCHES
    progress = workload.progress
    assert (progress.jobs_posted, progress.programs_posted, progress.is_jury_missing) == (
        2 * BATCHES,
        2 * BATCHES,
        False,
    )
    assert progress.jobs_settled >= BATCHES
    assert progress.images == 2 * BATCHES * (COUNT // BATCHES)
    units = check_program(market.deployed["program"].program).cost.units
    assert {float(reward) for reward in market.rewards} == {units / 1000}


async def test_miners_keep_claims_for_the_jobs_of_others() -> None:
    """No program is paid until all of the first pass are answered and the loop is idle."""
    market = Market()
    workload = make(market)
    seen: list[int] = []

    async def pay_later() -> None:
        for _ in range(100):  # more steps of the loop than a pass takes
            await asyncio.sleep(0)
        seen.append(len(market.posted))
        market.due.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(pay_later())
        await workload.run(lambda progress: progress.passes == 3)
    assert seen == [MAX_UNPAID]
    assert len(market.posted) == 3 * BATCHES


async def test_layers_are_products_until_there_is_a_jury() -> None:
    market = Market(batches_without_jury=BATCHES + 1)
    market.due.set()
    workload = make(market)
    missing = []

    def is_enough(progress: WorkloadProgress) -> bool:
        missing.append(progress.is_jury_missing)
        return progress.passes == 3

    await workload.run(is_enough)
    assert market.posted.count("product") == 2 * (BATCHES + 1)
    assert market.posted.count("program") == workload.progress.programs_answered == 2 * BATCHES - 1
    assert missing[:2] == [True, True]
    assert missing[3] is False
    assert workload.progress.accuracy == workload.progress.local_accuracy


async def get_errors(market: Market) -> set[str]:
    """Return the messages of the errors that end the workload."""
    with pytest.raises(ExceptionGroup) as seen:
        await make(market).run(lambda _: False)
    _, rest = seen.value.split((ClientError, DevnetError))
    assert rest is None
    errors: list[BaseException] = [seen.value]
    while any(isinstance(error, ExceptionGroup) for error in errors):
        errors = [inner for each in errors for inner in getattr(each, "exceptions", (each,))]
    return {getattr(error, "code", "") for error in errors}


async def test_another_refusal_than_a_missing_jury_ends_it() -> None:
    class Refusing(Market):
        async def run(self, *_: Any, **__: Any) -> Any:
            raise ClientError("too-expensive", "it costs more")

    assert await get_errors(Refusing()) == {"too-expensive"}


async def test_a_wrong_answer_ends_it() -> None:
    market = Market()
    market.lie = 1
    assert await get_errors(market) == {"wrong-prediction"}
