"""Runs functions: checks the spec and the module, compiles the module once, and lets a child run it."""

import threading
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from inos.functions.cache import ModuleCache
from inos.functions.frames import encode_frame
from inos.functions.limits import CHECKER_FACTOR, ENGINE_VERSION, LOG_BYTES, PAGE_BYTES, WORKER_STACK_BYTES
from inos.functions.module import inspect_module
from inos.functions.outcome import Delivered, HostFailed, NoOutcome, Outcome, Reason
from inos.functions.spec import FunctionSpec, InvalidFunction, check_data, check_spec
from inos.functions.supervisor import Allowance, ask_child
from inos.primitives.units import HASH_BYTES
from inos.work.files import compute_file_id

COMPILE_SECONDS: Final = 120.0
COMPILE_MEMORY_BYTES: Final = 2**30
MAX_COMPILED_BYTES: Final = 2**28
BASE_SECONDS: Final = 60.0
STEPS_PER_SECOND: Final = 2**25
"""A run may take this long for its steps; idle machines take 2^29 and more a second."""
BASE_MEMORY_BYTES: Final = 2**28
"""The interpreter, the engine, tables and stacks."""


class Role(StrEnum):
    """Who runs a function: a checker gives it twice the steps and the stack."""

    WORKER = "worker"
    CHECKER = "checker"

    @property
    def factor(self) -> int:
        return CHECKER_FACTOR if self is Role.CHECKER else 1


def run(
    spec: FunctionSpec,
    module: bytes,
    stdin: bytes,
    *,
    role: Role,
    seed: bytes,
    cache: ModuleCache | None = None,
    seconds: float | None = None,
    stop: threading.Event | None = None,
) -> Outcome:
    """Run a function and wait for its end. It blocks: call it on a thread, which must outlive the call.

    Args:
        module: the bytes that the spec's module id names.
        seed: the task's id, 32 bytes; the spec's own seed is used if it has one.
        cache: where compiled modules are kept; without one the module is compiled again.
        seconds: the longest time that the run may take. Default: by its steps.
        stop: ends the call.

    Returns:
        An outcome that is the same on every machine.

    Raises:
        InvalidFunction: no machine runs this spec with this module and input.
        HostFailed: this machine could not run it, and others may. The run counts for nothing.
        Stopped: `stop` was set.
    """
    if len(seed) != HASH_BYTES:
        raise ValueError(f"a seed has {HASH_BYTES} bytes, not {len(seed)}")
    pages = _check_call(spec, module, stdin)
    if pages > spec.pages:
        detail = f"the module's memory starts with {pages} pages, and the spec allows {spec.pages}"
        return NoOutcome(Reason.MEMORY, detail, b"", 0)
    steps = spec.steps * role.factor
    compiled = compile_module(module, cache=cache, stop=stop)
    allowance = Allowance(
        seconds=BASE_SECONDS + steps / STEPS_PER_SECOND if seconds is None else seconds,
        memory_bytes=BASE_MEMORY_BYTES + spec.pages * PAGE_BYTES + 4 * (len(stdin) + spec.output_bytes + len(compiled)),
        answer_bytes=spec.output_bytes + LOG_BYTES,
    )
    job = {
        "job": "run",
        "stack_bytes": WORKER_STACK_BYTES * role.factor,
        "steps": steps,
        "pages": spec.pages,
        "output_bytes": spec.output_bytes,
    }
    parts = (stdin, seed if spec.seed is None else spec.seed, *spec.args)
    header, answer = ask_child(encode_frame(job, compiled, *parts), allowance, stop)
    if "stale" in header:  # the file was compiled on another processor, or by another build of the engine
        compiled = compile_module(module, cache=cache, stop=stop, is_forced=True)
        header, answer = ask_child(encode_frame(job, compiled, *parts), allowance, stop)
    return _read_outcome(header, answer)


def compile_module(
    module: bytes, *, cache: ModuleCache | None = None, stop: threading.Event | None = None, is_forced: bool = False
) -> bytes:
    """Return the module's native code, from the cache if it is there.

    Args:
        is_forced: compile it though it is in the cache.

    Raises:
        InvalidFunction: the module is refused, or the engine finds its code invalid ("invalid-module").
        HostFailed, Stopped.
    """
    inspect_module(module)
    _require_engine()
    found = cache.get(module) if cache is not None and not is_forced else None
    if found is not None:
        return found
    allowance = Allowance(COMPILE_SECONDS, COMPILE_MEMORY_BYTES, MAX_COMPILED_BYTES)
    header, parts = ask_child(encode_frame({"job": "compile"}, module), allowance, stop)
    if "invalid" in header:
        raise InvalidFunction("invalid-module", f"the module's code is invalid: {header['invalid']}")
    if len(parts) != 1:
        raise HostFailed("function-host", "the child answered without a compiled module")
    if cache is not None:
        cache.put(module, parts[0])
    return parts[0]


def _check_call(spec: FunctionSpec, module: bytes, stdin: bytes) -> int:
    """Check spec, module and input, and return the pages that the module's memory starts with."""
    check_spec(spec)
    check_data(spec, len(module), len(stdin))
    if compute_file_id(module) != spec.module:
        raise InvalidFunction(
            "other-module",
            f"the module is not the file {spec.module.hex()} that the spec names",
            hint="fetch the module by the id in the spec",
        )
    return inspect_module(module).pages


def is_engine_installed() -> bool:
    """Return True if this machine can run functions."""
    try:
        _require_engine()
    except HostFailed:
        return False
    return True


def _require_engine() -> None:
    """Raise `HostFailed` if the engine that spec version 1 names is not installed."""
    hint = f"pip install wasmtime=={ENGINE_VERSION}"
    try:
        found = version("wasmtime")
    except PackageNotFoundError:
        raise HostFailed("functions-missing", "functions need wasmtime, which is not installed", hint=hint) from None
    if found != ENGINE_VERSION:
        raise HostFailed(
            "functions-missing", f"functions run on wasmtime {ENGINE_VERSION}, and {found} is installed", hint=hint
        )


def _read_outcome(header: dict[str, object], parts: list[bytes]) -> Outcome:
    """Return the outcome that the child tells of; it is checked, since the module might have taken the child over."""
    reason, detail, code, steps = (header.get(name) for name in ("reason", "detail", "code", "steps"))
    if not isinstance(steps, int) or not isinstance(code, int) or len(parts) != 2:
        raise HostFailed("function-host", "the child's answer is not complete")
    stdout, log = parts
    if reason == "delivered":
        return Delivered(stdout, log, steps)
    if reason not in set(Reason):
        raise HostFailed("function-host", f"the child ended for a reason that is unknown: {reason!r}")
    found = Reason(str(reason))
    return NoOutcome(found, str(detail), log, steps, code if found is Reason.EXIT_CODE else None)
