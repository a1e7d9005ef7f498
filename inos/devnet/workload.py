"""The devnet's customer, which posts the layers of a classifier as jobs and checks the results."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from inos.client.client import Mode
from inos.devnet.digits import DigitTask
from inos.devnet.errors import DevnetError
from inos.primitives.matrices import compute_tickets
from inos.primitives.units import Nano

BATCHES: Final = 4
"""Batches per pass over the held-out images; with two layers each they make eight jobs."""
REWARD_PER_TICKET: Final = 1_000_000
"""In nano; a quote proposes as much before any job was settled."""


def compute_reward(rows_x: int, rows_w: int, depth: int) -> Nano:
    """Return the reward for a product. It is the same for every ticket, so that quotes derived from these jobs make
    sense.
    """
    return Nano(REWARD_PER_TICKET * compute_tickets(rows_x, rows_w, depth))


class Multiplier(Protocol):
    """The part of `inos.Client` that the workload needs."""

    async def multiply(
        self, x: NDArray[np.int8], w: NDArray[np.int8], *, reward_nano: int, timeout_s: float, mode: Mode
    ) -> NDArray[np.int32]:
        """Return the exact x w^T, as settled by the chain and checked by Freivalds."""


@dataclass
class WorkloadProgress:
    """The figures of the results so far."""

    jobs_posted: int = 0
    jobs_settled: int = 0
    passes: int = 0
    images: int = 0
    correct: int = 0
    local_correct: int = 0

    @property
    def accuracy(self) -> float | None:
        """Share of images that the network on the chain classified correctly; None before the first batch."""
        return self.correct / self.images if self.images else None

    @property
    def local_accuracy(self) -> float | None:
        """The same share for the same integer network run locally."""
        return self.local_correct / self.images if self.images else None


class DigitWorkload:
    """Runs the held-out images through the network; every layer's product is a job on the chain.

    Args:
        client: posts a product and returns the checked result.
        task: the network and the images.
        job_timeout_s: the longest time of one job from posting to result.
    """

    def __init__(self, client: Multiplier, task: DigitTask, *, job_timeout_s: float) -> None:
        self.progress = WorkloadProgress()
        self._client = client
        self._task = task
        self._job_timeout_s = job_timeout_s

    async def run(self, is_enough: Callable[[WorkloadProgress], bool]) -> None:
        """Run passes over the images until `is_enough` returns True at the end of one.

        Raises:
            DevnetError: "wrong-prediction" if a result differs from the local integer network.
        """
        while not is_enough(self.progress):
            await self._run_pass(np.random.default_rng(self.progress.passes))
            self.progress.passes += 1

    async def _run_pass(self, rng: np.random.Generator) -> None:
        order = rng.permutation(len(self._task.images))
        async with asyncio.TaskGroup() as group:
            for indices in np.array_split(order, BATCHES):
                group.create_task(self._run_batch(self._task.images[indices], self._task.labels[indices]))

    async def _run_batch(self, images: NDArray[np.int8], labels: NDArray[np.int64]) -> None:
        x = images
        scores: NDArray[np.int64] = np.zeros((0, 0), np.int64)
        for layer in self._task.layers:
            self.progress.jobs_posted += 1
            product = await self._client.multiply(
                x,
                layer.weights,
                reward_nano=compute_reward(len(x), *layer.weights.shape),
                timeout_s=self._job_timeout_s,
                mode="checked",  # an optimistic job burns less, but is settled a minute later
            )
            self.progress.jobs_settled += 1
            scores = layer.finish(product)
            x = scores.astype(np.int8) if layer.multiplier else x
        self._count(images, labels, np.argmax(scores, axis=1))

    def _count(self, images: NDArray[np.int8], labels: NDArray[np.int64], predictions: NDArray[np.int64]) -> None:
        local = self._task.predict_locally(images)
        if not np.array_equal(local, predictions):
            raise DevnetError("wrong-prediction", "a result from the chain differs from the same network run locally")
        self.progress.images += len(images)
        self.progress.correct += int((predictions == labels).sum())
        self.progress.local_correct += int((local == labels).sum())
