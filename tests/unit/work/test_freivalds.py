"""Freivalds' check in slices finds exactly the wrong rows, for all slices."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inos.work.backends.native.check import NativeCheck
from inos.work.freivalds import BlockCheck, RowCheck


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 700), st.integers(1, 90), st.integers(1, 70), st.integers(1, 64), st.data())
def test_the_wrong_rows_and_no_others(m: int, n: int, k: int, step: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    x, w = (rng.integers(-64, 64, (rows, k), dtype=np.int8) for rows in (m, n))
    y = (x.astype(np.int64) @ w.astype(np.int64).T).astype(np.int32)
    wrong = data.draw(st.sets(st.integers(0, m - 1), max_size=5))
    for row in wrong:
        y[row, data.draw(st.integers(0, n - 1))] ^= np.int32(1 << data.draw(st.integers(0, 30)))
    check = RowCheck(bytes(32), n, k)
    for top in range(0, n, step):
        check.absorb(top, w[top : top + step])
    found = [
        top + row for top in range(0, m, 400) for row in check.find_wrong_rows(x[top : top + 400], y[top : top + 400])
    ]
    assert found == sorted(wrong)


@pytest.mark.parametrize("lie", [np.iinfo(np.int32).min, np.iinfo(np.int32).max])
def test_the_largest_lies_are_exact_sums_too(lie: int) -> None:
    x, w = np.full((3, 5000), -64, np.int8), np.full((2, 5000), -64, np.int8)
    y = np.full((3, 2), 64 * 64 * 5000, np.int32)
    y[1, 1] = lie
    check = RowCheck(b"\x01" * 32, 2, 5000)
    check.absorb(0, w)
    assert check.find_wrong_rows(x, y) == [1]


@pytest.mark.parametrize("is_native", [True, False])
def test_rows_are_checked_as_they_are_copied(is_native: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not is_native:
        monkeypatch.setattr(NativeCheck, "is_available", lambda: False)
    rng = np.random.default_rng(1)
    x, w = (rng.integers(-64, 64, (rows, 300), dtype=np.int8) for rows in (150, 70))
    right = (x.astype(np.int64) @ w.astype(np.int64).T).astype(np.int32)
    check = BlockCheck(w, bytes(32))
    for top, end in ((0, 150), (16, 33), (149, 150)):
        copied = np.zeros((end - top, 70), np.int32)
        assert check.copy(x[top:end], right[top:end], copied)
        assert np.array_equal(copied, right[top:end])
        wrong = right[top:end].copy()
        wrong[-1, -1] ^= 1 << 30
        assert not check.copy(x[top:end], wrong, copied)
