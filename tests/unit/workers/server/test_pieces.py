"""What rows are checked by is made once for each W, and kept for the next product by it."""

import asyncio

import numpy as np
import pytest

from inos.work import Operand
from inos.workers.server import pieces as pieces_module
from inos.workers.server.pieces import RowChecks
from support.work_lab import make_matrices, multiply

X, W = make_matrices()


async def test_the_check_of_the_newest_w_is_kept() -> None:
    checks, w, other = RowChecks(), Operand.commit(W), Operand.commit(W // 2)
    first = checks.get(w)
    assert checks.get(Operand.commit(W)) is first
    assert (await first).check(X, multiply(X, W))
    second = checks.get(other)
    assert second is not first
    assert (await second).check(X, multiply(X, W // 2))
    assert not (await second).check(X, multiply(X, W))
    assert checks.get(other) is second
    checks.clear()
    assert checks.get(other) is not second


async def test_each_check_has_vectors_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = list[bytes]()
    make = pieces_module.BlockCheck
    monkeypatch.setattr(pieces_module, "BlockCheck", lambda w, seed: seeds.append(seed) or make(w, seed))
    checks = RowChecks()
    for entries in (W, W // 2, W):
        await checks.get(Operand.commit(entries))
    assert len(set(seeds)) == 3


async def test_a_check_that_could_not_be_made_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    checks, w = RowChecks(), Operand.commit(W)
    with monkeypatch.context() as patch:
        patch.setattr(pieces_module, "BlockCheck", refuse_memory)
        with pytest.raises(MemoryError):
            await checks.get(w)
    assert (await asyncio.wait_for(checks.get(w), 60)).check(X, multiply(X, W))


def refuse_memory(w: np.ndarray[tuple[int, int], np.dtype[np.int8]], seed: bytes) -> None:
    raise MemoryError("no memory")
