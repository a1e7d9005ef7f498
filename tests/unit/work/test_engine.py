"""Tests slices, stopping, backends and bad operands."""

import threading
import time
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from inos import work
from inos.primitives.errors import InosError
from inos.work import InvalidBackend, InvalidMatrix, Lottery, Operand

ANCHOR = bytes(range(32))
ANY = 2**256 - 1


def make(rows: int, cols: int, seed: int = 0) -> NDArray[np.int8]:
    return np.random.default_rng(seed).integers(-64, 64, (rows, cols), dtype=np.int8)


def multiply(x: NDArray[np.int8], w: NDArray[np.int8]) -> NDArray[np.int64]:
    return np.rint(x.astype(np.float64) @ w.astype(np.float64).T).astype(np.int64)


def test_slices_make_the_same_product_and_tickets_as_the_whole() -> None:
    x, w = Operand.commit(make(100, 1100)), Operand.commit(make(70, 1100, 1))
    whole = work.mine(x, w, ANCHOR, ANY)
    lottery = Lottery(w, ANCHOR, ANY, threads=2)
    parts = [lottery.mine_strips(x, first, last) for first, last in ((0, 3), (3, 4), (4, 7))]
    assert [p.product.shape for p in parts if p.product is not None] == [(48, 70), (16, 70), (36, 70)]
    assert np.array_equal(np.concatenate([p.product for p in parts if p.product is not None]), whole.product)
    assert sum(p.tickets for p in parts) == whole.tickets == 7 * 5 * 2
    sliced = {win.seal for part in parts for win in part.wins}
    assert sliced == {win.seal for win in whole.wins}
    alone = work.mine_strips(x, w, ANCHOR, ANY, 3, 4)
    assert {win.seal for win in alone.wins} == {win.seal for win in parts[1].wins}


@pytest.mark.parametrize("backend", [info.name for info in work.list_backends() if info.is_available])
def test_rows_are_written_where_the_caller_wants_them(backend: str) -> None:
    x, w = Operand.commit(make(100, 1100)), Operand.commit(make(70, 1100, 1))
    out, tickets = np.full((100, 70), 7, np.int32), 0
    lottery = Lottery(w, ANCHOR, 0, backend=backend, threads=2)
    for first, last in ((3, 7), (0, 3)):
        rows = out[16 * first : 16 * last]
        drawn = lottery.draw(x, first, last, lambda *_: None, out=rows)
        assert drawn.product is rows
        tickets += drawn.tickets
    assert np.array_equal(out, multiply(x.array, w.array))
    assert tickets == 7 * 5 * 2
    for wrong in (out[:48, :69], out[:47], out.T[:48], out[:48].astype(np.int64), out[:96:2]):
        with pytest.raises(InvalidMatrix, match="contiguous rows"):
            lottery.draw(x, 0, 3, lambda *_: None, out=wrong)


@pytest.mark.parametrize("shape", [(600, 16, 1024), (16, 600, 1024), (300, 530, 2048), (1, 1, 1), (17, 1, 65)])
def test_tiles_and_tasks_of_every_size(shape: tuple[int, int, int]) -> None:
    m, n, k = shape
    x, w = make(m, k), make(n, k, 1)
    for threads in (1, 3):
        mined = work.mine(x, w, ANCHOR, 0, threads=threads)
        assert np.array_equal(mined.product, multiply(x, w))
        assert mined.wins == ()
        assert mined.tickets == -(-m // 16) * -(-n // 16) * -(-k // 1024)


def test_the_largest_depth_with_the_largest_entries_is_exact() -> None:
    x, w = np.full((3, 65536), -64, np.int8), np.full((2, 65536), -64, np.int8)
    mined = work.mine(x, w, ANCHOR, 0)
    assert mined.product is not None
    assert (mined.product == 64 * 64 * 65536).all()


def test_operands_in_column_order_and_memory_maps() -> None:
    x, w = make(40, 90), make(33, 90, 1)
    assert np.array_equal(work.mine(np.asfortranarray(x), w[:, ::-1], ANCHOR, 0).product, multiply(x, w[:, ::-1]))
    assert Operand.commit(np.asfortranarray(x)).ref == Operand.commit(x).ref
    assert Operand.commit(np.asfortranarray(x)).array.flags.c_contiguous
    assert not Operand.commit(x).array.flags.writeable
    assert x.flags.writeable


@pytest.mark.parametrize("threads", [-3, 0, 1, 5, 10**6])
def test_any_number_of_threads_and_any_layout(threads: int) -> None:
    x, w = make(40, 1500), make(33, 1500, 1)
    kept = work.mine(x, w, ANCHOR, ANY, threads=1)
    frozen = x.copy()
    frozen.flags.writeable = False
    for view in (np.asfortranarray(x), np.repeat(np.repeat(x, 2, axis=0), 3, axis=1)[::2, ::3], frozen):
        again = work.mine(view, w, ANCHOR, ANY, threads=threads)
        assert np.array_equal(again.product, kept.product)
        assert set(again.wins) == set(kept.wins)


def test_no_target_is_too_hard_or_too_easy() -> None:
    x = make(17, 5)
    assert [len(work.mine(x, x, ANCHOR, target).wins) for target in (0, ANY)] == [0, 4]


def test_w_prepared_in_pieces_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    x, w = make(48, 1500), make(300, 1500, 1)
    kept = work.mine(x, w, ANCHOR, ANY)
    monkeypatch.setattr("inos.work.backends.numpy_noise.MAX_KEPT_BYTES", 0)
    again = work.mine(x, w, ANCHOR, ANY)
    assert np.array_equal(again.product, kept.product)
    assert set(again.wins) == set(kept.wins)


def test_a_set_event_stops_before_anything_is_read() -> None:
    stop = threading.Event()
    stop.set()
    endless = np.broadcast_to(np.zeros((1, 1), dtype=np.int8), (2**20, 65536))
    started = time.perf_counter()
    mined = work.mine(endless, endless, ANCHOR, ANY, stop=stop)
    assert time.perf_counter() - started < 60
    assert (mined.product, mined.tickets, mined.wins, mined.is_complete) == (None, 0, (), False)


def _stop_while_mining(x: Operand | NDArray[np.int8], w: Operand | NDArray[np.int8], pause: float) -> work.Mined:
    """Set the event from another thread while mining; backends/native/test_running.py counts what is drawn after it."""
    stop = threading.Event()
    timer = threading.Timer(pause, stop.set)
    timer.start()
    mined = work.mine(x, w, ANCHOR, ANY, threads=2, stop=stop)
    timer.join()
    assert stop.is_set(), "the product was done before it could be stopped"
    assert mined.product is None
    assert not mined.is_complete
    return mined


def test_stop_while_committing() -> None:
    endless = np.broadcast_to(np.zeros((1, 1), dtype=np.int8), (2**20, 65536))
    assert _stop_while_mining(endless, endless, 0.1).tickets == 0


def test_stop_while_preparing_and_drawing() -> None:
    strip = np.ascontiguousarray(np.broadcast_to(make(1, 8192), (4096, 8192)))
    x = Operand.commit(strip)
    assert _stop_while_mining(x, x, 0.02).tickets >= 0
    mined = _stop_while_mining(x, x, 0.7)
    assert len(mined.wins) == mined.tickets
    for win in mined.wins[:3]:
        work.verify(win.seal, win.witness, ANCHOR, ANY)


@pytest.mark.parametrize(("m", "n", "k", "pause"), [(2**20, 1024, 64, 0.15), (1024, 2048, 65536, 0.02)])
def test_stop_in_the_tallest_and_the_deepest(m: int, n: int, k: int, pause: float) -> None:
    x, w = (Operand.commit(np.ascontiguousarray(np.broadcast_to(make(1, k), (rows, k)))) for rows in (m, n))
    _stop_while_mining(x, w, pause)
    _stop_while_mining(x.array, w.array, 0.01)


@pytest.mark.parametrize(
    ("array", "code"),
    [
        (np.zeros((2, 2), np.int16), "bad-dtype"),
        (np.zeros((2, 2), np.int32), "bad-dtype"),
        (np.zeros((2, 2), np.uint8), "bad-dtype"),
        (np.zeros((2, 2), np.bool_), "bad-dtype"),
        (np.zeros((2, 2)), "bad-dtype"),
        (None, "bad-dtype"),
        (np.zeros((1, 2, 2), np.int8), "bad-shape"),
        (np.zeros((4, 0), np.int8), "bad-shape"),
        ([[1, 2]], "bad-dtype"),
        (np.zeros(4, np.int8), "bad-shape"),
        (np.zeros((0, 4), np.int8), "bad-shape"),
        (np.zeros((1, 65537), np.int8), "bad-shape"),
        (np.zeros((2**20 + 1, 1), np.int8), "bad-shape"),
        (np.full((2, 2), 64, np.int8), "entry-out-of-range"),
        (np.full((2, 2), -65, np.int8), "entry-out-of-range"),
        (make(2, 5), "depth-mismatch"),
    ],
)
def test_bad_operands_are_refused(array: NDArray[np.int8], code: str) -> None:
    with pytest.raises(InvalidMatrix) as caught:
        work.mine(make(4, 7), array, ANCHOR, ANY)
    assert caught.value.code == code


def test_the_first_entry_out_of_range_is_named() -> None:
    array = make(200, 3000)
    array[170, 2500] = -100
    with pytest.raises(InvalidMatrix, match=r"row 170, column 2500 is -100") as caught:
        work.matrix_id(array)
    assert caught.value.code == "entry-out-of-range"


@pytest.mark.parametrize(("first", "last"), [(-1, 2), (2, 2), (0, 4)])
def test_slices_outside_x_are_refused(first: int, last: int) -> None:
    x = Operand.commit(make(48, 64))
    with pytest.raises(InvalidMatrix) as caught:
        work.mine_strips(x, x, ANCHOR, ANY, first, last)
    assert caught.value.code == "index-outside-matrix"


def test_anchor_and_target_are_checked() -> None:
    anchor: Any
    target: Any
    for anchor, target, code in (
        (b"short", ANY, "bad-anchor"),
        (ANCHOR, 2**256, "bad-target"),
        (ANCHOR, -1, "bad-target"),
        (ANCHOR, 0.5, "bad-target"),
        (ANCHOR, bytes(32), "bad-target"),
        ("a" * 32, ANY, "bad-anchor"),
        (None, ANY, "bad-anchor"),
    ):
        with pytest.raises(InosError) as caught:
            work.mine(make(1, 1), make(1, 1), anchor, target)
        assert caught.value.code == code


def test_backends() -> None:
    names = [info.name for info in work.list_backends()]
    assert "numpy" in names
    assert all(info.is_available or info.reason for info in work.list_backends())
    with pytest.raises(InvalidBackend, match=r"abacus.*available: auto.*numpy") as caught:
        work.mine(make(1, 1), make(1, 1), ANCHOR, ANY, backend="abacus")
    assert caught.value.code == "unknown-backend"


def test_a_failure_in_one_thread_ends_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("inos.work.backends.numpy_backend._Job._draw", fail)
    with pytest.raises(ZeroDivisionError):
        work.mine(make(1600, 64), make(16, 64), ANCHOR, ANY, threads=2, backend="numpy")
    # Threads that hash are kept, and may start here.
    assert not [each.name for each in threading.enumerate() if each.name.startswith("mine_")]
