"""Fetching what a verdict needs ends in time for the verdict."""

import asyncio
from typing import Any

import numpy as np
import pytest

from inos.agents.juror import FETCH_PART
from inos.agents.result_check import FETCH_S, ResultCheck
from inos.consensus.jury import compute_reveal_start
from inos.genesis import load_network
from inos.primitives.errors import MatrixMissing
from inos.primitives.units import Height
from inos.work import matrix_ref


@pytest.mark.parametrize("network", ["devnet", "testnet"])
def test_an_attempt_is_short_beside_the_time_that_is_left_to_commit(network: str) -> None:
    """The last one begins before half of the window is over; 20 s outlasted a devnet's commit window."""
    params = load_network(network).params
    part, whole = FETCH_PART
    left = compute_reveal_start(params, Height(0)) - params.jury_window * part // whole
    assert left * params.spacing_ms / 1000 >= 4 * FETCH_S


async def test_what_nobody_serves_is_given_up_soon_after_it_is_no_longer_wanted(lab: Any) -> None:
    core = lab.open("a")
    wanted = [True, True, False]
    fetch = ResultCheck(core, lab.alice.secret).fetch([matrix_ref(lab.y)], lambda: wanted.pop(0))
    async with asyncio.timeout(3 * FETCH_S + 5):
        with pytest.raises(MatrixMissing):
            await fetch
    assert wanted == []


async def test_what_arrives_between_attempts_is_taken(lab: Any) -> None:
    core = lab.open("a")
    fetching = asyncio.ensure_future(ResultCheck(core, lab.alice.secret).fetch([matrix_ref(lab.y)], lambda: True))
    await asyncio.sleep(0)
    await core.matrices.put(lab.y)
    (found,) = await fetching
    assert np.array_equal(found, lab.y)
