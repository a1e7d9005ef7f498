"""The kernels accept exactly the certificates that the reference accepts."""

from typing import Any

import numpy as np
import pytest
from blake3 import blake3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from inos import work
from inos.primitives.errors import InosError
from inos.primitives.matrices import MatrixRef, Seal, Witness, make_matrix_ref
from inos.primitives.units import Hash
from inos.work import Win
from inos.work.backends.native.library import find_kernels
from inos.work.backends.native.verify import is_ticket_natively, verify_natively
from inos.work.certificate import check_certificate, compute_digest

ANY = 2**256 - 1
ANCHOR = bytes(range(32))
KERNELS = find_kernels()
pytestmark = pytest.mark.skipif(not KERNELS, reason="no kernels were compiled")
kernels = pytest.mark.parametrize("name", list(KERNELS))
relaxed = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def mine(m: int, n: int, k: int, seed: int) -> tuple[Win, ...]:
    draw = np.random.default_rng(seed).integers
    x, w = (draw(-64, 64, (rows, k), dtype=np.int8) for rows in (m, n))
    return work.mine(x, w, ANCHOR, ANY).wins


def find_code(check: Any, seal: Seal, witness: Witness, anchor: bytes, target: int) -> str:
    """Return "" if `check` accepts."""
    try:
        check(seal, witness, anchor, target)
    except InosError as error:
        return error.code
    return ""


def assert_the_same(name: str, seal: Seal, witness: Witness, anchor: bytes = ANCHOR, target: int = ANY) -> str:
    code = find_code(check_certificate, seal, witness, anchor, target)
    assert verify_natively(seal, witness, anchor, target, KERNELS[name]) is (code == "")
    assert find_code(work.verify, seal, witness, anchor, target) == code
    return code


@kernels
@relaxed
@given(shape=st.tuples(*[st.integers(1, 400)] * 2, st.integers(1, 5000)), seed=st.integers(0, 2**32), data=st.data())
def test_what_was_mined_is_valid(name: str, shape: tuple[int, int, int], seed: int, data: st.DataObject) -> None:
    wins = mine(*shape, seed)
    win = data.draw(st.sampled_from(wins))
    assert assert_the_same(name, win.seal, win.witness) == ""
    limit = int.from_bytes(win.seal.digest, "big")
    assert assert_the_same(name, win.seal, win.witness, target=limit) == ""
    assert assert_the_same(name, win.seal, win.witness, target=limit - 1) == "above-target"
    assert assert_the_same(name, win.seal, win.witness, anchor=bytes(32)) == "digest-mismatch"


@kernels
@relaxed
@given(shape=st.tuples(*[st.integers(1, 400)] * 2, st.integers(1, 3000)), seed=st.integers(0, 2**32), data=st.data())
def test_tickets_of_own_operands(name: str, shape: tuple[int, int, int], seed: int, data: st.DataObject) -> None:
    m, n, k = shape
    draw = np.random.default_rng(seed).integers
    x, w = (work.Operand.commit(draw(-64, 64, (rows, k), dtype=np.int8)) for rows in (m, n))
    seal = data.draw(st.sampled_from(work.mine(x, w, ANCHOR, ANY).wins)).seal
    place, other = (seal.i, seal.j, seal.p), seal.digest[:-1] + bytes([seal.digest[-1] ^ 1])
    for digest, anchor, is_right in (
        (seal.digest, ANCHOR, True),
        (other, ANCHOR, False),
        (seal.digest, bytes(32), False),
    ):
        assert is_ticket_natively(x, w, place, anchor, digest, KERNELS[name]) is is_right
        assert work.is_ticket(x, w, place, anchor, digest) is is_right


WIN = mine(200, 150, 2500, 1)[333] if KERNELS else None


def flip(data: bytes, at: int) -> bytes:
    at %= 8 * len(data)
    return data[: at // 8] + bytes([data[at // 8] ^ 1 << at % 8]) + data[at // 8 + 1 :]


def change(value: Any, draw: Any) -> Any:
    """Change one bit or one number, or add or remove one element."""
    if isinstance(value, bytes):
        cut = value[:-1] if draw(st.integers(0, 9)) == 0 else value
        return flip(cut, draw(st.integers(0, 2**20)))
    if isinstance(value, int):
        return draw(st.one_of(st.sampled_from([value + 1, value - 1, -1, 2**32 - 1, 2**40]), st.integers(0, 2**20)))
    if isinstance(value, tuple):
        at = draw(st.integers(0, len(value) - 1))
        changed = (*value[:at], change(value[at], draw), *value[at + 1 :])
        return draw(st.sampled_from([changed, value[:-1], (*value, bytes(32)), value[::-1]]))
    field = draw(st.sampled_from(value.__struct_fields__))
    return replace(value, **{field: change(getattr(value, field), draw)})


@kernels
@settings(relaxed, max_examples=150)
@given(data=st.data())
def test_what_was_changed_is_refused_for_the_same_reason(name: str, data: st.DataObject) -> None:
    assert WIN is not None
    seal, witness = (change(part, data.draw) if data.draw(st.booleans()) else part for part in (WIN.seal, WIN.witness))
    code = assert_the_same(name, seal, witness)
    assert (code == "") is (seal == WIN.seal and witness == WIN.witness)


@kernels
@relaxed
@given(rows=st.integers(1, 16), cols=st.integers(1, 1024), at=st.integers(0, 2**14 - 1), value=st.integers(0, 255))
def test_whatever_the_tree_was_built_over(name: str, rows: int, cols: int, at: int, value: int) -> None:
    """The path and digest are valid over a strip that a matrix of this shape cannot have, or over one that it can."""
    strip = bytearray(2**14)
    strip[at] = value
    root = Hash(blake3(bytes(strip), derive_key_context="inos v1 matrix strip").digest())
    x: MatrixRef = make_matrix_ref(1, rows, cols, root)
    w = work.Operand.commit(np.full((1, cols), -64, np.int8))
    witness = Witness(bytes(strip), (), work.compute_strip(w.array, 0), ())
    seal = Seal(x, w.ref, 0, 0, 0, bytes(32))
    seal = replace(seal, digest=compute_digest(seal, witness, ANCHOR))
    code = assert_the_same(name, seal, witness)
    if value and (at // 1024 >= rows or at % 1024 >= cols):
        assert code == "x-nonzero-padding"
    else:
        assert code == ("" if value < 64 or value >= 192 else "x-entry-out-of-range")
