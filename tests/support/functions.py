"""Makes small modules from text, and runs them in this process or in the child."""

import re
from typing import Any, Final

import wasmtime

from inos.functions import Delivered, FunctionSpec, NoOutcome, Outcome, Role, preview1, run
from inos.functions.engine import make_engine
from inos.functions.host import Ended, run_module
from inos.work.files import compute_file_id

SEED: Final = bytes(range(32))
_NAMES: Final = {preview1.I32: "i32", preview1.I64: "i64"}


def declare_imports(text: str) -> str:
    """Return the imports of all preview 1 functions that a module's text calls."""
    lines = []
    for name, (params, results) in preview1.SIGNATURES.items():
        if re.search(rf"\(call \${name}\b", text):
            types = " ".join(_NAMES[each] for each in params)
            result = "(result i32)" if results else ""
            lines.append(f'(import "{preview1.MODULE}" "{name}" (func ${name} (param {types}) {result}))')
    return "\n".join(lines)


def build(body: str, *, pages: str = "1", extra: str = "") -> bytes:
    """Return a module whose `_start` is `body`.

    Args:
        pages: the limits of its memory. extra: more definitions.
    """
    text = f"""(module {declare_imports(body + extra)}
        (memory (export "memory") {pages}) {extra}
        (func (export "_start") (local $i i32) (local $j i32) {body}))"""
    return assemble(text)


def assemble(text: str) -> bytes:
    """Return the module of a whole text."""
    return bytes(wasmtime.wat2wasm(text))


def write(start: int, length: int, fd: int = 1) -> str:
    """Return the text that writes a piece of memory; it uses the 12 bytes at 65,000."""
    return f"""(i32.store (i32.const 65000) (i32.const {start})) (i32.store (i32.const 65004) (i32.const {length}))
        (drop (call $fd_write (i32.const {fd}) (i32.const 65000) (i32.const 1) (i32.const 65008)))"""


def call(name: str, *arguments: int | str) -> str:
    """Return the text that calls a preview 1 function; numbers become constants of the right type."""
    params, _ = preview1.SIGNATURES[name]
    shown = [
        each if isinstance(each, str) else f"({_NAMES[kind]}.const {each})"
        for kind, each in zip(params, arguments, strict=True)
    ]
    return f"(call ${name} {' '.join(shown)})"


def store_error(name: str, *arguments: int | str) -> str:
    """Return the text that calls a function and stores its error number at 64,000."""
    return f"(i32.store (i32.const 64000) {call(name, *arguments)})"


def run_here(module: bytes, **options: Any) -> Ended:
    """Run a module in this process, with limits that suit small ones."""
    given: dict[str, Any] = {
        "steps": 10**9, "pages": 16, "output_bytes": 2**20, "args": (), "stdin": b"", "seed": SEED,
    }  # fmt: skip
    engine = make_engine(options.pop("stack_bytes", 2**20))
    return run_module(engine, wasmtime.Module(engine, module), **(given | options))


def ask_error(name: str, *arguments: int | str, **options: Any) -> int:
    """Return the error number that a call answers."""
    ended = run_here(build(store_error(name, *arguments) + write(64000, 4)), **options)
    assert ended.reason == "delivered", ended.detail
    return int.from_bytes(ended.stdout, "little")


def make_spec(code: bytes = b"", **changes: Any) -> FunctionSpec:
    """Return a spec of a module with small limits."""
    given: dict[str, Any] = {
        "version": 1, "module": compute_file_id(code), "args": (), "pages": 16, "steps": 10**9, "output_bytes": 2**20,
        "seed": None,
    }  # fmt: skip
    return FunctionSpec(**(given | changes))


def run_child(module: bytes, stdin: bytes = b"", role: Role = Role.WORKER, **changes: Any) -> Outcome:
    """Run a module in a child process."""
    return run(make_spec(module, **changes), module, stdin, role=role, seed=SEED)


def deliver(outcome: Outcome) -> bytes:
    """Return the stdout of a run that must have an outcome."""
    assert isinstance(outcome, Delivered), outcome
    return outcome.stdout


def refuse(outcome: Outcome) -> NoOutcome:
    """Return a run that must have no outcome."""
    assert isinstance(outcome, NoOutcome), outcome
    return outcome
