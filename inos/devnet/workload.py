"""The devnet's customer, which has images classified and checks the results.

Each batch of images is one program. Programs are judged by juries, and no miner may claim one before the network has
voters for a jury, which takes a new chain some twenty blocks, and a devnet of two nodes never has. Until then the
layers of a batch are checked products, which need no jury.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from inos.client.client import Mode
from inos.client.job_watcher import OnState
from inos.client.task_terms import TaskTerms
from inos.devnet.digits import DigitTask
from inos.devnet.errors import DevnetError
from inos.primitives.matrices import compute_tickets
from inos.primitives.units import NANO_PER_CREDIT, Nano
from inos.programs import BuiltProgram, check_program
from inos.programs.types import Array
from inos.wallet.errors import WalletError

BATCHES: Final = 4
"""Batches per pass over the held-out images; as products of two layers each they make eight jobs."""
REWARD_PER_TICKET: Final = 1_000_000
"""In nano, for a ticket of a product and a unit of a program; a quote proposes as much before any job was settled."""
MAX_UNPAID: Final = 4
"""At most so many programs are posted and not paid yet. A miner without reputation holds four claims, each until its
program is paid, a minute after it is delivered. So two miners have four claims left for the jobs of others."""
NO_JURY: Final = "no-jury"


def compute_reward(rows_x: int, rows_w: int, depth: int) -> Nano:
    """Return the reward for a product. It is the same for every ticket, so that quotes derived from these jobs make
    sense.
    """
    return Nano(REWARD_PER_TICKET * compute_tickets(rows_x, rows_w, depth))


class Market(Protocol):
    """The part of `inos.Client` that the workload needs."""

    async def multiply(
        self, x: NDArray[np.int8], w: NDArray[np.int8], *, reward_nano: int, timeout_s: float, mode: Mode
    ) -> NDArray[np.int32]:
        """Return the exact x w^T, as settled by the chain and checked by Freivalds."""

    async def deploy(self, program: BuiltProgram) -> str:
        """Put a program into the mesh, and return its id."""

    async def run(
        self,
        program: str,
        inputs: Sequence[NDArray[Any]],
        *,
        terms: TaskTerms,
        timeout_s: float,
        on_posted: OnState,
    ) -> list[Array]:
        """Return a program's outputs as soon as they are delivered.

        Raises:
            WalletError: "no-jury"; nothing was posted.
        """

    async def wait_job(self, job: str, timeout_s: float) -> object:
        """Return once a job is settled."""


@dataclass
class WorkloadProgress:
    """The figures of the results so far."""

    jobs_posted: int = 0
    jobs_settled: int = 0
    passes: int = 0
    images: int = 0
    correct: int = 0
    local_correct: int = 0
    programs_posted: int = 0
    """The number of posted jobs that are programs: one for each batch since there is a jury."""
    programs_answered: int = 0
    """The number of batches whose answer came as a program's output. It is paid, and settled, a minute later."""
    is_jury_missing: bool = True
    """The last batch was posted as products, since the network has too few voters for a jury."""

    @property
    def accuracy(self) -> float | None:
        """Share of images that the network on the chain classified correctly; None before the first batch."""
        return self.correct / self.images if self.images else None

    @property
    def local_accuracy(self) -> float | None:
        """The same share for the same integer network run locally."""
        return self.local_correct / self.images if self.images else None


class DigitWorkload:
    """Runs the held-out images through the network, batch by batch: by programs, or by products until there is a jury.

    Args:
        client: posts jobs and returns checked results.
        task: the network and the images.
        job_timeout_s: the longest time of one job from posting to result, and of a program from there to its payment.
    """

    def __init__(self, client: Market, task: DigitTask, *, job_timeout_s: float) -> None:
        self.progress = WorkloadProgress()
        self._client = client
        self._task = task
        self._job_timeout_s = job_timeout_s
        self._room = asyncio.Semaphore(MAX_UNPAID)
        self._unpaid: asyncio.Queue[str] = asyncio.Queue()
        self._batch = len(task.images) // BATCHES
        self._built = task.build_program(self._batch)
        self._reward = Nano(REWARD_PER_TICKET * check_program(self._built.program).cost.units)

    async def run(self, is_enough: Callable[[WorkloadProgress], bool]) -> None:
        """Run passes over the images until `is_enough` returns True at the end of one.

        Raises:
            DevnetError: "wrong-prediction" if a result differs from the local integer network.
        """
        program = await self._client.deploy(self._built)
        async with asyncio.TaskGroup() as group:
            passes = group.create_task(self._run_passes(program, is_enough))
            payments = group.create_task(self._await_payments())
            await passes
            payments.cancel()

    async def _run_passes(self, program: str, is_enough: Callable[[WorkloadProgress], bool]) -> None:
        while not is_enough(self.progress):
            await self._run_pass(program, np.random.default_rng(self.progress.passes))
            self.progress.passes += 1

    async def _run_pass(self, program: str, rng: np.random.Generator) -> None:
        order = rng.permutation(len(self._task.images))
        async with asyncio.TaskGroup() as group:
            for first in range(0, BATCHES * self._batch, self._batch):
                group.create_task(self._run_batch(program, order[first : first + self._batch]))

    async def _run_batch(self, program: str, indices: NDArray[np.int64]) -> None:
        images = self._task.images[indices]
        predictions = await self._run_program(program, images)
        if predictions is None:
            predictions = await self._run_layers(images)
        self._count(images, self._task.labels[indices], predictions)

    async def _run_program(self, program: str, images: NDArray[np.int8]) -> NDArray[np.int64] | None:
        """Return the predictions of a program, or None if there is no jury yet."""
        terms = TaskTerms(reward=Decimal(self._reward) / NANO_PER_CREDIT)
        posted: list[str] = []

        def note(job: str) -> None:
            posted.append(job)
            self.progress.is_jury_missing = False
            self.progress.jobs_posted += 1
            self.progress.programs_posted += 1

        await self._room.acquire()  # given back once the program is paid
        try:
            (digits,) = await self._client.run(
                program, [images], terms=terms, timeout_s=self._job_timeout_s, on_posted=note
            )
        except WalletError as error:
            if error.code != NO_JURY:
                raise
            self._room.release()
            self.progress.is_jury_missing = True
            return None
        self.progress.programs_answered += 1
        self._unpaid.put_nowait(posted[0])
        predictions: NDArray[np.int64] = digits[:, 0].astype(np.int64)
        return predictions

    async def _await_payments(self) -> None:
        """Count programs as they are settled; they fall due in the order of their delivery, or nearly so."""
        while True:
            await self._client.wait_job(await self._unpaid.get(), self._job_timeout_s)
            self.progress.jobs_settled += 1
            self._room.release()

    async def _run_layers(self, images: NDArray[np.int8]) -> NDArray[np.int64]:
        """Return the predictions of the same network, with each layer's product as a checked job."""
        x = images
        scores: NDArray[np.int64] = np.zeros((0, 0), np.int64)
        for layer in self._task.layers:
            self.progress.jobs_posted += 1
            product = await self._client.multiply(
                x,
                layer.weights,
                reward_nano=compute_reward(len(x), *layer.weights.shape),
                timeout_s=self._job_timeout_s,
                mode="checked",  # an optimistic one would need a jury too
            )
            self.progress.jobs_settled += 1
            scores = layer.finish(product)
            x = scores.astype(np.int8) if layer.multiplier else x
        predictions: NDArray[np.int64] = np.argmax(scores, axis=1)
        return predictions

    def _count(self, images: NDArray[np.int8], labels: NDArray[np.int64], predictions: NDArray[np.int64]) -> None:
        local = self._task.predict_locally(images)
        if not np.array_equal(local, predictions):
            raise DevnetError("wrong-prediction", "a result from the chain differs from the same network run locally")
        self.progress.images += len(images)
        self.progress.correct += int((predictions == labels).sum())
        self.progress.local_correct += int((local == labels).sum())
