"""The Triton kernels: in Triton's interpreter bit for bit, and compiled for three kinds of cards."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support import card_products
from support.card_products import TILES

pytestmark = pytest.mark.long

pytest.importorskip("torch", reason='the extra "gpu" is not installed')
pytest.importorskip("triton", reason='the extra "gpu" is not installed')

KERNELS = {
    "add_noise": ({"plain": "*i8", "rows": "*i8", "columns": "*u8", "noisy": "*i8", "depth": "i32"}, ("SIDE",)),
    "sum_columns": ({"values": "*i8", "inverse": "*u8", "sums": "*i32", "depth": "i32"}, ("SIDE",)),
    "sum_steps": ({"noisy": "*i8", "offsets": "*i32", "height": "i32", "depth": "i32"}, ("SIDE",)),
    "multiply": (
        {"x": "*i8", "w": "*i8", "offsets": "*i32", "states": "*u32", "product": "*i32"}
        | dict.fromkeys(("height", "width", "depth"), "i32"),
        ("SIDE_X", "SIDE_W", "NEEDS_ROWS"),
    ),
    "hash_tickets": ({"states": "*u32", "key": "*u32", "heads": "*u32", "count": "i32"}, ("MANY",)),
    "peel": (
        {"sums_x": "*i32", "sums_w": "*i32", "rows_x": "*i8", "rows_w": "*i8", "product": "*i32", "width": "i32"},
        ("SIDE_X", "SIDE_W"),
    ),
}
"""The types of each kernel's arguments, and its constants."""
COMPILE = """
import sys, triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from inos.work.backends.gpu import kernels
from inos.work.backends.gpu.card import MANY, SIDE, WARPS
from unit.work.backends.test_gpu import KERNELS
for name, (types, constants) in KERNELS.items():
    values = {each: {"MANY": MANY, "NEEDS_ROWS": True}.get(each, SIDE) for each in constants}
    source = ASTSource(getattr(kernels, name), types | dict.fromkeys(constants, "constexpr"), values)
    made = triton.compile(source, GPUTarget("cuda", int(sys.argv[1]), 32), {"num_warps": WARPS})
    print(name, made.metadata.shared, made.asm["ptx"].count("mma"), len(made.asm["cubin"]) > 0)
"""
MOST_SHARED = 99 * 1024
"""A program of sm_120 has so many bytes of shared memory, and those of the others have more."""


def run(*arguments: str, **variables: str) -> str:
    """Run Python with these variables, and return what it printed."""
    tests = Path(card_products.__file__).parents[1]
    place = {"PYTHONPATH": os.pathsep.join([str(tests), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **place, **variables},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_tickets_are_those_of_the_reference() -> None:
    printed = run(card_products.__file__, "gpu", TRITON_INTERPRET="1").splitlines()
    assert [line.rpartition(" ")[0] for line in printed] == [str(tile[:3]) for tile in TILES]
    assert sum(int(line.rpartition(" ")[2]) for line in printed) > 12


@pytest.mark.parametrize("capability", ["80", "90", "120"])
def test_kernels_compile_for_cards_that_are_not_here(capability: str, tmp_path: Path) -> None:
    printed = run("-c", COMPILE, capability, TRITON_CACHE_DIR=str(tmp_path), TRITON_INTERPRET="0")
    lines = dict(line.split(" ", 1) for line in printed.splitlines())
    assert lines.keys() == KERNELS.keys()
    for name, line in lines.items():
        shared, units, has_code = line.split()
        assert int(shared) <= MOST_SHARED
        assert has_code == "True"
        assert (int(units) > 0) == (name == "multiply"), "products are made by the matrix units"
