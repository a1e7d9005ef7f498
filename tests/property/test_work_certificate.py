"""Any changed byte of a seal or witness is refused, Freivalds' check refuses a wrong Y, and limbs are exact."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from numpy.typing import NDArray

from inos import work
from inos.primitives.codec import decode, encode
from inos.primitives.errors import CodecError
from inos.primitives.matrices import MAX_WITNESS_BYTES
from inos.work import InvalidCertificate, Operand, Win

ANY = 2**256 - 1
ANCHOR = bytes(range(32))
SEED = bytes(range(100, 132))
seeds = st.integers(0, 2**32 - 1)


def make(rows: int, cols: int, seed: int) -> NDArray[np.int8]:
    return np.random.default_rng(seed).integers(-64, 64, (rows, cols), dtype=np.int8)


@pytest.fixture(scope="module")
def wins() -> tuple[Win, ...]:
    return work.mine(make(37, 1500, 1), make(50, 1500, 2), ANCHOR, ANY).wins


def is_refused(win: Win, anchor: bytes = ANCHOR, target: int = ANY) -> bool:
    try:
        work.verify(win.seal, win.witness, anchor, target)
    except InvalidCertificate as error:
        return bool(error.code)
    return False


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_changed_byte_is_refused(wins: tuple[Win, ...], data: st.DataObject) -> None:
    """Return positions over the whole encoding: fields, lengths and strips alike."""
    win = data.draw(st.sampled_from(wins))
    text = bytearray(encode(win))
    ends = st.integers(0, 400) | st.integers(len(text) - 17_000, len(text) - 1)  # ids, paths, and the start of strips
    at = data.draw(ends | st.integers(0, len(text) - 1))
    text[at] ^= data.draw(st.integers(1, 255))
    try:
        changed = decode(Win, bytes(text), limit=MAX_WITNESS_BYTES + 1024)
    except CodecError:
        return
    assert is_refused(changed)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_changed_bit_of_a_field_is_refused(wins: tuple[Win, ...], data: st.DataObject) -> None:
    win = data.draw(st.sampled_from(wins))
    part = data.draw(st.sampled_from([win.seal, win.seal.x, win.seal.w, win.witness]))
    name = data.draw(st.sampled_from(part.__struct_fields__))
    value: Any = getattr(part, name)
    if isinstance(value, bytes):
        at = data.draw(st.integers(0, len(value) - 1))
        value = value[:at] + bytes([value[at] ^ 1 << data.draw(st.integers(0, 7))]) + value[at + 1 :]
    elif isinstance(value, int):
        value = value ^ 1 << data.draw(st.integers(0, 31))
    elif isinstance(value, tuple):
        value = data.draw(st.sampled_from([value[:-1], (*value, bytes(32)), value[::-1][:0]]))
    else:
        return
    changed = replace(part, **{name: value})
    seal, witness = win.seal, win.witness
    if part is win.witness:
        witness = changed
    else:
        seal = changed if part is seal else replace(seal, **{"x" if part is seal.x else "w": changed})
    assert is_refused(Win(seal, witness))


def test_another_anchor_or_a_harder_target_is_refused(wins: tuple[Win, ...]) -> None:
    for win in wins:
        assert is_refused(win, anchor=bytes(32))
        digest = int.from_bytes(win.seal.digest, "big")
        assert not is_refused(win, target=digest)
        assert is_refused(win, target=digest - 1)


@settings(max_examples=60, deadline=None)
@given(
    m=st.integers(1, 300), n=st.integers(1, 300), k=st.integers(1, 5000), seed=seeds, off=st.integers(-(2**31), 2**31)
)
def test_freivalds_accepts_the_product_and_no_other_entry(m: int, n: int, k: int, seed: int, off: int) -> None:
    random = np.random.default_rng(seed)
    x, w = make(m, k, seed), make(n, k, seed + 1)
    y = np.rint(x.astype(np.float64) @ w.astype(np.float64).T).astype(np.int32)
    assert work.freivalds(x, w, y, SEED)
    place = int(random.integers(m)), int(random.integers(n))
    wrong = y.copy()
    wrong[place] = np.int64((int(y[place]) + (off or 1) + 2**31) % 2**32 - 2**31)
    assert work.freivalds(x, w, wrong, SEED) == (wrong[place] == y[place])


@settings(max_examples=40, deadline=None)
@given(m=st.integers(1, 40), n=st.integers(1, 40), k=st.integers(1, 300), seed=seeds)
def test_limbs_are_exact(m: int, n: int, k: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    x, w = (random.integers(-(2**15), 2**15, (rows, k), dtype=np.int16) for rows in (m, n))
    assert np.array_equal(work.multiply_limbs(x, w), x.astype(np.int64) @ w.astype(np.int64).T)


@settings(max_examples=15, deadline=None)
@given(rows=st.integers(1, 60), cols=st.integers(1, 2100), seed=seeds)
def test_every_strip_is_bound_to_its_place(rows: int, cols: int, seed: int) -> None:
    array = make(rows, cols, seed)
    operand = Operand.commit(array)
    leaves = operand.leaves
    strips = [work.compute_strip(array, index) for index in range(len(leaves))]
    paths = [operand.tree.compute_path(index) for index in range(len(leaves))]
    for at in range(len(leaves)):
        for index in range(len(leaves)):
            if strips[at] == strips[index]:
                work.check_strip(operand.ref, 1, index, strips[at], paths[index])
            else:
                with pytest.raises(work.InvalidMatrix):
                    work.check_strip(operand.ref, 1, index, strips[at], paths[at])
