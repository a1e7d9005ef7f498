"""Generations whose fitness a function finds; those of programs are tested with eggroll, replay and island."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from inos.evolve.breeding import Breeding
from inos.evolve.elites import decode_elites
from inos.evolve.errors import InvalidRun, Unchecked
from inos.evolve.files import MemoryFiles
from inos.evolve.generations import compute_units
from inos.evolve.island import Island, create_island
from inos.evolve.problems import write_function_run
from inos.evolve.records import Trial
from inos.evolve.replay import Replayer, State, read_lineage
from inos.evolve.runners import Answer, LocalRunner
from inos.evolve.runs import OpenRun
from inos.evolve.seeds import derive_local_owner, derive_seed
from inos.functions import FunctionSpec
from inos.functions import compute_units as compute_function_units
from inos.programs.types import Array
from inos.work.files import compute_file_id

MODULE = (Path(__file__).parents[4] / "examples" / "functions" / "cartpole.wasm").read_bytes()
BREEDING = Breeding(genes=24, top=32_768, children=15, sizes=(64, 1024))
GOAL = 5000


class Judge:
    """Takes the place of the function: a genome is the fitter the nearer its first gene is to a goal.

    The cell is the second gene's sign, so that there are two.
    """

    def __init__(self, change: int = 0, cell: int | None = None) -> None:
        self.specs: list[FunctionSpec] = []
        self._change, self._cell = change, cell

    def run_program(self, opened: OpenRun, given: Sequence[Array]) -> Answer:
        raise AssertionError("the program of such a run is computed by each machine for itself")

    def call_function(self, spec: FunctionSpec, opened: OpenRun, stdin: bytes) -> Answer:
        self.specs.append(spec)
        members = np.frombuffer(stdin, "<i4").reshape(-1, 24).astype(np.int64)
        fitness = -abs(members[:, 0] - GOAL) + self._change
        cells = (members[:, 1] > 0).astype(np.int64) if self._cell is None else np.full(len(members), self._cell)
        return Answer((np.stack([fitness, cells], 1).astype("<i8").tobytes(),), None)


def make_island(folder: Path, cells: int = 0, steps: int = 2**28) -> Island:
    files, seed = MemoryFiles(), derive_seed("one")
    trial = Trial(compute_file_id(MODULE), (b"x",), 1024, steps, cells)
    run = write_function_run(files, "near a goal", MODULE, BREEDING, trial=trial)
    create_island(folder, files, run, seed, derive_local_owner(seed))
    return Island(folder)


def test_the_fittest_member_is_the_next_genome(tmp_path: Path) -> None:
    island, judge = make_island(tmp_path), Judge()
    found = [island.advance(judge).fitness for _ in range(12)]
    assert found == sorted(found)
    assert found[-1] > -GOAL + 2000
    assert island.head is not None
    lineage = read_lineage(island.own, [island.head[0]])
    assert {verdict.state for _, verdict in Replayer(island.own, judge).check_all(lineage)} == {State.RIGHT}
    assert Replayer(island.own, Judge(change=1)).check(island.head[0]).state is State.FALSE


def test_a_call_names_the_parent_and_has_its_own_random_numbers(tmp_path: Path) -> None:
    island, judge = make_island(tmp_path), Judge()
    for _ in range(3):
        island.advance(judge)
    assert island.head is not None
    parents = [each.args[-1].decode() for each in judge.specs]
    assert parents == ["00" * 32, *[id.hex() for id in list(read_lineage(island.own, [island.head[0]]).records)[:2]]]
    assert {each.args[0] for each in judge.specs} == {b"x"}
    assert len({each.seed for each in judge.specs}) == 3
    assert {each.output_bytes for each in judge.specs} == {16 * 16}


def test_a_map_of_elites_keeps_a_genome_for_each_cell(tmp_path: Path) -> None:
    island, judge = make_island(tmp_path, cells=2), Judge()
    for _ in range(10):
        record = island.advance(judge)
    elites = decode_elites(island.own.get(record.elites or b"", 1 << 16, "the map"))
    assert [each.cell for each in elites] == [0, 1]
    assert record.fitness == max(each.fitness for each in elites)
    for each in elites:
        genome = np.frombuffer(island.own.get(each.genome, 1 << 16, "a genome"), "<i4")
        assert each.fitness == -abs(int(genome[0]) - GOAL)
        assert each.cell == (genome[1] > 0)
    assert island.head is not None
    lineage = read_lineage(island.own, [island.head[0]])
    assert {verdict.state for _, verdict in Replayer(island.own, judge).check_all(lineage)} == {State.RIGHT}


@pytest.mark.parametrize(
    ("judge", "reason"),
    [
        (Judge(change=2**62 + 10**6), "fitness outside"),
        (Judge(cell=2), "cell outside"),
        (Judge(cell=-1), "cell outside"),
    ],
)
def test_a_function_that_writes_nonsense_makes_no_generation(tmp_path: Path, judge: Judge, reason: str) -> None:
    island = make_island(tmp_path, cells=2)
    with pytest.raises(InvalidRun, match=reason):
        island.advance(judge)
    assert island.number == 0


def test_units_are_those_of_the_call(tmp_path: Path) -> None:
    island, judge = make_island(tmp_path), Judge()
    island.advance(judge)
    stdin = island.opened.checked.results[0].nbytes
    assert compute_units(island.opened) == compute_function_units(judge.specs[0], len(MODULE), stdin)


def test_the_cart_and_pole_are_computed_the_same_again(tmp_path: Path) -> None:
    pytest.importorskip("wasmtime", reason="the extra `functions` is not installed")
    island, cache = make_island(tmp_path / "island"), tmp_path / "cache"
    first = island.advance(LocalRunner(cache_dir=cache))
    second = island.advance(LocalRunner(cache_dir=cache))
    assert second.fitness >= first.fitness > 5000
    assert island.head is not None
    assert Replayer(island.own, LocalRunner(cache_dir=cache)).check(island.head[0]).state is State.RIGHT


def test_a_function_without_an_outcome_makes_no_generation(tmp_path: Path) -> None:
    pytest.importorskip("wasmtime", reason="the extra `functions` is not installed")
    island = make_island(tmp_path / "island", steps=1000)
    with pytest.raises(InvalidRun, match="without an outcome"):
        island.advance(LocalRunner(cache_dir=tmp_path / "cache"))


def test_a_machine_that_runs_no_functions_says_unchecked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    island = make_island(tmp_path)
    island.advance(Judge())
    monkeypatch.setattr("inos.functions.runner.ENGINE_VERSION", "0.0.0")
    with pytest.raises(Unchecked, match=r"wasmtime 0\.0\.0"):
        LocalRunner(cache_dir=tmp_path / "cache").call_function(
            FunctionSpec(1, compute_file_id(MODULE), (), 1024, 2**20, 100, bytes(32)), island.opened, b""
        )
    assert island.head is not None
    verdict = Replayer(island.own, LocalRunner(cache_dir=tmp_path / "cache")).check(island.head[0])
    assert (verdict.state, verdict.reason[:17]) == (State.UNCHECKED, "functions-missing")
