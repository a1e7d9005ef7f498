"""The host of WASI preview 1: stdin, stdout, stderr, arguments, a clock that counts calls, and a seeded generator.

Each function here answers one import with an error number. It checks every pointer before it changes anything, so that
a call either does all of its work or answers EFAULT. It charges the steps of a call before it does the work.
"""

import struct
from collections.abc import Callable
from typing import Final, Protocol

from inos.functions.limits import ITEM_STEPS, LOG_BYTES, MAX_SUBSCRIPTIONS, MAX_VECTORS, PROGRAM, START_NS, TICK_NS
from inos.functions.poll import CLOCKS, STDERR, STDIN, STDOUT, U64_MAX, poll
from inos.functions.preview1 import EBADF, EINVAL, ESPIPE, SUCCESS
from inos.primitives.hashing import compute_stream

CHUNK: Final = 2**20
RIGHT_READ: Final = 1 << 1
RIGHT_WRITE: Final = 1 << 6
RIGHT_POLL: Final = 1 << 27


class OutOfSteps(Exception):
    """A call costs more steps than are left."""


class OutputTooLarge(Exception):
    """stdout would become longer than the spec declares."""


class Exited(Exception):
    """The module called proc_exit."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exit code {code}")
        self.code = code


class Fault(Exception):
    """A pointer leads outside the module's memory."""


class Memory(Protocol):
    """The module's memory; `check` raises `Fault`, and the others may rely on it."""

    def check(self, start: int, length: int) -> None: ...
    def read(self, start: int, length: int) -> bytes: ...
    def write(self, start: int, data: bytes) -> None: ...


class Wasi:
    """One run's world.

    Args:
        charge: takes steps from those that are left, or raises `OutOfSteps`.
    """

    def __init__(
        self, memory: Memory, charge: Callable[[int], None], *, args: tuple[bytes, ...], stdin: bytes, seed: bytes,
        output_bytes: int,
    ) -> None:  # fmt: skip
        self._memory = memory
        self._charge = charge
        self._argv = [arg + b"\0" for arg in (PROGRAM, *args)]
        self._stdin = memoryview(stdin)
        self._read = 0
        self._seed = seed
        self._drawn = 0
        self._now = START_NS
        self._output_bytes = output_bytes
        self.stdout = bytearray()
        self.log = bytearray()

    # Arguments and environment

    def args_sizes_get(self, count: int, size: int) -> int:
        return self._write_all((count, _u32(len(self._argv))), (size, _u32(sum(map(len, self._argv)))))

    def args_get(self, pointers: int, buffer: int) -> int:
        places, at = [], buffer
        for arg in self._argv:
            places.append(at)
            at += len(arg)
        self._charge(ITEM_STEPS * len(places) + at - buffer)
        return self._write_all((pointers, b"".join(map(_u32, places))), (buffer, b"".join(self._argv)))

    def environ_sizes_get(self, count: int, size: int) -> int:
        return self._write_all((count, _u32(0)), (size, _u32(0)))

    def environ_get(self, _pointers: int, _buffer: int) -> int:
        return SUCCESS

    # Clocks and chance

    def clock_res_get(self, clock: int, result: int) -> int:
        if clock not in CLOCKS:
            return EINVAL
        return self._write_all((result, _u64(TICK_NS)))

    def clock_time_get(self, clock: int, _precision: int, result: int) -> int:
        if clock not in CLOCKS:
            return EINVAL
        self._memory.check(result, 8)
        self._advance(self._now + TICK_NS)
        return self._write_all((result, _u64(self._now)))

    def random_get(self, buffer: int, length: int) -> int:
        self._memory.check(buffer, length)
        self._charge(length)
        for at in range(0, length, CHUNK):
            size = min(CHUNK, length - at)
            self._memory.write(buffer + at, compute_stream(self._seed, "function random", size, self._drawn))
            self._drawn += size
        return SUCCESS

    def sched_yield(self) -> int:
        return SUCCESS

    def poll_oneoff(self, subscriptions: int, events: int, count: int, result: int) -> int:
        """Answer for streams at once; if only clocks are asked for, move the clock to the earliest of their times."""
        if not 1 <= count <= MAX_SUBSCRIPTIONS:
            return EINVAL
        for start, length in ((subscriptions, 48 * count), (events, 32 * count), (result, 4)):
            self._memory.check(start, length)
        self._charge(ITEM_STEPS * count)
        self._advance(self._now + TICK_NS)
        wanted = self._memory.read(subscriptions, 48 * count)
        time, answers = poll(wanted, self._now, len(self._stdin) - self._read)
        self._advance(time)
        return self._write_all((events, b"".join(answers)), (result, _u32(len(answers))))

    # Streams

    def fd_read(self, fd: int, vectors: int, count: int, result: int) -> int:
        if fd != STDIN:
            return EBADF
        places = self._read_vectors(vectors, count)
        if places is None:
            return EINVAL
        self._memory.check(result, 4)
        left, pieces = len(self._stdin) - self._read, []
        for start, length in places:
            size = min(length, left)
            pieces.append((start, bytes(self._stdin[self._read : self._read + size])))
            self._read += size
            left -= size
        total = sum(len(data) for _, data in pieces)
        self._charge(total)
        return self._write_all(*pieces, (result, _u32(total)))

    def fd_write(self, fd: int, vectors: int, count: int, result: int) -> int:
        if fd not in (STDOUT, STDERR):
            return EBADF
        places = self._read_vectors(vectors, count)
        if places is None:
            return EINVAL
        self._memory.check(result, 4)
        total = sum(length for _, length in places)
        if total >= 2**32:
            return EINVAL
        if fd == STDERR:
            self._write_log(places)
        else:
            if len(self.stdout) + total > self._output_bytes:
                raise OutputTooLarge
            self._charge(total)
            for start, length in places:
                self.stdout += self._memory.read(start, length)
        return self._write_all((result, _u32(total)))

    def fd_close(self, fd: int) -> int:
        return SUCCESS if fd <= STDERR else EBADF

    def fd_seek(self, fd: int, _offset: int, _whence: int, _result: int) -> int:
        return ESPIPE if fd <= STDERR else EBADF

    def fd_tell(self, fd: int, _result: int) -> int:
        return ESPIPE if fd <= STDERR else EBADF

    def fd_fdstat_get(self, fd: int, result: int) -> int:
        if fd > STDERR:
            return EBADF
        rights = RIGHT_POLL | (RIGHT_READ if fd == STDIN else RIGHT_WRITE)
        return self._write_all((result, struct.pack("<BxHxxxxQQ", 0, 0, rights, 0)))

    def fd_prestat_get(self, _fd: int, _result: int) -> int:
        return EBADF

    def fd_prestat_dir_name(self, _fd: int, _path: int, _length: int) -> int:
        return EBADF

    def proc_exit(self, code: int) -> int:
        raise Exited(code)

    # What the functions above share

    def _advance(self, time: int) -> None:
        self._now = min(U64_MAX, time)

    def _read_vectors(self, vectors: int, count: int) -> list[tuple[int, int]] | None:
        """Return (start, length) of the buffers of an array, all inside the memory; None if it is too long."""
        if count > MAX_VECTORS:
            return None
        self._memory.check(vectors, 8 * count)
        self._charge(ITEM_STEPS * count)
        places = [struct.unpack("<II", each) for each in _split(self._memory.read(vectors, 8 * count), 8)]
        for start, length in places:
            self._memory.check(start, length)
        return [(start, length) for start, length in places]

    def _write_log(self, places: list[tuple[int, int]]) -> None:
        for start, length in places:
            size = min(length, LOG_BYTES - len(self.log))
            if not size:
                continue
            self._charge(size)
            self.log += self._memory.read(start, size)

    def _write_all(self, *pieces: tuple[int, bytes]) -> int:
        """Write all pieces, or none if one of them leads outside the memory."""
        for start, data in pieces:
            self._memory.check(start, len(data))
        for start, data in pieces:
            self._memory.write(start, data)
        return SUCCESS


def _split(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def _u32(value: int) -> bytes:
    return struct.pack("<I", value & 0xFFFFFFFF)


def _u64(value: int) -> bytes:
    return struct.pack("<Q", value)
