"""A signal to stop tells what waits for it, whichever comes first."""

import threading

import numpy as np
import pytest

from inos.primitives.units import U256_MAX
from inos.work import Lottery, Operand, StopSignal, list_backends

BACKENDS = [info.name for info in list_backends() if info.is_available and info.name.startswith(("native", "numpy"))]


def test_what_waits_is_called_once_within_its_context() -> None:
    signal, calls = StopSignal(), list[str]()
    with signal.calling(lambda: calls.append("before")):
        signal.set()
        with signal.calling(lambda: calls.append("late")):
            pass
    signal.set()
    assert calls == ["before", "late"]
    assert signal.is_set()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_product_ends_although_nobody_looks_at_the_signal(backend: str) -> None:
    x = Operand.commit(np.ones((4096, 4096), np.int8))
    signal, tickets = StopSignal(), list[int]()

    def stop_at_the_first(*_: object) -> None:
        threading.Thread(target=signal.set).start() if not tickets else None
        tickets.append(1)

    drawn = Lottery(x, bytes(32), U256_MAX, backend=backend, threads=2).draw(
        x, 0, x.strips, stop_at_the_first, stop=signal
    )
    assert drawn.product is None
    assert drawn.tickets < 4096**2 * 4096 // 2**18
