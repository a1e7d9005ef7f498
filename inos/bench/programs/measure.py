"""Times of programs, in rounds that alternate between the interpreters."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from msgspec import Struct

from inos.bench.errors import BenchError
from inos.bench.machine import raised_priority
from inos.bench.programs.decoder import Model, draw_prompt, make_decoder
from inos.primitives.units import HASH_BYTES
from inos.programs import Multiply, bind_inputs, check_program, multiply, prepare_program
from inos.programs.builder import BuiltProgram, ProgramBuilder
from inos.programs.library import rescale
from inos.programs.mining import MiningProduct
from inos.programs.native.library import find_targets

CHAIN: Final = (512, 2048)
NATIVE: Final = "native"
NUMPY: Final = "numpy"
MINED: Final = "native, mined"
ANCHOR: Final = bytes(HASH_BYTES)
PAUSE_S: Final = 0.03
"""Threads of OpenBLAS spin for a while after their work, and would take a core from the next contender."""


class MeasuredProgram(Struct, frozen=True):
    """One program.

    Attributes:
        items: entries of its result, or tokens.
        seconds: medians over the rounds, by contender.
        ratios: of speed to numpy's: medians over the rounds.
        tickets: drawn in each mined run.
        juror_share: the time of a run without mining, as a juror makes it, as a share of a mined run, as the worker
            makes it: the median over the rounds. None if it is not mined.
    """

    name: str
    unit: str
    items: int
    seconds: dict[str, float]
    ratios: dict[str, float]
    tickets: int
    juror_share: float | None


def measure_programs(model: Model, rounds: int) -> list[MeasuredProgram]:
    """Time a chain of elementwise operations, and a decoder with and without mining.

    Raises:
        BenchError: the interpreters differ.
    """
    chain, inputs = _make_chain()
    decoder = make_decoder(model)
    with raised_priority():
        return [
            _measure("requantise", "entry", CHAIN[0] * CHAIN[1], chain, inputs, rounds, is_mined=False),
            _measure("decode", "token", model.tokens, decoder, [draw_prompt(model)], rounds, is_mined=True),
        ]


def describe_programs(rows: Sequence[MeasuredProgram]) -> list[str]:
    """Return a table."""
    lines = [f"{'program':<12} {'contender':<14} {'ms':>9} {'ns an item':>11} {'items/s':>13} {'x numpy':>8}"]
    for row in rows:
        for name, seconds in row.seconds.items():
            lines.append(
                f"{row.name:<12} {name:<14} {seconds * 1e3:>9.2f} {seconds / row.items * 1e9:>11.2f} "
                f"{row.items / seconds:>13,.0f} {row.ratios[name]:>8.2f}"
            )
    lines.append("items are entries of the result, and tokens in decode")
    lines += [
        f"{row.name}: {row.tickets:,} tickets a mined run; a juror's run takes {row.juror_share:.2f} of the worker's"
        for row in rows
        if row.juror_share is not None
    ]
    return lines


def _measure(
    name: str, unit: str, items: int, built: BuiltProgram, given: Sequence[Any], rounds: int, *, is_mined: bool
) -> MeasuredProgram:
    checked = check_program(built.program)
    inputs = bind_inputs(checked, given, built.load)
    mining = MiningProduct(ANCHOR, 0, inputs)
    contenders: dict[str, Callable[[], list[Any]]] = {}

    def add(contender: str, product: Multiply, engine: Any) -> None:
        prepared = prepare_program(checked, product, engine)
        contenders[contender] = lambda: prepared.run(inputs)

    add(NUMPY, multiply, "numpy")
    if find_targets():
        add(NATIVE, multiply, "native")
        if is_mined:
            add(MINED, mining, "native")
    expected = contenders[NUMPY]()
    for contender, run in contenders.items():  # a round to warm up
        if not all(map(np.array_equal, run(), expected)):
            raise BenchError("interpreters-differ", f"{contender} computes another result of {name} than numpy")
    tickets = mining.tickets
    times: dict[str, list[float]] = {contender: [] for contender in contenders}
    for _ in range(rounds):
        for contender, run in contenders.items():
            times[contender].append(_time(run))

    def compare(base: str, own: str) -> float:
        return statistics.median(one / other for one, other in zip(times[base], times[own], strict=True))

    ratios = {contender: compare(NUMPY, contender) for contender in times}
    juror_share = compare(NATIVE, MINED) if MINED in times else None
    seconds = {contender: statistics.median(each) for contender, each in times.items()}
    return MeasuredProgram(name, unit, items, seconds, ratios, tickets, juror_share)


def _make_chain() -> tuple[BuiltProgram, list[Any]]:
    """Return what follows a product in a quantised network: scale, bias, clamp and a table of its activation."""
    rng, (rows, cols) = np.random.default_rng(1), CHAIN
    b = ProgramBuilder()
    product = b.input(rows, cols, -(1 << 23), 1 << 23, name="product")
    scaled = rescale(product, rng.uniform(0.5, 1, (1, cols)) * 2.0**-12)
    index = b.clamp(scaled + b.constant(rng.integers(-256, 256, (1, cols))), -2048, 2047)
    table = np.round(63 * np.tanh(np.arange(-2048, 2048) / 512)).astype(np.int64)
    built = b.finish([b.table(index, table[None], -2048)])
    return built, [rng.integers(-(1 << 23), 1 << 23, (rows, cols), dtype=np.int32)]


def _time(run: Callable[[], object]) -> float:
    time.sleep(PAUSE_S)
    started = time.perf_counter()
    run()
    return time.perf_counter() - started
