"""`inos bench functions`: what a call costs: starting the child, compiling, steps, calls to the host."""

import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from msgspec import Struct

from inos.bench.errors import BenchError
from inos.bench.timing import time_median
from inos.functions import Delivered, FunctionSpec, ModuleCache, Role, compile_module, run
from inos.functions.limits import CALL_STEPS, MAX_STEPS, SPEC_VERSION
from inos.primitives.units import HASH_BYTES
from inos.work.files import compute_file_id

NOTHING: Final = bytes.fromhex(
    "0061736d01000000010401600000030201000503010001071302066d656d6f72790200065f737461727400000a040102000b"
)
"""Its `_start` returns at once."""
LOOP: Final = bytes.fromhex(
    "0061736d01000000010401600000030201000503010001071302066d656d6f72790200065f737461727400000a18011601017f03402000"
    "41016a22004180c2d72f490d000b0b"
)
"""It counts to 100,000,000."""
CALLS: Final = bytes.fromhex(
    "0061736d010000000108026000017f60000002260116776173695f736e617073686f745f70726576696577310b73636865645f7969656c64"
    "0000030201010503010001071302066d656d6f72790200065f737461727400010a1a011801017f034010001a200041016a22004190ce0049"
    "0d000b0b"
)
"""It calls `sched_yield` 10,000 times."""
CALLED: Final = 10_000
CALLS_EACH: Final = 5
"""The calls of each thread, while all run."""


class FunctionRow(Struct, frozen=True):
    """One figure."""

    what: str
    value: float
    unit: str


def measure_functions(modules: list[Path], rounds: int) -> list[FunctionRow]:
    """Measure calls of small modules, and the compiling of those that are given."""
    return list(_measure(modules, rounds))


def describe_functions(rows: list[FunctionRow]) -> list[str]:
    """Return the figures as lines of text."""
    return [f"{row.what:<52} {row.value:10.1f} {row.unit}" for row in rows]


def _measure(modules: list[Path], rounds: int) -> Iterator[FunctionRow]:
    with tempfile.TemporaryDirectory(prefix="inos-bench-functions-") as folder:
        cache = ModuleCache(Path(folder) / "cache")
        yield FunctionRow("first call of a small module, with compiling", _time_first(rounds) * 1e3, "ms")
        _call(NOTHING, cache)
        start = time_median(lambda: _call(NOTHING, cache), rounds)
        yield FunctionRow("call of a compiled module", start * 1e3, "ms")
        threads = os.cpu_count() or 1
        yield FunctionRow(f"calls of a compiled module, {threads} threads", _count_calls(cache, threads), "1/s")
        steps = _call(LOOP, cache).steps
        taken = time_median(lambda: _call(LOOP, cache), rounds) - start
        yield FunctionRow("steps of a loop, a second", steps / taken / 1e6, "million")
        _call(CALLS, cache)
        each = (time_median(lambda: _call(CALLS, cache), rounds) - start) / CALLED
        yield FunctionRow(f"a call to the host, for {CALL_STEPS} steps", each * 1e6, "us")
        for path in modules:
            yield from _measure_module(path, cache, rounds)


def _time_first(rounds: int) -> float:
    return time_median(lambda: _call(NOTHING, None), rounds)


def _measure_module(path: Path, cache: ModuleCache, rounds: int) -> Iterator[FunctionRow]:
    data = path.read_bytes()
    taken = time_median(lambda: compile_module(data), rounds)
    yield FunctionRow(f"compiling {path.name}, {len(data)} bytes", taken * 1e3, "ms")
    _call(data, cache)
    yield FunctionRow(f"call of {path.name}, compiled", time_median(lambda: _call(data, cache), rounds) * 1e3, "ms")


def _count_calls(cache: ModuleCache, threads: int) -> float:
    total = threads * CALLS_EACH
    began = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda _: _call(NOTHING, cache), range(total)))
    return total / (time.perf_counter() - began)


def _call(module: bytes, cache: ModuleCache | None) -> Delivered:
    spec = FunctionSpec(SPEC_VERSION, compute_file_id(module), (), 1024, MAX_STEPS, 2**20, None)
    outcome = run(spec, module, b"", role=Role.WORKER, seed=bytes(HASH_BYTES), cache=cache)
    if not isinstance(outcome, Delivered):
        raise BenchError(
            "no-outcome", f"a module has no outcome for an empty input: {outcome.detail}", hint="leave it out"
        )
    return outcome
