"""Computes one generation: where it begins, its task, and what comes out. It is the same here and by miners."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from inos import functions
from inos.evolve.elites import MAX_MAP_BYTES, Elites, add_members, decode_elites, encode_elites, find_best
from inos.evolve.errors import InvalidRun
from inos.evolve.files import Files
from inos.evolve.records import MAX_FITNESS, Record, Trial
from inos.evolve.runners import Answer, LocalRunner, Runner
from inos.evolve.runs import OpenRun
from inos.evolve.seeds import choose_elite, derive_trial_seed
from inos.evolve.signature import SEED_BYTES, make_given
from inos.functions import FunctionSpec, encode_spec
from inos.functions.limits import SPEC_VERSION
from inos.programs import decode_value, encode_value
from inos.programs.types import Array
from inos.work.files import compute_file_id

ROW_BYTES: Final = 16
"""A trial writes two int64 for each member: its fitness and its cell."""


class Start(NamedTuple):
    """Where a generation begins.

    Attributes:
        parent: the record before, with its id; None for the first generation.
        cited: another island's record, with its id, whose genome is taken instead.
    """

    seed: bytes
    number: int
    parent: tuple[bytes, Record] | None
    cited: tuple[bytes, Record] | None

    @property
    def parent_id(self) -> bytes | None:
        return None if self.parent is None else self.parent[0]


class TaskIds(NamedTuple):
    """The ids that the task of a generation has on chain: what is computed, its inputs, and its outputs."""

    spec: bytes
    inputs: tuple[bytes, ...]
    outputs: tuple[bytes, ...]


class Outcome(NamedTuple):
    """What a generation ends with: ids, and the bytes of the files that are new."""

    genome: bytes
    fitness: int
    elites: bytes | None
    task: bytes | None
    files: tuple[bytes, ...]
    named: TaskIds


def compute_generation(files: Files, opened: OpenRun, start: Start, runner: Runner) -> Outcome:
    """Compute a generation.

    Raises:
        Missing: a file is not at hand. InvalidRun, InvalidRecord, InvalidInput: nobody can compute it.
        Unchecked: this machine cannot.
    """
    trial = opened.run.trial
    if trial is None:
        genome = _read_genome(files, opened, start.cited or start.parent)
        given = _make_given(opened, start, genome)
        answer = runner.run_program(opened, given)
        data, fitness = answer.outputs
        value = int(decode_value(fitness, opened.checked.results[1], "the fitness")[0, 0])
        encoded = [encode_value(*each) for each in zip(given, opened.checked.given, strict=True)]
        named = TaskIds(opened.run.program, _compute_ids(encoded), _compute_ids(answer.outputs))
        return Outcome(named.outputs[0], value, None, answer.task, (data,), named)
    return _run_trial(files, opened, start, runner, trial)


def _run_trial(files: Files, opened: OpenRun, start: Start, runner: Runner, trial: Trial) -> Outcome:
    """Breed a population here, let the function find its fitness, and choose the next genome."""
    elites = _read_elites(files, start)
    genome = _choose_genome(files, opened, start, elites)
    population = _breeder.run_program(opened, _make_given(opened, start, genome)).outputs[0]
    members = opened.checked.results[0].rows
    spec = make_spec(trial, start, members)
    answer = runner.call_function(spec, opened, population)
    named = TaskIds(_compute_ids([encode_spec(spec)])[0], _compute_ids([population]), _compute_ids(answer.outputs))
    rows = _read_rows(answer, members, trial)
    size = len(population) // members
    genomes = [population[n * size : (n + 1) * size] for n in range(members)]
    if not trial.cells:
        best = int(np.argmax(rows[:, 0]))  # the first of several
        return Outcome(compute_file_id(genomes[best]), int(rows[best, 0]), None, answer.task, (genomes[best],), named)
    ids = _compute_ids(genomes)
    after = add_members(elites, [(int(cell), int(fitness), id) for (fitness, cell), id in zip(rows, ids, strict=True)])
    chosen = {each.genome for each in after}
    new = {id: data for id, data in zip(ids, genomes, strict=True) if id in chosen}
    encoded, champion = encode_elites(after), find_best(after)
    return Outcome(
        champion.genome, champion.fitness, compute_file_id(encoded), answer.task, (*new.values(), encoded), named
    )


def make_spec(trial: Trial, start: Start, members: int) -> FunctionSpec:
    """Return the spec of a generation's call. Its last argument names the parent's record, so that a task on chain
    leads to the lineage; the function need not read it.
    """
    parent = (start.parent_id or bytes(32)).hex().encode()
    seed = derive_trial_seed(start.seed, start.number)
    return FunctionSpec(
        SPEC_VERSION, trial.module, (*trial.args, parent), trial.pages, trial.steps, ROW_BYTES * members, seed
    )


def _compute_ids(files: Sequence[bytes]) -> tuple[bytes, ...]:
    return tuple(bytes(compute_file_id(each)) for each in files)


def compute_units(opened: OpenRun) -> int:
    """Return the units that a miner is paid for a generation."""
    trial, results = opened.run.trial, opened.checked.results
    if trial is None:
        return opened.checked.cost.units
    spec = make_spec(trial, Start(bytes(SEED_BYTES), 0, None, None), results[0].rows)
    return functions.compute_units(spec, len(opened.module), results[0].nbytes)


def _make_given(opened: OpenRun, start: Start, genome: bytes) -> list[Array]:
    return make_given(decode_value(genome, opened.genome, "the genome"), start.seed, start.number, start.parent_id)


def _read_genome(files: Files, opened: OpenRun, source: tuple[bytes, Record] | None) -> bytes:
    if source is None:
        return opened.first
    return files.get(source[1].genome, opened.genome.nbytes, f"the genome of record {source[0].hex()[:16]}")


def _read_elites(files: Files, start: Start) -> Elites:
    if start.parent is None or start.parent[1].elites is None:
        return ()
    return decode_elites(files.get(start.parent[1].elites, MAX_MAP_BYTES, "the map of elites"))


def _choose_genome(files: Files, opened: OpenRun, start: Start, elites: Elites) -> bytes:
    """Return the genome that is bred from: the cited one, one of the elites, or the parent's."""
    if start.cited is not None or not elites:
        return _read_genome(files, opened, start.cited or start.parent)
    elite = elites[choose_elite(start.seed, start.number, len(elites))]
    return files.get(elite.genome, opened.genome.nbytes, f"the genome of cell {elite.cell}")


def _read_rows(answer: Answer, members: int, trial: Trial) -> Array:
    """Return what a trial wrote: fitness and cell of each member.

    Raises:
        InvalidRun: "bad-trial".
    """
    data = answer.outputs[0]
    if len(data) != ROW_BYTES * members:
        raise InvalidRun("bad-trial", f"the function wrote {len(data)} bytes, not {ROW_BYTES} for each of {members}")
    rows = np.frombuffer(data, "<i8").reshape(members, 2)
    if rows[:, 0].min() < -MAX_FITNESS or rows[:, 0].max() > MAX_FITNESS:
        raise InvalidRun("bad-trial", "the function wrote a fitness outside -2^62 .. 2^62")
    if trial.cells and (rows[:, 1].min() < 0 or rows[:, 1].max() >= trial.cells):
        raise InvalidRun("bad-trial", f"the function wrote a cell outside 0 .. {trial.cells - 1}")
    return rows


_breeder: Final = LocalRunner()
"""A population is cheap to make, so each machine makes it for itself."""
