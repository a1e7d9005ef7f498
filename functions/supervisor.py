"""Starts the child process, gives it a job, watches its time and memory, and returns its answer.

Each call gets a new process, which is dead when the call returns, however it returns.
"""

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from inos.functions.frames import BadFrame, decode_frame
from inos.functions.limits import ENGINE_VERSION
from inos.functions.outcome import HostFailed
from inos.work.stopping import check_stop

PACKAGES: Final = ("wasmtime", "blake3", "inos")
TICK_S: Final = 0.02
PIPE_BYTES: Final = 2**16
ERROR_BYTES: Final = 4096
MAX_HEADER_BYTES: Final = 2**16
MIB: Final = 2**20
_START: Final = "import sys; sys.path += sys.argv[2:]; from inos.functions.child import main; main()"


class Allowance(Struct, frozen=True):
    """What a child may take before this machine gives up on it.

    Args:
        seconds: wall time; processor time is limited to as much.
        memory_bytes: resident memory, that of the interpreter and the engine included.
        answer_bytes: the longest answer.
    """

    seconds: float
    memory_bytes: int
    answer_bytes: int


def ask_child(
    message: Iterable[bytes], allowance: Allowance, stop: threading.Event | None = None
) -> tuple[dict[str, Any], list[bytes]]:
    """Start a child, send it a message and return the header and the parts of its answer.

    Raises:
        HostFailed: the child could not be started, was killed, failed, or took more than the allowance.
        Stopped: `stop` was set.
    """
    check_stop(stop)
    process = _start(allowance)
    try:
        answer, errors = _Exchange(process, message, allowance, stop).run()
        code = process.returncode
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
    if code == -signal.SIGXCPU:
        raise _fail_time(allowance)
    if code != 0:
        ended = f"was ended by signal {-code}" if code < 0 else f"failed with exit code {code}"
        raise HostFailed("function-killed", f"the child process {ended}{': ' if errors else ''}{errors[-500:]}")
    try:
        header, parts = decode_frame(answer)
    except BadFrame as error:
        raise HostFailed("function-host", f"the child's answer cannot be read: {error}; {errors[-500:]}") from error
    if "failed" in header:
        raise HostFailed("function-host", f"the engine failed: {header['failed']}")
    return header, parts


def _start(allowance: Allowance) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-I", "-S", "-c", _START, str(int(allowance.seconds) + 1), *_find_folders()]
    try:
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/", env={},
            close_fds=True, start_new_session=True, bufsize=0,
        )  # fmt: skip
    except OSError as error:
        raise HostFailed("function-host", f"the child process cannot be started: {error}") from error


def _find_folders() -> list[str]:
    """Return the folders that hold the packages which the child imports: it starts without the site's own paths."""
    folders: dict[str, None] = {}
    for name in PACKAGES:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            raise HostFailed(
                "functions-missing",
                f"running functions needs the package {name}, which is not installed",
                hint=f"pip install wasmtime=={ENGINE_VERSION}",
            )
        folders[str(Path(spec.origin).parents[1])] = None
    return list(folders)


class _Exchange:
    """Writes the message to the child's stdin and reads its outputs, until it has ended."""

    def __init__(
        self, process: subprocess.Popen[bytes], message: Iterable[bytes], allowance: Allowance,
        stop: threading.Event | None,
    ) -> None:  # fmt: skip
        self._process = process
        self._unsent = deque(memoryview(piece) for piece in message if piece)
        self._allowance = allowance
        self._stop = stop
        self._answer = bytearray()
        self._errors = bytearray()
        self._until = time.monotonic() + allowance.seconds

    def run(self) -> tuple[bytearray, str]:
        """Return the answer, and what the child wrote about its own faults."""
        stdin, stdout, stderr = self._process.stdin, self._process.stdout, self._process.stderr
        assert stdin is not None
        assert stdout is not None
        assert stderr is not None
        with selectors.DefaultSelector() as selector:
            for pipe, event in (
                (stdin, selectors.EVENT_WRITE),
                (stdout, selectors.EVENT_READ),
                (stderr, selectors.EVENT_READ),
            ):
                os.set_blocking(pipe.fileno(), False)
                selector.register(pipe, event)
            watch_at = 0.0
            while selector.get_map():
                for key, _ in selector.select(TICK_S):
                    is_open = self._write(stdin) if key.fileobj is stdin else self._read(key.fileobj, stdout)
                    if not is_open:
                        selector.unregister(key.fileobj)
                        if key.fileobj is stdin:
                            stdin.close()
                if time.monotonic() >= watch_at:
                    self._watch()
                    watch_at = time.monotonic() + TICK_S
        while self._process.poll() is None:  # it has closed its outputs, and may go on for ever
            self._watch()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(TICK_S)
        return self._answer, self._errors.decode("utf-8", "replace").strip()

    def _write(self, stdin: Any) -> bool:
        if not self._unsent:
            return False
        try:
            sent = os.write(stdin.fileno(), self._unsent[0][:PIPE_BYTES])
        except BlockingIOError:
            return True
        except BrokenPipeError:
            return False  # the child ended; its exit code says why
        self._unsent[0] = self._unsent[0][sent:]
        if not self._unsent[0]:
            self._unsent.popleft()
        return bool(self._unsent)

    def _read(self, pipe: Any, stdout: Any) -> bool:
        data = os.read(pipe.fileno(), PIPE_BYTES)
        if pipe is stdout:
            self._answer += data
            if len(self._answer) > self._allowance.answer_bytes + MAX_HEADER_BYTES:
                raise HostFailed("function-host", "the child's answer is longer than it may be")
        else:
            self._errors += data[: ERROR_BYTES - len(self._errors)]
        return bool(data)

    def _watch(self) -> None:
        check_stop(self._stop)
        if time.monotonic() > self._until:
            raise _fail_time(self._allowance)
        resident = read_resident_bytes(self._process.pid)
        if resident > self._allowance.memory_bytes:
            raise HostFailed(
                "function-memory",
                f"the child process took {resident // MIB} MiB of memory; {self._allowance.memory_bytes // MIB} MiB "
                "are allowed",
                hint="nothing is wrong with the spec: this machine gives the call no more",
            )


def read_resident_bytes(pid: int) -> int:
    """Return a process's resident memory; 0 where /proc is missing, and when the process has ended."""
    try:
        fields = Path(f"/proc/{pid}/statm").read_bytes().split()
    except OSError:
        return 0
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") if len(fields) > 1 else 0


def _fail_time(allowance: Allowance) -> HostFailed:
    return HostFailed(
        "function-time",
        f"the child process took more than {allowance.seconds:.0f} seconds",
        hint="nothing is wrong with the spec: this machine is too slow or too busy for it",
    )
