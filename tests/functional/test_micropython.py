"""MicroPython as a function: examples/functions/micropython.wasm runs a script."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest

Call: TypeAlias = Callable[..., Any]
FOLDER: Final = Path(__file__).parents[2] / "examples" / "functions"
WORDS: Final = (FOLDER / "words.py").read_bytes()
TEXT: Final = b"to be or not to be \xc3\xa9t\xc3\xa9\n" * 50 + b"once"
CATCH: Final = b"""
def sink(n):
    return 0 if n == 0 else 1 + sink(n - 1)

def walk():
    for i in range(3):
        try:
            yield 6 // (i - 1)
        finally:
            print("left", i)

try:
    for each in walk():
        print(each)
except ZeroDivisionError as error:
    print(repr(error))
try:
    sink(10 ** 6)
except RuntimeError as error:
    print(error)
print(sink(20))
"""
ALLOCATE: Final = b"""
kept = []
for i in range(20000):
    try:
        junk = [i] * 500  # 40 MB in all, and the heap has 16
        if i % 10 == 0:
            kept.append({"n": i, "s": str(i)})
            raise KeyError(i)
    except KeyError as error:
        kept[-1]["n"] = error.args[0] + 2 ** 70
print(len(kept), all(str(k["n"] - 2 ** 70) == k["s"] for k in kept))
try:
    [0] * 2 ** 24
except MemoryError:
    print("no memory")
"""


@pytest.fixture(scope="module")
def call() -> Call:
    wasmtime = pytest.importorskip("wasmtime", reason="the extra `functions` is not installed")
    from inos.functions.engine import make_engine
    from inos.functions.host import run_module

    engine = make_engine(2**20)
    modules = {
        name: wasmtime.Module(engine, (FOLDER / name).read_bytes()) for name in ("micropython.wasm", "words-c.wasm")
    }

    def run(name: str, data: bytes, *args: bytes) -> Any:
        return run_module(
            engine, modules[name], stdin=data, args=args, steps=2**33, pages=1024, output_bytes=2**20, seed=bytes(32)
        )

    return run


def test_a_script_counts_words_as_the_module_of_c_does(call: Call) -> None:
    for least in ((), (b"51",), (b"100",)):
        found = call("micropython.wasm", TEXT, WORDS, *least)
        assert (found.reason, found.log) == ("delivered", b"")
        assert found.stdout == call("words-c.wasm", TEXT, *least).stdout
    assert found.stdout == b"be 100\nto 100\n"


def test_exceptions_pass_through_calls_loops_and_generators(call: Call) -> None:
    found = call("micropython.wasm", b"", CATCH)
    assert found.reason == "delivered", found.log
    assert found.stdout.decode().splitlines() == [
        "-6", "left 0", "left 1", "ZeroDivisionError('divide by zero',)", "maximum recursion depth exceeded", "20",
    ]  # fmt: skip


def test_the_collector_frees_what_nothing_names_and_keeps_the_rest(call: Call) -> None:
    found = call("micropython.wasm", b"", ALLOCATE)
    assert found.reason == "delivered", found.log
    assert found.stdout == b"2000 True\nno memory\n"


@pytest.mark.parametrize(
    ("script", "stdout", "told"),
    [
        (b"import sys; sys.stdout.buffer.write(bytes([0, 255]) + sys.stdin.buffer.read(2))", b"\0\xffab", b""),
        (b"import sys; print(1); sys.exit(0)", b"1\n", b""),
        (b"import sys; sys.exit(3)", None, b""),
        (b"print(1)\nraise ValueError('bad')", None, b"ValueError: bad"),
        (b"print(", None, b"SyntaxError"),
        (b"open('x')", None, b"NameError"),
    ],
)
def test_how_a_script_ends(call: Call, script: bytes, stdout: bytes | None, told: bytes) -> None:
    found = call("micropython.wasm", b"abc", script)
    assert found.reason == ("exit-code" if stdout is None else "delivered")
    assert stdout is None or found.stdout == stdout
    assert told in found.log
