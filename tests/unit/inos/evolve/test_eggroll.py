import numpy as np
import pytest

from inos.evolve.eggroll import TOP, Settings, build_generation, check_examples, count_genes
from inos.evolve.errors import InvalidRun
from inos.evolve.files import MemoryFiles
from inos.evolve.problems import write_network_run
from inos.evolve.signature import make_given
from inos.programs import Engine, check_program, run_program
from support.eggroll_reference import compute_reference
from support.evolution import SMALL, make_examples


@pytest.mark.parametrize("engine", ["numpy", "auto"])
@pytest.mark.parametrize("number", [0, 1, 40])
def test_a_generation_equals_the_plain_reference(engine: Engine, number: int) -> None:
    """Number 40 lies beyond the cooling, and the genome reaches its bounds."""
    inputs, labels = make_examples()
    examples = check_examples(inputs, labels, 3)
    rng = np.random.default_rng(number)
    genes = count_genes(inputs.shape[1], 3, SMALL)
    genome = rng.integers(-TOP, TOP + 1, (1, genes)) if number else rng.integers(-3000, 3000, (1, genes))
    seed = rng.bytes(32)
    built = build_generation(examples, SMALL)
    after, right = run_program(
        check_program(built.program), make_given(genome, seed, number, None), built.load, engine=engine
    )
    expected, count = compute_reference(genome[0], seed, number, examples, SMALL)
    assert np.array_equal(after[0], expected)
    assert right.tolist() == [[count]]
    assert not np.array_equal(after, genome)


def test_the_parents_id_changes_nothing_and_the_seed_does() -> None:
    inputs, labels = make_examples()
    built = build_generation(check_examples(inputs, labels, 3), SMALL)
    checked, genome = check_program(built.program), np.zeros((1, count_genes(8, 3, SMALL)), np.int64) + 300

    def run(seed: bytes, parent: bytes | None) -> bytes:
        return run_program(checked, make_given(genome, seed, 1, parent), built.load)[0].tobytes()

    assert run(bytes(32), None) == run(bytes(32), b"\xff" * 32)
    assert run(bytes(32), None) != run(b"\x01" + bytes(31), None)


def test_labels_outside_the_model_and_other_bad_examples_are_refused() -> None:
    inputs, labels = make_examples()
    for bad in (3, -1):
        wrong = labels.copy()
        wrong[7] = bad
        with pytest.raises(InvalidRun, match=rf"example 7 has label {bad}; the model has classes 0 \.\. 2") as caught:
            check_examples(inputs, wrong, 3)
        assert caught.value.code == "label-outside-model"
    for x, y in (
        (inputs, labels[:-1]),
        (inputs + 60, labels),
        (inputs / 2, labels),
        (inputs[0], labels[:1]),
        (inputs, labels + 0.0),
        (inputs[:0], labels[:0]),
    ):
        with pytest.raises(InvalidRun) as caught:
            check_examples(x, y, 3)
        assert caught.value.code == "bad-examples"


def test_settings_that_no_program_can_hold_are_refused() -> None:
    inputs, labels = make_examples()
    for settings in (Settings(batch=1 << 17, pairs=1 << 17), Settings(hidden=0), Settings(sigma=63)):
        with pytest.raises(InvalidRun) as caught:
            build_generation(check_examples(inputs, labels, 3), settings)
        assert caught.value.code == "bad-settings"


def test_a_generation_that_no_juror_could_compute_is_refused() -> None:
    inputs, labels = make_examples()
    settings = Settings(hidden=64, batch=1024, pairs=2048, updates=8)
    with pytest.raises(InvalidRun) as caught:
        write_network_run(MemoryFiles(), "large", check_examples(inputs, labels, 3), settings)
    assert caught.value.code == "task-too-large"
