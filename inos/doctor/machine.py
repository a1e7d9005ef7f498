"""Checks of the machine: Python, clock, disk, ports, limits, compiler, kernels, speed."""

import ctypes
import errno
import os
import resource
import shutil
import socket
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import Final

import numpy as np
from msgspec import Struct

from inos import work

MIN_FREE_BYTES: Final = 5 << 30
MIN_FILES: Final = 1024
COMPILERS: Final = ("cc", "gcc", "clang")
TIME_ERROR: Final = 5
"""Return value of adjtimex(2) for a clock that is not synchronised."""
TIMEX_BYTES: Final = 256
"""More than struct timex has on any system."""
SPEED_SHAPE: Final = (512, 512, 1024)
SPEED_S: Final = 0.4
SLOW_TICKETS_PER_S: Final = 20_000
"""The rate of plain numpy on an old core; compiled kernels are at least ten times as fast."""


class Verdict(StrEnum):
    """How a check ended."""

    OK = "ok"
    NOTE = "note"
    """It works, but could be better."""
    FAIL = "fail"


class Finding(Struct, frozen=True):
    """The result of one check."""

    name: str
    verdict: Verdict
    detail: str
    hint: str = ""
    """How to fix it."""


def check_machine(folder: Path) -> list[Finding]:
    """Run the checks that need no node.

    Args:
        folder: the node's data directory, which may not exist yet.
    """
    return [
        check_python(),
        check_clock(),
        check_folder(folder),
        check_disk(folder),
        check_files(),
        check_compiler(),
        check_kernels(),
        check_speed(),
    ]


def check_python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    is_ok = sys.version_info >= (3, 11)
    return Finding("python", Verdict.OK if is_ok else Verdict.FAIL, version, "" if is_ok else "install Python 3.11")


def check_clock() -> Finding:
    """Check that the clock is synchronised, as far as the kernel knows."""
    state = _read_clock_state()
    if state is None:
        return Finding(
            "clock", Verdict.NOTE, "the system does not say whether it is synchronised", "check that NTP runs"
        )
    if state == TIME_ERROR:
        hint = "blocks from a wrong clock are refused; on systemd: timedatectl set-ntp true"
        return Finding("clock", Verdict.NOTE, "it is not synchronised, as far as the kernel knows", hint)
    return Finding("clock", Verdict.OK, "synchronised")


def _read_clock_state() -> int | None:
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        state = int(libc.adjtimex(ctypes.create_string_buffer(TIMEX_BYTES)))
    except (OSError, AttributeError):
        return None
    return state if state >= 0 else None


def check_disk(folder: Path) -> Finding:
    """Check the free space for the node's data."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    usage = shutil.disk_usage(there)
    detail = f"{usage.free / 2**30:.1f} of {usage.total / 2**30:.1f} GiB free for {folder}"
    if usage.free < MIN_FREE_BYTES:
        return Finding("disk", Verdict.FAIL, detail, "free some space, or give a --data-dir on a larger disk")
    return Finding("disk", Verdict.OK, detail)


def check_folder(folder: Path) -> Finding:
    """Check that the data directory can be written."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir():
        return Finding("folder", Verdict.FAIL, f"{there} is not a directory", "give another --data-dir")
    if not os.access(there, os.W_OK | os.X_OK):
        return Finding("folder", Verdict.FAIL, f"{there} is not writable", f"make this user its owner: chown {there}")
    return Finding("folder", Verdict.OK, str(folder) if there == folder else f"{folder} will be created")


def check_port(name: str, host: str, port: int) -> Finding:
    """Check that a port is free; only meaningful while no node runs."""
    endpoint = f"{host}:{port}"
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                hint = (
                    f"stop that program, or start the node with another port; find it with: ss -ltnp 'sport = :{port}'"
                )
                return Finding(name, Verdict.FAIL, f"another program listens on {endpoint}", hint)
            return Finding(
                name, Verdict.FAIL, f"{endpoint} cannot be used: {error.strerror or error}", "give another host"
            )
    return Finding(name, Verdict.OK, f"{endpoint} is free")


def check_files() -> Finding:
    """Check the limit of open files: each peer is a socket, and the database has many files."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit < MIN_FILES:
        return Finding("files", Verdict.FAIL, f"{limit} open files allowed", f"raise it: ulimit -n {MIN_FILES}")
    return Finding("files", Verdict.OK, f"{limit} open files allowed")


def check_compiler() -> Finding:
    """Check that kernels can be compiled on this machine, which the next update needs."""
    name = os.environ.get("CC") or next((name for name in COMPILERS if shutil.which(name)), "")
    found = shutil.which(name) if name else None
    if found is None:
        missing = f"{name} (from CC) was not found" if name else "none found"
        hint = "install one, or the next update leaves numpy to multiply (Debian: apt-get install gcc libc6-dev)"
        return Finding("compiler", Verdict.NOTE, missing, hint)
    return Finding("compiler", Verdict.OK, found)


def check_kernels() -> Finding:
    """Check that compiled kernels are installed."""
    infos = work.list_backends()
    best = next(info for info in infos if info.is_available and not info.device)
    if best.name.startswith("native"):
        return Finding("kernels", Verdict.OK, f"{best.name} is used")
    reasons = "; ".join(f"{info.name}: {info.reason}" for info in infos if info.name.startswith("native"))
    hint = "install a C compiler (Debian: apt-get install gcc libc6-dev), and then this package again"
    return Finding("kernels", Verdict.NOTE, f"{best.name} is used, which is many times slower ({reasons})", hint)


def check_speed() -> Finding:
    """Measure the tickets per second of certified products, for half a second."""
    m, n, k = SPEED_SHAPE
    rng = np.random.default_rng(1)
    x, w = (work.Operand.commit(rng.integers(-64, 64, (rows, k), np.int8)) for rows in (m, n))
    done, began = 0, time.monotonic()
    while (taken := time.monotonic() - began) < SPEED_S:
        done += work.mine(x, w, done.to_bytes(32, "big"), 0).tickets
    rate = done / taken
    detail = f"{rate:,.0f} tickets/s ({rate * 16 * 16 * 1024 * 2 / 1e9:,.0f} GOP/s)"
    if rate < SLOW_TICKETS_PER_S:
        return Finding("speed", Verdict.NOTE, detail, "see inos work backends; other programs may use the processor")
    return Finding("speed", Verdict.OK, detail)
