"""Stopping the kernels, and what is said where there are none."""

import threading
import time

import numpy as np
import pytest

import work
from work import Operand
from work.backends.native import library
from work.backends.native.library import KERNELS

NATIVE = [info.name for info in work.list_backends() if info.is_available and info.name.startswith("native")]


@pytest.mark.parametrize("backend", NATIVE)
@pytest.mark.parametrize("shape", [(2048, 2048, 8192), (16, 512, 65536), (4096, 16, 1024)])
def test_stop_is_quick_and_starts_no_thread_of_its_own(backend: str, shape: tuple[int, int, int]) -> None:
    m, n, k = shape
    x, w = (Operand.commit(np.ones((rows, k), dtype=np.int8)) for rows in (m, n))
    work.mine(x.array[:16], w, bytes(32), 0, backend=backend)  # threads that wait for work are started once
    before = threading.active_count()
    stop = threading.Event()
    asked: list[float] = []
    timer = threading.Timer(0.02, lambda: (stop.set(), asked.append(time.perf_counter())))
    timer.start()
    while not stop.is_set():
        mined = work.mine(x, w, bytes(32), 0, backend=backend, stop=stop)
    ended = time.perf_counter()
    timer.join()
    assert ended - asked[0] < 0.25  # 50 ms is what is promised; this machine may be busy
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


def test_without_kernels_numpy_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    for cached in (library.find_kernels, library.find_obstacle, library.find_best):
        cached.cache_clear()
    monkeypatch.setattr(library, "load", lambda: None)
    monkeypatch.setattr("work.backends.native.leaves.load", lambda: None)
    monkeypatch.setattr("work.backends.native.check.load", lambda: None)
    try:
        assert [info.name for info in work.list_backends() if info.is_available] == ["numpy"]
        x = np.ones((20, 30), dtype=np.int8)
        mined = work.mine(x, x, bytes(32), 0)
        assert mined.product is not None
        assert work.freivalds(x, x, mined.product, bytes(32))
    finally:
        for cached in (library.find_kernels, library.find_obstacle, library.find_best):
            cached.cache_clear()
