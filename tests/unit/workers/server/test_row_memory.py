"""Memory for rows comes back when the last array over it is gone, and is used again."""

import gc
from typing import Any

import numpy as np

from inos.workers.server import row_memory
from inos.workers.server.row_memory import RowMemory


def get_address(array: np.ndarray[Any, Any]) -> int:
    return int(array.__array_interface__["data"][0])


def test_memory_is_used_again_only_when_no_view_of_it_is_left() -> None:
    memory = RowMemory()
    lent = memory.borrow(1000)
    place, view = get_address(lent), lent.view(np.uint8)[100:900].reshape(8, -1)
    del lent
    assert (get_address(memory.borrow(1000)) != place, memory.kept_bytes) == (True, 1000)
    view[:] = 3
    del view
    assert memory.kept_bytes == 2000
    found = {get_address(memory.borrow(700)), get_address(memory.borrow(1000))}
    assert place in found


def test_a_much_larger_or_smaller_array_gets_memory_of_its_own() -> None:
    memory = RowMemory()
    memory.borrow(1000)
    assert memory.borrow(100).nbytes == 100
    assert memory.borrow(1001).nbytes == 1001
    assert memory.kept_bytes == 2101


def test_little_is_kept_and_nothing_after_it_is_cleared(monkeypatch: Any) -> None:
    monkeypatch.setattr(row_memory, "KEPT_BYTES", 2500)
    memory = RowMemory()
    lent = [memory.borrow(1000) for _ in range(4)]
    lent.clear()
    gc.collect()
    assert memory.kept_bytes == 2000
    memory.clear()
    assert memory.kept_bytes == 0
