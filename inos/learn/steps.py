"""A step computes the gradient of each shard, and then one update."""

from math import prod

import numpy as np
from msgspec import Struct

from inos.learn.errors import LearnError
from inos.learn.folder import Folder
from inos.learn.machines import Call, Machine, Runner, load_machine
from inos.learn.optimisers import compute_rate
from inos.learn.spec import RunSpec, ShardRecord, StepRecord, compute_id
from inos.programs import decode_value, encode_value
from inos.work.files import compute_file_id


class Weights(Struct, frozen=True, eq=False):
    """Holds weights and the optimiser's state after a step, and the id that the next record names as its parent."""

    step: int
    parent: str
    weights: bytes
    state: bytes


class Steps:
    """Computes the steps of one run by a runner."""

    def __init__(self, spec: RunSpec, folder: Folder) -> None:
        self.spec = spec
        self.run = compute_id(spec)
        self.gradient, self.update = load_machine(folder, spec.gradient), load_machine(folder, spec.update)
        self._folder = folder
        _check_types(self.gradient, self.update, spec)

    def begin(self) -> Weights:
        """Return the weights before the first step."""
        return Weights(0, self.run, self._folder.get(self.spec.weights), self._folder.get(self.spec.state))

    def compute(self, before: Weights, runner: Runner) -> tuple[StepRecord, Weights]:
        """Compute the step after these weights."""
        spec, step = self.spec, before.step + 1
        calls = [
            Call(self.gradient, (self._encode(self.gradient, [spec.seed, step, shard]), before.weights), step, shard)
            for shard in range(spec.shards)
        ]
        made = runner.run(calls)
        rate = compute_rate(spec.optimiser, step, spec.steps)
        inputs = (self._encode(self.update, [spec.seed, step, rate]), before.weights, before.state)
        ((weights, state),) = runner.run(
            [Call(self.update, inputs + tuple([gradient for gradient, _ in made]), step, spec.shards)]
        )
        loss, right = self._read_metrics([metrics for _, metrics in made])
        shards = tuple([ShardRecord(*map(_name, each)) for each in made])
        record = StepRecord(self.run, step, before.parent, shards, _name(weights), _name(state), loss, right)
        return record, Weights(step, compute_id(record), weights, state)

    def _encode(self, machine: Machine, numbers: list[int]) -> bytes:
        return encode_value(np.array([numbers], np.int64), machine.checked.given[0])

    def _read_metrics(self, files: list[bytes]) -> tuple[int, int]:
        """Return the sum of losses and of right guesses over all shards."""
        rows = [decode_value(each, self.gradient.checked.results[1])[0] for each in files]
        return sum([int(row[0]) for row in rows]), sum([int(row[1]) for row in rows])


def _name(data: bytes) -> str:
    return compute_file_id(data).hex()


def _check_types(gradient: Machine, update: Machine, spec: RunSpec) -> None:
    """Check that the programs of a spec fit together.

    Raises:
        LearnError: "bad-run".
    """
    given, made = update.checked.given, update.checked.results
    is_right = (
        len(gradient.checked.given) == 2
        and len(gradient.checked.results) == 2
        and len(given) == 3 + spec.shards
        and len(made) == 2
        and given[1].contains(made[0])
        and given[2].contains(made[1])
        and gradient.checked.given[1] == given[1]
        and all(each.contains(gradient.checked.results[0]) for each in given[3:])
        and gradient.checked.results[1].shape == (1, 2)
        and all(each.first + prod(each.sizes) <= given[1].cols for each in spec.parameters)
    )
    if not is_right:
        raise LearnError("bad-run", "the programs of the spec do not fit together: types, or the number of shards")
