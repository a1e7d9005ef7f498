"""Freed memory goes back to the system, also from between blocks that are still in use."""

import subprocess
import sys

import pytest

from inos.node.memory import load_trim

CHECK = """
from inos.node.memory import load_trim

def read_mb():
    line = next(line for line in open("/proc/self/status") if line.startswith("RssAnon"))
    return int(line.split()[1]) / 1000

trim = load_trim()
blocks = [bytes(range(256)) * 256 for _ in range(1500)]
del blocks[:-1]  # The last one keeps the end of the heap in use.
held = read_mb()
trim()
print(held, read_mb())
"""


@pytest.mark.skipif(load_trim() is None, reason="this C library gives no memory back on request")
def test_memory_between_blocks_in_use_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", CHECK], capture_output=True, text=True, check=True, timeout=60)
    held, left = map(float, done.stdout.split())
    assert held - left > 60


def test_a_c_library_without_it_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inos.node.memory.ctypes.CDLL", lambda name: object())
    assert load_trim() is None
