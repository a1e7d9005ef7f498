"""Stopping the kernels, and the message if there are none."""

import os
import subprocess
import sys
import threading
import time
from typing import Any

import numpy as np
import pytest

from inos import work
from inos.primitives.matrices import STRIP_BYTES
from inos.primitives.units import U256_MAX
from inos.work import Lottery, Operand
from inos.work.backends import Slice
from inos.work.backends.native import library, running
from inos.work.backends.native.job import Job
from inos.work.backends.native.library import KERNELS, find_kernels
from inos.work.backends.native.memory import cast
from inos.work.backends.native.prepared import PreparedW
from inos.work.backends.native.running import Flag, MiningPriority, run_all, set_mining_priority

NATIVE = [info.name for info in work.list_backends() if info.is_available and info.name.startswith("native")]


TILE_TICKETS = 256
"""The tickets between two checks of `stop` in each thread: about 50 us of work, or 7 ms in plain C."""


@pytest.mark.parametrize("backend", [*NATIVE, "numpy"])
@pytest.mark.parametrize("shape", [(2048, 2048, 8192), (16, 4096, 65536), (1 << 16, 256, 64)])
def test_little_is_drawn_after_the_stop(
    backend: str, shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pieces are counted, since times depend on other programs on this machine."""
    m, n, k = shape
    x, w = (Operand.commit(np.ones((rows, k), dtype=np.int8)) for rows in (m, n))
    stop, is_seen = threading.Event(), threading.Event()
    if backend != "numpy":
        monkeypatch.setattr(Flag, "set", lambda flag: (flag.pointer.__setitem__(0, 1), is_seen.set()))
    wins: list[tuple[int, int, int, bytes]] = []

    def count(*win: Any) -> None:
        if not stop.is_set():
            stop.set()
            assert backend == "numpy" or is_seen.wait(60)  # the thread that waits for the kernels tells them
            wins.clear()
        wins.append(win)

    started = time.perf_counter()
    drawn = Lottery(w, bytes(32), U256_MAX, backend=backend, threads=2).draw(x, 0, x.strips, count, stop=stop)
    assert drawn.product is None
    assert len(wins) <= 2 * 2 * TILE_TICKETS
    assert time.perf_counter() - started < 30


@pytest.mark.parametrize("name", list(find_kernels()))
def test_kernels_do_nothing_once_the_flag_is_set(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stop works in all phases: hashing, packing, the product."""
    ffi, lib = library.load() or (None, None)
    assert ffi is not None
    kernel, flag = find_kernels()[name], Flag()
    flag.set()
    x, leaves = np.ones((64, 2048), dtype=np.int8), np.zeros(8 * 32, dtype=np.uint8)
    hashing = ffi.new("inos_leaves *", {"rows": 64, "cols": 2048, "stop": flag.pointer})
    hashing.raw, hashing.leaves = cast(ffi, "int8_t *", x), cast(ffi, "uint8_t *", leaves)
    context = ffi.new("char[]", b"inos v1 matrix strip")
    hashing.context = context
    lib.inos_run_hash_leaves(kernel.number, hashing)
    assert not leaves.any()
    operand = Operand.commit(x)
    piece = Slice(operand, operand, bytes(32), bytes(32), U256_MAX, 0, 4, 1)
    monkeypatch.setattr("inos.work.backends.native.job.Flag", lambda: flag)
    job = Job(kernel, piece, PreparedW(kernel, operand, bytes(32)), lambda *_: None)
    packed = np.zeros(4 * 2 * STRIP_BYTES * 2, dtype=np.uint8)
    job._set_part(0, (0, 4), packed, packed)
    lib.inos_run_keep(kernel.number, job._slab)
    with job._open_rooms():
        (worker,) = job._workers
        assert lib.inos_run_multiply(kernel.number, job._slab, worker.state) == 0
    assert (job.tickets, packed.any()) == (0, False)


@pytest.mark.parametrize("backend", NATIVE)
def test_stopping_starts_no_thread_of_its_own(backend: str) -> None:
    x = Operand.commit(np.ones((2048, 1024), dtype=np.int8))
    work.mine(x, x, bytes(32), 0, backend=backend, stop=threading.Event())  # threads that wait for work start once
    before, stop = threading.active_count(), threading.Event()
    timer = threading.Timer(0.02, stop.set)
    timer.start()
    while not stop.is_set():
        mined = work.mine(x, x, bytes(32), 0, backend=backend, stop=stop)
    timer.join()
    assert mined.is_complete or mined.product is None
    assert threading.active_count() <= before


def test_a_missing_build_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    text = library.describe_missing_build()
    assert "C compiler" in text
    assert "install inos again" in text


def test_every_kernel_is_listed_with_a_reason() -> None:
    infos = {info.name: info for info in work.list_backends()}
    for name, need in KERNELS.items():
        info = infos[f"native-{name}"]
        assert info.is_available or need in info.reason or "not compiled" in info.reason


@pytest.mark.skipif("amx" not in find_kernels(), reason="this processor has no AMX")
def test_a_process_that_is_refused_tiles_multiplies_without() -> None:
    """Linux refuses them where a thread has a stack for signals that is too small to save them."""
    code = """
import ctypes, threading
class Stack(ctypes.Structure):
    _fields_ = [("start", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]
memory = ctypes.create_string_buffer(8192)
own = Stack(ctypes.addressof(memory), 0, 8192)
assert ctypes.CDLL(None).sigaltstack(ctypes.byref(own), None) == 0
from inos.work.backends.native.library import find_kernels, find_obstacle
print(*find_kernels())
print(find_obstacle("amx"))
"""
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60, check=False)
    kernels, obstacle = done.stdout.splitlines()
    assert kernels.split()[0] == "avx512vbmi", done.stderr
    assert obstacle == f"it needs {KERNELS['amx']}"


def test_without_kernels_numpy_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    for cached in (library.find_kernels, library.find_obstacle, library.find_best):
        cached.cache_clear()
    monkeypatch.setattr(library, "load", lambda: None)
    monkeypatch.setattr("inos.work.backends.native.leaves.load", lambda: None)
    monkeypatch.setattr("inos.work.backends.native.check.load", lambda: None)
    try:
        assert [info.name for info in work.list_backends() if info.is_available] == ["numpy"]
        x = np.ones((20, 30), dtype=np.int8)
        mined = work.mine(x, x, bytes(32), 0)
        assert mined.product is not None
        assert work.freivalds(x, x, mined.product, bytes(32))
    finally:
        for cached in (library.find_kernels, library.find_obstacle, library.find_best):
            cached.cache_clear()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux knows the priority of one thread")
@pytest.mark.parametrize("priority", MiningPriority)
def test_threads_that_mine_have_the_priority_that_was_chosen(priority: MiningPriority) -> None:
    running._get_pool.cache_clear()  # its threads keep the priority that they started with
    set_mining_priority(priority)
    seen: set[tuple[int, int]] = set()

    def look() -> None:
        seen.add((os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, threading.get_native_id())))

    own = os.getpriority(os.PRIO_PROCESS, 0)
    expected = {
        MiningPriority.IDLE: (os.SCHED_IDLE, own),
        MiningPriority.LOW: (os.SCHED_OTHER, min(19, own + 10)),
        MiningPriority.NORMAL: (os.SCHED_OTHER, own),
    }
    try:
        run_all(look, 1, threading.Event(), Flag())
        assert seen == {expected[priority]}
        seen.clear()
        run_all(look, 2, None, Flag())  # work without a stop gives way to nothing
        assert seen == {(os.SCHED_OTHER, own)}
    finally:
        set_mining_priority(MiningPriority.LOW)
        running._get_pool.cache_clear()
