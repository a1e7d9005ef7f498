"""The child process: it locks itself in, reads one job from stdin, does it, writes the answer to stdout and ends.

All that a stranger wrote is read after the lock. The job's module runs on a thread of its own, whose stack is large
enough for what the engine allows, whatever the limits of the shell are.
"""

import mmap
import os
import sys
import threading
from typing import Any, Final, TypeAlias

import wasmtime

from inos.functions.engine import make_engine
from inos.functions.frames import decode_frame, encode_frame
from inos.functions.host import run_module
from inos.functions.limits import PAGE_BYTES
from inos.functions.sandbox import deny_calls, limit_process, lock_files

THREAD_STACK_BYTES: Final = 2**25
COMPILE_STACK_BYTES: Final = 2**20
READ_BYTES: Final = 2**20

Answer: TypeAlias = tuple[dict[str, Any], tuple[bytes, ...]]
"""A message's header, to which the walls that hold are added, and its parts."""


def main() -> None:
    """Serve one job; argv holds the processor time in seconds that the process may take."""
    limit_process(int(sys.argv[1]))
    threading.stack_size(THREAD_STACK_BYTES)
    walls = ["landlock"] if lock_files() else []
    thread = threading.Thread(target=_serve, args=(walls,))
    thread.start()
    thread.join()


def _serve(walls: list[str]) -> None:
    walls += ["seccomp"] if deny_calls() else []
    message = bytearray()
    while piece := os.read(0, READ_BYTES):
        message += piece
    header, parts = decode_frame(message)
    del message
    told, answer = _answer(header, parts)
    for piece in encode_frame(told | {"walls": walls}, *answer):
        view = memoryview(piece)
        while view:
            view = view[os.write(1, view) :]


def _answer(header: dict[str, Any], parts: list[bytes]) -> Answer:
    try:
        return _compile(*parts) if header["job"] == "compile" else _run(header, *parts)
    except (wasmtime.WasmtimeError, MemoryError, OSError) as error:
        return {"failed": f"{type(error).__name__}: {error}"}, ()


def _compile(module: bytes) -> Answer:
    engine = make_engine(COMPILE_STACK_BYTES)
    try:
        wasmtime.Module.validate(engine, module)
    except wasmtime.WasmtimeError as error:
        return {"invalid": " ".join(str(error).split())}, ()
    return {}, (bytes(wasmtime.Module(engine, module).serialize()),)


def _run(header: dict[str, Any], compiled: bytes, stdin: bytes, seed: bytes, *args: bytes) -> Answer:
    mmap.mmap(-1, header["pages"] * PAGE_BYTES).close()  # if it fails, memory.grow would: that is no answer
    engine = make_engine(header["stack_bytes"])
    try:
        module = wasmtime.Module.deserialize(engine, compiled)
    except wasmtime.WasmtimeError as error:
        return {"stale": str(error)}, ()
    ended = run_module(
        engine, module, steps=header["steps"], pages=header["pages"], output_bytes=header["output_bytes"], args=args,
        stdin=stdin, seed=seed,
    )  # fmt: skip
    told = {"reason": ended.reason, "detail": ended.detail, "code": ended.code, "steps": ended.steps}
    return told, (ended.stdout, ended.log)
