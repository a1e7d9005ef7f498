"""A run is read from its folder: its curve, its weights, what the trained module answers. No torch is needed."""

import os
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from inos.learn.data import Tokens, check_labels, read_table, to_numpy
from inos.learn.errors import LearnError
from inos.learn.fixed import ACTIVATION_BITS, ACTIVATION_LIMIT, quantise_floats
from inos.learn.folder import Folder
from inos.learn.losses import CROSS_ENTROPY, LOSS_BITS
from inos.learn.machines import LocalRunner, load_machine
from inos.learn.parameters import to_floats
from inos.learn.spec import StepRecord, compute_id
from inos.learn.steps import Steps, Weights
from inos.programs import decode_value, encode_value


class Score(Struct, frozen=True):
    """Says how a module does on data: the mean loss, and the share of right guesses (0 for numbers)."""

    loss: float
    accuracy: float


class Run:
    """Reads a run from its folder.

    Args:
        folder: as `train` made it.

    Raises:
        LearnError: "run-missing", "bad-run", "parent-missing", "bad-record".
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Folder(Path(folder))
        self.spec = self.folder.read_spec()
        self.records = self.folder.read_records()

    @property
    def id(self) -> str:
        """Return the id of the spec: what the run computes."""
        return compute_id(self.spec)

    @property
    def head(self) -> str:
        """Return the id of the last record, which stands for all steps up to it."""
        return compute_id(self.records[-1]) if self.records else self.id

    @property
    def is_finished(self) -> bool:
        return len(self.records) == self.spec.steps

    def list_losses(self) -> list[float]:
        """Return the mean loss of each step's examples, before its update."""
        return [record.loss / 2.0**LOSS_BITS / (self.spec.terms * self.spec.shards) for record in self.records]

    def find_weights(self, step: int | None = None) -> Weights:
        """Return the weights after a step, by default the last one; steps after a checkpoint are computed again.

        Raises:
            LearnError: "step-unknown", "step-wrong", "file-changed".
        """
        last = len(self.records) if step is None else step
        if not 0 <= last <= len(self.records):
            raise LearnError("step-unknown", f"the run has {len(self.records)} steps so far, and no step {last}")
        steps, runner = Steps(self.spec, self.folder), LocalRunner()
        found = find_checkpoint(steps, self.folder, self.records[:last])
        while found.step < last:
            record, found = steps.compute(found, runner)
            compare(self.records[found.step - 1], record)
        return found

    def parameters(self, step: int | None = None) -> dict[str, NDArray[np.float32]]:
        """Return the module's parameters after a step as floats, by name."""
        found = self.find_weights(step)
        type_ = load_machine(self.folder, self.spec.gradient).checked.given[1]
        return to_floats(decode_value(found.weights, type_), self.spec.parameters)

    def load_into(self, module: Any, step: int | None = None) -> Any:
        """Set the parameters of a torch module to those after a step, and return the module."""
        import torch

        found = {name: torch.from_numpy(each.copy()) for name, each in self.parameters(step).items()}
        module.load_state_dict(found, strict=False)
        return module

    def predict(self, inputs: Any, step: int | None = None) -> NDArray[np.float64]:
        """Return what the trained module answers in integers, as floats: one row for each example.

        Raises:
            LearnError: "bad-data": inputs of other sizes than those of training.
        """
        port, machine = self.spec.input, load_machine(self.folder, self.spec.prediction)
        rows = _read_inputs(inputs, port.sizes[1:], port.bits)
        weights, batch = self.find_weights(step).weights, port.sizes[0]
        type_, found = machine.checked.given[-1], []
        shapes = (type_.size, machine.checked.results[0].size)
        if len(machine.checked.given) != 2 or (prod(port.sizes), prod(self.spec.output.sizes)) != shapes:
            raise LearnError("bad-run", "the sizes of input and output are not those of the prediction's program")
        rows = np.clip(rows, type_.lo, type_.hi) if port.bits is not None else _check_tokens(rows, type_.hi)
        for first in range(0, len(rows), batch):
            part = rows[first : first + batch]
            padded = np.concatenate([part, np.zeros((batch - len(part), rows.shape[1]), np.int64)])
            (data,) = machine.run([weights, encode_value(padded, type_)])
            result = decode_value(data, machine.checked.results[0]).reshape(self.spec.output.sizes)
            found.append(result[: len(part)] / 2.0**ACTIVATION_BITS)
        return np.concatenate(found)

    def evaluate(self, data: Any, step: int | None = None) -> Score:
        """Return how the trained module does on (inputs, targets), or on all windows of `Tokens` that do not overlap.

        Raises:
            LearnError: "bad-data", "bad-labels".
        """
        if isinstance(data, Tokens):
            tokens = to_numpy(data.tokens, "tokens")
            count = (len(tokens) - 1) // data.window
            if not count:
                raise LearnError("bad-data", f"{len(tokens)} tokens are no window of {data.window} with a target")
            cut = [tokens[at : at + count * data.window].reshape(count, data.window) for at in (0, 1)]
            data = (cut[0], cut[1])
        answers = self.predict(data[0], step)
        targets = to_numpy(data[1], "targets")
        if targets.shape != (answers.shape if self.spec.loss != CROSS_ENTROPY else answers.shape[:-1]):
            raise LearnError("bad-data", f"targets are {targets.shape}, and the module's answers {answers.shape}")
        if self.spec.loss != CROSS_ENTROPY:
            return Score(float(np.mean((answers - targets) ** 2)), 0.0)
        check_labels(targets.reshape(len(targets), -1), answers.shape[-1])
        below = answers - answers.max(-1, keepdims=True)
        own = np.take_along_axis(below, targets[..., None].astype(np.int64), -1)[..., 0]
        loss = float(np.mean(np.log(np.exp(below).sum(-1)) - own))
        return Score(loss, float(np.mean(answers.argmax(-1) == targets)))


def load_run(folder: str | os.PathLike[str]) -> Run:
    """Read a run; see `Run`."""
    return Run(folder)


def find_checkpoint(steps: Steps, folder: Folder, records: list[StepRecord]) -> Weights:
    """Return the last weights whose files are there: those of a checkpoint, or of the beginning.

    Raises:
        LearnError: "checkpoint-changed" names the step.
    """
    for record in reversed(records):
        if folder.has(record.weights) and folder.has(record.state):
            return read_checkpoint(folder, record)
    return steps.begin()


def read_checkpoint(folder: Folder, record: StepRecord) -> Weights:
    """Return the weights after a step from their files.

    Raises:
        LearnError: "checkpoint-changed" names the step.
    """
    try:
        return Weights(record.step, compute_id(record), folder.get(record.weights), folder.get(record.state))
    except LearnError as error:
        raise LearnError(
            "checkpoint-changed", f"the checkpoint of step {record.step} was changed: {error.message}",
            hint="delete that file; the step is then computed again from the one before",
        ) from error  # fmt: skip


def compare(record: StepRecord, computed: StepRecord) -> None:
    """Compare a step's record with what a run of the step gives.

    Raises:
        LearnError: "step-wrong" names the step and the field.
    """
    for name in record.__struct_fields__:
        had, wanted = getattr(record, name), getattr(computed, name)
        if had != wanted:
            if name == "shards":
                wrong = [n for n, (a, b) in enumerate(zip(had, wanted, strict=False)) if a != b]
                name = f"shard {wrong[0]}" if wrong else "the number of shards"
            else:
                name = f"{name}, {had},"
            raise LearnError("step-wrong", f"step {computed.step} is wrong: {name} is not what a run of the step gives")


def _read_inputs(inputs: Any, sizes: tuple[int, ...], bits: int | None) -> NDArray[np.int64]:
    table = read_table(inputs, "inputs")
    if table.sizes != sizes or (table.bits is None) != (bits is None):
        kind = "floats" if bits is not None else "integers"
        raise LearnError(
            "bad-data", f"inputs have the sizes {table.sizes}; the module was trained on {kind} of {sizes}"
        )
    if bits is None or table.bits is None:
        return table.rows
    return quantise_floats(table.rows / 2.0**table.bits, bits, ACTIVATION_LIMIT)


def _check_tokens(rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    if rows.min() < 0 or rows.max() > most:
        raise LearnError("bad-data", f"inputs have tokens {rows.min()} .. {rows.max()}; the module knows 0 .. {most}")
    return rows
