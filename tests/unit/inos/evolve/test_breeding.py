import numpy as np
import pytest
from blake3 import blake3

from inos.evolve.breeding import Breeding, build_breeding
from inos.evolve.eggroll import NORMAL
from inos.evolve.errors import InvalidRun
from inos.evolve.signature import check_breeding, make_given
from inos.programs import check_program, run_program

BREEDING = Breeding(genes=5, top=900, children=7, sizes=(10, 100, 400))


def test_a_population_is_the_parent_and_children_with_normal_noise() -> None:
    built = build_breeding(BREEDING)
    checked = check_program(built.program)
    check_breeding(checked)
    genome, seed, number = np.array([[0, 1, -900, 900, 450]]), bytes(range(200, 232)), 9
    (population,) = run_program(checked, make_given(genome, seed, number, None), built.load)
    key = np.concatenate([np.frombuffer(seed, np.int8).astype("<i8"), np.array([number], "<i8")])
    drawn = np.frombuffer(blake3(key.tobytes(), derive_key_context="inos program random v1").digest(35), np.uint8)
    noise = NORMAL[(drawn & 127).reshape(7, 5).astype(int)]
    factors = np.array([round(size * 256 / 21) for size in (10, 100, 400, 10, 100, 400, 10)])[:, None]
    children = np.clip(genome + ((noise * factors + 128) >> 8), -900, 900)
    assert np.array_equal(population, np.concatenate([genome, children]))


def test_noise_has_the_deviation_that_is_asked_for() -> None:
    built = build_breeding(Breeding(genes=64, top=1 << 20, children=500, sizes=(1000,)))
    genome = np.zeros((1, 64), np.int64)
    (population,) = run_program(check_program(built.program), make_given(genome, bytes(32), 0, None), built.load)
    assert 970 < population[1:].std() < 1030


@pytest.mark.parametrize(
    "wrong",
    [
        Breeding(genes=5, top=9, children=0, sizes=(1,)),
        Breeding(genes=5, top=9, children=5000, sizes=(1,)),
        Breeding(genes=5, top=9, children=3, sizes=()),
        Breeding(genes=5, top=9, children=3, sizes=(0,)),
        Breeding(genes=0, top=9, children=3, sizes=(1,)),
        Breeding(genes=5, top=2**62, children=3, sizes=(2**40,)),
    ],
)
def test_populations_that_no_program_can_make_are_refused(wrong: Breeding) -> None:
    with pytest.raises(InvalidRun) as caught:
        build_breeding(wrong)
    assert caught.value.code == "bad-settings"
