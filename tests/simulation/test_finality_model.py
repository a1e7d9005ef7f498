"""Run a thousand seeds of the finality model under attack, and check that the runs contain the intended situations."""

import gc
import os

import pytest

from simulation.finality_runs import SCENARIOS, Outcome

pytestmark = pytest.mark.long

SEEDS = int(os.environ.get("INOS_FINALITY_SEEDS", "1000"))


SLOWER = {"run_stall": 12}
"""The scenarios with this many times fewer seeds, since their chains are long."""


@pytest.mark.parametrize("number", range(len(SCENARIOS)), ids=[scenario.__name__ for scenario in SCENARIOS])
def test_no_two_blocks_are_final_unless_a_third_is_caught(number: int) -> None:
    scenario, outcome = SCENARIOS[number], Outcome()
    step = len(SCENARIOS) * SLOWER.get(scenario.__name__, 1)
    gc.disable()
    try:
        for seed in range(number, SEEDS, step):
            try:
                outcome.add(scenario(seed))
            except AssertionError as error:
                raise AssertionError(f"seed {seed} of {scenario.__name__}: {error}") from error
            if seed % 50 == 0:
                gc.collect()
    finally:
        gc.enable()
    name, runs = scenario.__name__, outcome.runs
    assert runs >= SEEDS // step
    assert outcome.finals > 0.9 * runs
    if name == "run_lost":
        assert outcome.conflicts > 0.2 * runs, "too few runs in which it was worth it"
    if name == "run_withheld":
        assert outcome.refused > 0.2 * runs, "too few longer branches across a final block"
    if name == "run_deserted":
        assert outcome.stopped > 0.8 * runs, "those who voted above the branch cannot vote on it"
    if name in ("run_equivocating", "run_lost"):
        assert outcome.caught > 0.2 * runs
