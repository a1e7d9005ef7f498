"""Writes functions.json beside itself: specs, units, and runs of small modules.

    python tests/vectors/make_functions.py

The format is described in README.md here.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from inos.functions import Delivered, FunctionSpec, InvalidFunction, compute_units, encode_spec, inspect_module  # noqa: E402
from support.functions import SEED, assemble, build, call, make_spec, run_child, write  # noqa: E402

FILE: Final = HERE / "functions.json"
MEMORY: Final = '(memory (export "memory") 1)'
START: Final = '(func (export "_start"))'


def drop(name: str, *arguments: int) -> str:
    return f"(drop {call(name, *arguments)})"


def show_spec(spec: FunctionSpec) -> dict[str, Any]:
    sizes = (1000, 16_384)
    return {
        "module": spec.module.hex(),
        "args": [arg.hex() for arg in spec.args],
        "pages": spec.pages,
        "steps": spec.steps,
        "output_bytes": spec.output_bytes,
        "seed": None if spec.seed is None else spec.seed.hex(),
        "encoded": encode_spec(spec).hex(),
        "module_bytes": sizes[0],
        "input_bytes": sizes[1],
        "units": compute_units(spec, *sizes),
    }


def make_specs() -> list[dict[str, Any]]:
    return [
        show_spec(make_spec(b"module")),
        show_spec(make_spec(args=(b"", b"caf\xc3\xa9", b"\xff"), pages=32_768, steps=2**36, output_bytes=2**27)),
        show_spec(make_spec(pages=1, steps=1, output_bytes=0, seed=SEED)),
    ]


def list_modules() -> Iterator[tuple[str, bytes, bytes, dict[str, Any]]]:
    """Yield name, module, stdin, and what the spec changes."""
    vectors = "(i32.store (i32.const 0) (i32.const 100)) (i32.store (i32.const 4) (i32.const 7))"
    two = "(i32.store (i32.const 8) (i32.const 4294967295)) (i32.store (i32.const 12) (i32.const 1))"
    yield "nothing", build(""), b"", {}
    yield (
        "args",
        build(drop("args_sizes_get", 0, 4) + drop("args_get", 8, 100) + write(0, 130)),
        b"",
        {"args": (b"a", b"bc")},
    )
    clock = "".join(drop("clock_time_get", number, 0, 8 * number) for number in range(4))
    yield "clock", build(clock + write(0, 32)), b"", {}
    yield "random", build(drop("random_get", 0, 5) + drop("random_get", 5, 60) + write(0, 65)), b"", {}
    yield "random of the spec", build(drop("random_get", 0, 65) + write(0, 65)), b"", {"seed": bytes(32)}
    sleep = f"(i64.store (i32.const 24) (i64.const 5000000000)) {drop('poll_oneoff', 0, 100, 1, 200)}"
    yield "sleep", build(sleep + drop("clock_time_get", 0, 0, 204) + write(100, 112)), b"", {}
    yield (
        "poll stdin",
        build(f"(i32.store8 (i32.const 8) (i32.const 1)) {drop('poll_oneoff', 0, 100, 1, 200)}" + write(100, 104)),
        b"abc",
        {},
    )
    yield (
        "read",
        build(vectors + drop("fd_read", 0, 0, 1, 60) + drop("fd_read", 0, 0, 1, 64) + write(60, 60)),
        b"0123456789",
        {},
    )
    fault = f"(i32.store (i32.const 60) {call('fd_read', 0, 0, 2, 64)})"
    yield "read outside", build(vectors + two + fault + write(60, 60)), b"0123456789", {}
    yield "fdstat", build("".join(drop("fd_fdstat_get", fd, 24 * fd) for fd in range(3)) + write(0, 72)), b"", {}
    yield "nosys", build(f"(i32.store (i32.const 0) {call('fd_sync', 1)})" + write(0, 4)), b"", {}
    yield "nan", build("(f64.store (i32.const 0) (f64.div (f64.const 0) (f64.const 0)))" + write(0, 8)), b"", {}
    grow = (
        "(i32.store (i32.const 0) (memory.grow (i32.const 15))) (i32.store (i32.const 4) (memory.grow (i32.const 1)))"
    )
    yield "grow", build(grow + write(0, 8)), b"", {}
    yield "exit 0", build(write(0, 3) + call("proc_exit", 0)), b"", {}
    yield "exit 300", build(write(0, 3) + call("proc_exit", 300)), b"", {}
    yield "unreachable", build("unreachable"), b"", {}
    yield "endless", build("(loop (br 0))"), b"", {"steps": 10**6}
    yield "deep", build("(call $f)", extra="(func $f (call $f))"), b"", {}
    yield "too much output", build(write(0, 9)), b"", {"output_bytes": 8}
    yield "too little memory", build("", pages="17"), b"", {}


def make_runs() -> list[dict[str, Any]]:
    found = []
    for name, module, stdin, changes in list_modules():
        spec, outcome = make_spec(module, **changes), run_child(module, stdin, **changes)
        is_delivered = isinstance(outcome, Delivered)
        found.append(
            {
                "name": name,
                "spec": encode_spec(spec).hex(),
                "module": module.hex(),
                "stdin": stdin.hex(),
                "stdout": outcome.stdout.hex() if isinstance(outcome, Delivered) else None,
                "reason": None if is_delivered else str(getattr(outcome, "reason", "")),
                "exit_code": getattr(outcome, "exit_code", None),
            }
        )
    return found


def make_refused() -> list[dict[str, str]]:
    texts = (
        START,
        f"{MEMORY} (func)",
        f"{MEMORY} {START} (func $f) (start $f)",
        f'(import "env" "abort" (func)) {MEMORY} {START}',
        f'(import "wasi_snapshot_preview1" "thread_spawn" (func)) {MEMORY} {START}',
        f'(import "wasi_snapshot_preview1" "fd_write" (func)) {MEMORY} {START}',
        f'{START} (memory (export "memory") 1 2 shared)',
        f"{START} {MEMORY} (table 1048577 funcref)",
    )
    modules = [assemble(f"(module {text})") for text in texts]
    return [{"module": module.hex(), "code": find_code(module)} for module in (*modules, b"\0asm", modules[0][:-1])]


def find_code(module: bytes) -> str:
    try:
        inspect_module(module)
    except InvalidFunction as error:
        return error.code
    raise LookupError("the module is accepted")


def make() -> dict[str, Any]:
    """Return the content of the file."""
    return {"task": SEED.hex(), "specs": make_specs(), "runs": make_runs(), "refused": make_refused()}


if __name__ == "__main__":
    FILE.write_text(json.dumps(make(), indent=1) + "\n")
