"""Memory that is used again, and that of a product in addition to its operands and result, in a process of its own."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from inos import work
from inos.work.backends.native.memory import LINE, Memory

MEASURE = """
import sys
import numpy as np
from inos import work

def get_peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) << 10

m, n, k, backend = *map(int, sys.argv[1:4]), sys.argv[4]
draw = np.random.default_rng(1).integers
x, w = (draw(-64, 64, (rows, k), dtype=np.int8) for rows in (m, n))
work.mine(x[:16], w[:16], bytes(32), 0, backend=backend, threads=2)
open("/proc/self/clear_refs", "w").write("5")  # the peak begins anew
before = get_peak()
product = work.mine(x, w, bytes(32), 0, backend=backend, threads=2).product
assert product is not None
print(get_peak() - before)
"""
SLACK = 2 << 20
"""The allowance for small products of any size, and for pages in large steps."""
NATIVE = next((info.name for info in work.list_backends() if info.is_available and info.name != "numpy"), "")


@pytest.mark.skipif(not NATIVE, reason="no kernels were compiled")
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peaks are measured by Linux's /proc")
@pytest.mark.parametrize(
    "shape", [(2048, 2048, 2048), (1024, 11008, 4096), (11008, 512, 4096), (16, 4096, 4096), (1024, 1024, 65536)]
)
def test_operands_product_and_a_quarter(shape: tuple[int, int, int]) -> None:
    m, n, k = shape
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(m), str(n), str(k), NATIVE],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    operands, product = (m + n) * k, 4 * m * n
    assert int(done.stdout) <= product + (operands + product) // 4 + SLACK


def test_a_product_uses_the_memory_of_one_that_nobody_needs() -> None:
    memory = Memory(3 << 20)
    first = memory.lend(1 << 20)
    place, part = first.__array_interface__["data"][0], first.view(np.int32).reshape(-1, 64)[:2]
    assert place % LINE == 0
    del first
    second = memory.lend(1 << 20)
    assert not np.may_share_memory(second, part)
    del part
    assert memory.lend((1 << 20) - 64).__array_interface__["data"][0] == place


def test_memory_beyond_the_bound_and_of_another_size_is_not_kept() -> None:
    memory = Memory(3 << 20)
    lent = [memory.lend(1 << 20) for _ in range(5)]
    places = {array.__array_interface__["data"][0] for array in lent}
    lent.clear()
    assert sum(map(len, memory._kept)) == 3 << 20
    assert memory.lend(1 << 20).__array_interface__["data"][0] in places
    assert len(memory.lend(4 << 20)) == 4 << 20
    assert sum(map(len, memory._kept)) <= 3 << 20


def test_memory_that_comes_back_in_the_middle_of_a_loan_is_freed() -> None:
    memory = Memory(3 << 20)
    lent = memory.lend(1 << 20)
    with memory._lock:
        del lent
    assert memory._kept == []
