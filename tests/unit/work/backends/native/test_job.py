"""How often W is packed under one anchor."""

import numpy as np
import pytest
from numpy.typing import NDArray

from inos import work
from inos.work import Lottery, Operand
from inos.work.backends.native.job import Job

NATIVE = next((info.name for info in work.list_backends() if info.is_available and info.name != "numpy"), "")
pytestmark = pytest.mark.skipif(not NATIVE, reason="no kernels were compiled")


def make(rows: int, cols: int, seed: int) -> Operand:
    array: NDArray[np.int8] = np.random.default_rng(seed).integers(-64, 64, (rows, cols), dtype=np.int8)
    return Operand.commit(array)


@pytest.fixture
def packed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The parts packed beforehand: "x", "w", or "sums" if only W's sums under a new X were computed."""
    seen: list[str] = []
    keep = Job._keep

    def spy(job: Job, stop: None) -> None:
        seen.append("sums" if job._slab.is_packed else "x" if job._slab.keeps_x else "w")
        keep(job, stop)

    monkeypatch.setattr(Job, "_keep", spy)
    return seen


def test_w_is_packed_once_for_all_x_from_the_second_on(packed: list[str]) -> None:
    w = make(600, 2048, 0)
    lottery = Lottery(w, bytes(32), 0, backend=NATIVE, threads=2)
    for seed in range(1, 6):
        x = make(32, 2048, seed)
        lottery.mine_strips(x, 0, 1)
        lottery.mine_strips(x, 1, 2)
    assert packed == ["x", "x", "w", "sums", "sums", "sums"]


def test_slices_of_one_x_pack_w_once_where_it_fits(packed: list[str]) -> None:
    x, w = make(4096, 1024, 1), make(512, 1024, 0)
    lottery = Lottery(w, bytes(32), 0, backend=NATIVE, threads=2)
    for first in range(0, 256, 64):
        lottery.mine_strips(x, first, first + 64)
    assert packed == ["w"]
