"""The machine: clock, disk, ports, limits, kernels."""

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
"""adjtimex(2): nobody keeps this clock in step."""
TIMEX_BYTES: Final = 256
"""More than struct timex has anywhere."""
SPEED_SHAPE: Final = (512, 512, 1024)
SPEED_S: Final = 0.4
SLOW_TICKETS_PER_S: Final = 20_000
"""Plain numpy on one old core; compiled kernels do ten times as much and more."""


class Verdict(StrEnum):
    OK = "ok"
    NOTE = "note"
    """It works, but not as well as it could."""
    FAIL = "fail"


class Finding(Struct, frozen=True):
    """What one check found."""

    name: str
    verdict: Verdict
    detail: str
    hint: str = ""
    """How to mend it."""


def check_python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    is_ok = sys.version_info >= (3, 11)
    return Finding("python", Verdict.OK if is_ok else Verdict.FAIL, version, "" if is_ok else "install Python 3.11")


def check_clock() -> Finding:
    """Whether something keeps the clock in step, as far as the kernel knows."""
    state = _read_clock_state()
    if state is None:
        return Finding("clock", Verdict.NOTE, "whether it is kept in step cannot be told here", "see that NTP runs")
    if state == TIME_ERROR:
        hint = "blocks from a wrong clock are refused; on systemd: timedatectl set-ntp true"
        return Finding("clock", Verdict.NOTE, "the kernel knows of nobody who keeps it in step", hint)
    return Finding("clock", Verdict.OK, "kept in step")


def _read_clock_state() -> int | None:
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        state = int(libc.adjtimex(ctypes.create_string_buffer(TIMEX_BYTES)))
    except (OSError, AttributeError):
        return None
    return state if state >= 0 else None


def check_disk(folder: Path) -> Finding:
    """Room where the node's data are, or will be."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    usage = shutil.disk_usage(there)
    detail = f"{usage.free / 2**30:.1f} of {usage.total / 2**30:.1f} GiB free for {folder}"
    if usage.free < MIN_FREE_BYTES:
        return Finding("disk", Verdict.FAIL, detail, "make room, or give --data-dir on a larger disk")
    return Finding("disk", Verdict.OK, detail)


def check_folder(folder: Path) -> Finding:
    """Whether the data directory can be written."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir():
        return Finding("folder", Verdict.FAIL, f"{there} is no folder", "give another --data-dir")
    if not os.access(there, os.W_OK | os.X_OK):
        return Finding("folder", Verdict.FAIL, f"{there} may not be written", f"let this user write it: chown {there}")
    return Finding("folder", Verdict.OK, str(folder) if there == folder else f"{folder} will be made")


def check_port(name: str, host: str, port: int) -> Finding:
    """Whether nobody listens there yet. Only where no node runs."""
    place = f"{host}:{port}"
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                hint = f"stop it, or start the node with another port; to see who it is: ss -ltnp 'sport = :{port}'"
                return Finding(name, Verdict.FAIL, f"something else listens on {place}", hint)
            return Finding(
                name, Verdict.FAIL, f"{place} cannot be used: {error.strerror or error}", "give another host"
            )
    return Finding(name, Verdict.OK, f"{place} is free")


def check_files() -> Finding:
    """Open files: a socket for each peer, and those of the database."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit < MIN_FILES:
        return Finding("files", Verdict.FAIL, f"{limit} open files allowed", f"raise it: ulimit -n {MIN_FILES}")
    return Finding("files", Verdict.OK, f"{limit} open files allowed")


def check_compiler() -> Finding:
    """Whether the kernels could be compiled on this machine: at the next update they will have to be."""
    name = os.environ.get("CC") or next((name for name in COMPILERS if shutil.which(name)), "")
    found = shutil.which(name) if name else None
    if found is None:
        missing = f"{name} (from CC) is not there" if name else "none found"
        hint = "install one, or numpy multiplies after the next update (Debian: apt-get install gcc libc6-dev)"
        return Finding("compiler", Verdict.NOTE, missing, hint)
    return Finding("compiler", Verdict.OK, found)


def check_kernels() -> Finding:
    """Whether the compiled kernels are there."""
    infos = work.list_backends()
    best = next(info for info in infos if info.is_available)
    if best.name.startswith("native"):
        return Finding("kernels", Verdict.OK, f"{best.name} multiplies here")
    reasons = "; ".join(f"{info.name}: {info.reason}" for info in infos if not info.is_available)
    hint = "install a C compiler (Debian: apt-get install gcc libc6-dev) and the package once more"
    return Finding("kernels", Verdict.NOTE, f"{best.name} serves, many times slower ({reasons})", hint)


def check_speed() -> Finding:
    """Tickets a second of certified products, for half a second."""
    m, n, k = SPEED_SHAPE
    rng = np.random.default_rng(1)
    x, w = (work.Operand.commit(rng.integers(-64, 64, (rows, k), np.int8)) for rows in (m, n))
    done, began = 0, time.monotonic()
    while (taken := time.monotonic() - began) < SPEED_S:
        done += work.mine(x, w, done.to_bytes(32, "big"), 0).tickets
    rate = done / taken
    detail = f"{rate:,.0f} tickets/s ({rate * 16 * 16 * 1024 * 2 / 1e9:,.0f} GOP/s)"
    if rate < SLOW_TICKETS_PER_S:
        return Finding("speed", Verdict.NOTE, detail, "see inos work backends; other programs may have the processor")
    return Finding("speed", Verdict.OK, detail)
