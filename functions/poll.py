"""Answers `poll_oneoff`: what is ready, and what the clock shows then."""

import struct
from typing import Final, NamedTuple

from inos.functions.preview1 import EBADF, EINVAL, SUCCESS

STDIN: Final = 0
STDOUT: Final = 1
STDERR: Final = 2
CLOCKS: Final = range(4)
"""Realtime, monotonic, process and thread time; they all show the same."""
U64_MAX: Final = 2**64 - 1
SUBSCRIPTION_BYTES: Final = 48
CLOCK: Final = 0
READ: Final = 1
WRITE: Final = 2
ABSOLUTE: Final = 1
"""The flag of a clock's subscription whose timeout is a time, and not a duration."""
HANGUP: Final = 1
WRITABLE_BYTES: Final = 65_536


class _Subscription(NamedTuple):
    userdata: bytes
    kind: int
    which: int
    timeout: int
    flags: int


def poll(data: bytes, now: int, stdin_left: int) -> tuple[int, list[bytes]]:
    """Return the time at which something is ready, and the events of what is ready then, in the subscriptions' order.

    Streams, and subscriptions that are wrong, are ready now. Only if there are none does time pass, until the first
    clock's time has come.

    Args:
        data: subscriptions of 48 bytes. now: the clock, in nanoseconds. stdin_left: the bytes that stdin still has.
    """
    asked = [_parse(data[at : at + SUBSCRIPTION_BYTES]) for at in range(0, len(data), SUBSCRIPTION_BYTES)]
    times = [_compute_time(each, now) for each in asked]
    due = [time for time in times if time is not None]
    if len(due) == len(asked):
        now = max(now, min(due))
    pairs = zip(asked, times, strict=True)
    return now, [_make_event(each, stdin_left) for each, time in pairs if time is None or time <= now]


def _parse(data: bytes) -> _Subscription:
    which, timeout, flags = struct.unpack_from("<I4xQ8xH", data, 16)
    return _Subscription(data[:8], data[8], which, timeout, flags)


def _compute_time(asked: _Subscription, now: int) -> int | None:
    """Return the time that a clock's subscription waits for; None if it is another one, or names no clock."""
    if asked.kind != CLOCK or asked.which not in CLOCKS:
        return None
    return asked.timeout if asked.flags & ABSOLUTE else min(U64_MAX, now + asked.timeout)


def _make_event(asked: _Subscription, stdin_left: int) -> bytes:
    error, length, flags = SUCCESS, 0, 0
    if asked.kind == CLOCK:
        error = SUCCESS if asked.which in CLOCKS else EINVAL
    elif asked.kind == READ and asked.which == STDIN:
        length, flags = stdin_left, 0 if stdin_left else HANGUP
    elif asked.kind == WRITE and asked.which in (STDOUT, STDERR):
        length = WRITABLE_BYTES
    else:
        error = EBADF if asked.kind in (READ, WRITE) else EINVAL
    return asked.userdata + struct.pack("<HB5xQH6x", error, asked.kind, length, flags)
