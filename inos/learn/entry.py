"""People call these functions. `train` loads torch when it is called; `resume` does not need it."""

import os
import sys
from pathlib import Path
from typing import Any

from inos.client.blocking_client import BlockingClient
from inos.client.task_terms import DEFAULT_TERMS, TaskTerms
from inos.learn.curve import Progress
from inos.learn.errors import LearnError
from inos.learn.folder import TASKS
from inos.learn.journal import Journal
from inos.learn.machines import LocalRunner, Runner
from inos.learn.market import MarketRunner
from inos.learn.optimisers import Optimiser
from inos.learn.run import Run, load_run
from inos.learn.training import CHECKPOINT_STEPS, OnStep, ignore_step, prepare_run, train_run


def train(
    model: Any,
    data: Any,
    loss: object,
    steps: int,
    *,
    folder: str | os.PathLike[str],
    batch: int = 64,
    shards: int = 1,
    optimiser: Optimiser | None = None,
    seed: int = 0,
    client: BlockingClient | None = None,
    check: float = 1.0,
    terms: TaskTerms = DEFAULT_TERMS,
    checkpoint_every: int = CHECKPOINT_STEPS,
    progress: bool = True,
) -> Run:
    """Train a module in integers, so that every step can be computed again bit for bit.

    Args:
        model: a `torch.nn.Module` that takes one batch and returns one tensor; its present weights are the first ones.
        data: (inputs, targets), arrays or CPU tensors with one row for each example, or `Tokens(text, window)`.
        loss: "cross_entropy" (scores in the last dimension, integer labels) or "mse"; also torch's own.
        steps: how many updates.
        folder: where the run is kept. A run that is there already, with the same arguments, goes on.
        batch: examples of a step, in all shards together; they are drawn with replacement.
        shards: how many tasks a step's gradient is cut into.
        optimiser: `sgd(...)`, the default, or `adam(...)`.
        seed: what examples are drawn and updates are rounded by.
        client: has a wallet, and lets miners compute; without one this machine does. Both give the same bits.
        check: the share of miners' outcomes that are computed again here. Wrong ones are disputed.
        terms: what is offered for a task; by default the going rate.
        checkpoint_every: steps after which weights are kept; all others are computed again when they are asked for.
        progress: print losses to stderr.

    Raises:
        LearnError: something cannot be used, and nothing was trained; or "task-failed".
        WalletError, ClientError, JobFailed: a task could not be posted, or took too long. Training again goes on.
    """
    try:
        import torch  # noqa: F401
    except ModuleNotFoundError:
        raise LearnError("torch-missing", "torch is not installed", hint="pip install torch") from None
    run = prepare_run(
        model, data, loss, steps,
        folder=folder, batch=batch, shards=shards, optimiser=optimiser, seed=seed,
    )  # fmt: skip
    runner = make_runner(run, client, check, terms)
    return train_run(run, runner, checkpoint_every=checkpoint_every, on_step=_get_progress(run, progress))


def resume(
    folder: str | os.PathLike[str],
    *,
    client: BlockingClient | None = None,
    check: float = 1.0,
    terms: TaskTerms = DEFAULT_TERMS,
    checkpoint_every: int = CHECKPOINT_STEPS,
    progress: bool = True,
) -> Run:
    """Go on with a run that was interrupted; the arguments are those of `train`.

    Raises:
        LearnError: "run-missing", "bad-run", "step-wrong".
    """
    run = load_run(Path(folder))
    runner = make_runner(run, client, check, terms)
    return train_run(run, runner, checkpoint_every=checkpoint_every, on_step=_get_progress(run, progress))


def make_runner(run: Run, client: BlockingClient | None, check: float, terms: TaskTerms) -> Runner:
    """Return what computes a run: this machine, or miners."""
    if client is None:
        return LocalRunner()
    if not isinstance(client, BlockingClient):
        raise LearnError(
            "bad-client", f"{type(client).__name__} is no inos.BlockingClient",
            hint="give inos.BlockingClient(url, wallet=...)",
        )  # fmt: skip
    return MarketRunner(client, Journal(run.folder.path / TASKS), check=check, terms=terms)


def _get_progress(run: Run, progress: bool) -> OnStep:
    return Progress(run.spec.steps, sys.stderr) if progress else ignore_step
