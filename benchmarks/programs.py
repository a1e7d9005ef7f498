"""Measure programs on this machine: decoding, checking, and what a node and an entry cost in the numpy interpreter.

python benchmarks/programs.py
"""

import time
from collections.abc import Callable

import numpy as np

from inos.programs import (
    Interpreter,
    Program,
    ProgramBuilder,
    Value,
    bind_inputs,
    check_program,
    decode_program,
    encode_program,
)

NODES = 10_000
ROUNDS = 7


def measure(work: Callable[[], object]) -> float:
    """Return the least processor time of several rounds, in seconds."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return best


def make_chain(rows: int, cols: int, nodes: int) -> Program:
    """Return requantisations one after the other: multiply and shift, add, clamp to int7."""
    b = ProgramBuilder()
    x = y = b.input(rows, cols, -64, 63)
    for step in range(nodes // 3):
        y = b.clamp(b.add(b.mul(y, 77 + step % 8, 6), x), -64, 63)
    return b.finish([y]).program


def make_loop(count: int) -> Program:
    """Return a loop of many short iterations: eight nodes on 4 x 4 entries each."""
    b = ProgramBuilder()
    x = b.input(4, 4, -64, 63)

    def step(carried: list[Value], _: list[Value]) -> tuple[list[Value], list[Value]]:
        y = carried[0]
        for _node in range(4):
            y = b.clamp(y + x, -64, 63)
        return [y], []

    (last,), _ = b.repeat(count, [(x, -64, 63)], [], step)
    return b.finish([last]).program


def time_run(program: Program) -> float:
    checked = check_program(program)
    interpreter = Interpreter(checked)
    inputs = bind_inputs(checked, [np.full(each.shape, 5) for each in checked.given])
    return measure(lambda: interpreter.run(inputs))


def main() -> None:
    """Print one line for each figure."""
    chain = make_chain(4, 4, NODES)
    data = encode_program(chain)
    print(f"decode {NODES:,} nodes, {len(data):,} bytes: {1e3 * measure(lambda: decode_program(data)):.0f} ms")
    print(f"check {NODES:,} nodes: {1e3 * measure(lambda: check_program(chain)):.0f} ms")
    checked = check_program(chain)
    print(f"prepare {NODES:,} nodes: {1e3 * measure(lambda: Interpreter(checked)):.0f} ms")
    print(f"run a node of 16 entries: {1e6 * time_run(chain) / len(chain.nodes):.1f} us")
    print(f"run a loop's iteration of 8 nodes of 16 entries: {1e6 * time_run(make_loop(1000)) / 1000:.0f} us")
    large = make_chain(1024, 1024, 30)
    print(f"requantise an entry (three nodes of 2^20 entries): {1e9 * time_run(large) / 10 / 2**20:.1f} ns")


if __name__ == "__main__":
    main()
