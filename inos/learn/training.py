"""Training builds the programs of a run, and computes its steps one after the other."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from inos.compiler.compiled import Port
from inos.learn.data import Data, Pairs, check_labels, read_data
from inos.learn.errors import LearnError
from inos.learn.folder import Folder
from inos.learn.losses import CROSS_ENTROPY, count_examples, read_loss
from inos.learn.machines import LocalRunner, Runner, store_program
from inos.learn.optimisers import MAX_SHARDS, Optimiser, build_update, make_state, sgd
from inos.learn.run import Run
from inos.learn.spec import VERSION, RunSpec, StepRecord, compute_id
from inos.learn.steps import Steps, Weights
from inos.programs import Type, encode_value
from inos.programs.builder import BuiltProgram

OnStep = Callable[[RunSpec, StepRecord, float], None]
"""The function is called with the spec, the record of each new step, and the seconds that the step took."""
CHECKPOINT_STEPS: Final = 50
MAX_STEPS: Final = 1 << 20
MAX_SEED: Final = 1 << 62


def ignore_step(spec: RunSpec, record: StepRecord, seconds: float) -> None:
    """Do nothing; this is the default if no function is given."""


def prepare_run(
    model: Any, data: Any, loss: object, steps: int, *,
    folder: str | os.PathLike[str], batch: int = 64, shards: int = 1, optimiser: Optimiser | None = None, seed: int = 0,
) -> Run:  # fmt: skip
    """Write the spec, the programs and the data of a run into a folder, and return the run, of no steps so far.

    A folder that holds the same run already is returned as it is. `train` describes the arguments.

    Raises:
        LearnError: the arguments, the data or the module cannot be used; "run-differs".
    """
    from inos.learn.graph import export

    _check_numbers(steps, batch, shards, seed)
    chosen = sgd() if optimiser is None else optimiser
    if not isinstance(chosen, Optimiser):
        raise LearnError("bad-optimiser", f"{chosen!r} is no optimiser of training", hint="give inos.learn.adam(1e-3)")
    if Path(folder).exists() and not Path(folder).is_dir():
        raise LearnError("run-differs", f"{folder} is a file, and no folder", hint="name another folder")
    name, read = read_loss(loss), read_data(data)
    examples = batch // shards
    graph = export(model, _make_example(read, examples))
    _check_targets(name, read, graph.result_sizes)
    place = Folder(Path(folder))
    spec = _write_programs(place, graph, read, name, examples, steps, shards, chosen, seed)
    if (place.path / "spec.json").exists():
        if compute_id(place.read_spec()) != compute_id(spec):
            raise LearnError(
                "run-differs", f"{place.path} holds another run: its model, data or numbers are not those given",
                hint="name another folder, or train with the same arguments as before",
            )  # fmt: skip
    else:
        place.write_spec(spec)
    return Run(place.path)


def _check_numbers(steps: int, batch: int, shards: int, seed: int) -> None:
    wrong = [each for each in (steps, batch, shards, seed) if not isinstance(each, int) or isinstance(each, bool)]
    if wrong:
        raise LearnError("bad-steps", f"{wrong[0]!r} is no whole number", hint="steps, batch, shards and seed are such")
    if not 1 <= steps <= MAX_STEPS:
        raise LearnError("bad-steps", f"a run has 1 to {MAX_STEPS} steps, not {steps}")
    if not 1 <= shards <= MAX_SHARDS or batch < 1 or batch % shards:
        raise LearnError(
            "bad-shards", f"a batch of {batch} examples is not cut into {shards} equal shards",
            hint=f"a step has 1 to {MAX_SHARDS} shards, of at least one example each",
        )  # fmt: skip
    if not 0 <= seed < MAX_SEED:
        raise LearnError(
            "bad-seed", f"the seed {seed} is too large or negative", hint="give a number from 0 to 2^62 - 1"
        )


def _make_example(data: Data, examples: int) -> Any:
    """Return a batch of zeros with the sizes of the module's input."""
    import torch

    if isinstance(data, Pairs):
        dtype = torch.int64 if data.inputs.bits is None else torch.float32
        return torch.zeros((examples, *data.inputs.sizes), dtype=dtype)
    return torch.zeros((examples, data.window), dtype=torch.int64)


def _check_targets(loss: str, data: Data, sizes: tuple[int, ...]) -> None:
    """Check that targets are what the loss compares with the module's result."""
    if not isinstance(data, Pairs):
        if loss != CROSS_ENTROPY or sizes[:-1] != (sizes[0], data.window):
            raise LearnError(
                "bad-module", f"the module returns {sizes}; tokens need scores for each place, and cross_entropy"
            )
        check_labels(data.tokens[:, None], sizes[-1])
        return
    wanted = sizes[1:-1] if loss == CROSS_ENTROPY else sizes[1:]
    if data.targets.sizes != wanted or (loss == CROSS_ENTROPY) != (data.targets.bits is None):
        kind = "integers" if loss == CROSS_ENTROPY else "floats"
        raise LearnError(
            "bad-data",
            f"targets have the sizes {data.targets.sizes}; {loss} of a result {sizes[1:]} needs {kind} of {wanted}",
        )
    if loss == CROSS_ENTROPY:
        check_labels(data.targets.rows, sizes[-1])


def _write_programs(
    folder: Folder, graph: Any, data: Data, loss: str, examples: int, steps: int, shards: int,
    optimiser: Optimiser, seed: int,
) -> RunSpec:  # fmt: skip
    from inos.learn.gradients import build_gradient, build_prediction

    size = graph.weights.shape[1]
    gradient = build_gradient(graph, data, loss, examples)
    update = build_update(optimiser, size, shards)
    prediction = build_prediction(graph, data, examples)
    folder.path.mkdir(parents=True, exist_ok=True)
    names = [store_program(folder, each) for each in (gradient, update, prediction)]
    first = [
        folder.put(encode_value(array, _get_given(update, number)))
        for number, array in ((1, graph.weights), (2, make_state(optimiser, size)))
    ]
    if isinstance(data, Pairs):
        given = Port(
            "inputs", (examples, *data.inputs.sizes), "int" if data.inputs.bits is None else "float", data.inputs.bits
        )
    else:
        given = Port("tokens", (examples, data.window), "int", None)
    result = Port("result", graph.result_sizes, "float", 12)
    return RunSpec(
        VERSION, names[0], names[1], names[2], first[0], first[1], seed, steps, shards, examples,
        count_examples(loss, graph.result_sizes), loss,
        optimiser, tuple(graph.parameters), given, result,
    )  # fmt: skip


def _get_given(built: BuiltProgram, number: int) -> Type:
    return built.program.inputs[number].type


def train_run(
    run: Run, runner: Runner | None = None, *, checkpoint_every: int = CHECKPOINT_STEPS, on_step: OnStep = ignore_step
) -> Run:
    """Compute the steps of a run that are not there yet, and return the run.

    A run that was interrupted goes on from its last step: steps after the last checkpoint are computed again.

    Raises:
        LearnError: "step-wrong": a record does not fit to the checkpoint before it.
    """
    if checkpoint_every < 1:
        raise LearnError("bad-steps", f"there is no checkpoint every {checkpoint_every} steps", hint="give 1 or more")
    run.folder.repair()
    steps, used = Steps(run.spec, run.folder), LocalRunner() if runner is None else runner
    found = run.find_weights()
    try:
        while True:
            is_last = found.step == run.spec.steps
            rejected = used.settle() if is_last else used.find_rejected()
            if rejected is not None and rejected <= found.step:
                found = _go_back(run, rejected - 1)
            elif is_last:
                return run
            else:
                found = _go_on(run, steps, used, found, checkpoint_every, on_step)
    finally:
        _keep(run.folder, found)


def _go_on(run: Run, steps: Steps, used: Runner, found: Weights, checkpoint_every: int, on_step: OnStep) -> Weights:
    """Compute one step and write its record, after its checkpoint if it has one."""
    began = time.monotonic()
    record, after = steps.compute(found, used)
    if record.step % checkpoint_every == 0 or record.step == run.spec.steps:
        _keep(run.folder, after)
    run.folder.add_record(record)
    run.records.append(record)
    on_step(run.spec, record, time.monotonic() - began)
    return after


def _go_back(run: Run, step: int) -> Weights:
    """Forget all steps after this one: an outcome that they rest on was rejected."""
    run.folder.keep_records(step)
    del run.records[step:]
    return run.find_weights()


def _keep(folder: Folder, found: Weights) -> None:
    """Keep a checkpoint."""
    folder.put(found.weights)
    folder.put(found.state)
