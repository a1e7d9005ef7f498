"""Mined products: they are exact, every piece is a ticket, and what is hashed or prepared twice is kept."""

import threading
from typing import Any

import numpy as np
import pytest

from inos.programs import (
    Given,
    Input,
    Node,
    Program,
    Repeat,
    Type,
    bind_inputs,
    check_program,
    mining,
    multiply,
    prepare_program,
)
from inos.programs.mining import MiningProduct, commit_blocks
from inos.programs.ops import Clamp, MatmulT
from inos.work import verify
from inos.work.backends.native import products
from inos.work.matrices import Operand
from inos.work.stopping import Stopped

ANCHOR, EVERY, NONE = b"a" * 32, 2**256 - 1, 0
RNG = np.random.default_rng(1)


def draw(rows: int, cols: int) -> Any:
    return RNG.integers(-64, 64, (rows, cols), dtype=np.int8)


@pytest.mark.parametrize(("rows", "blocks"), [(16, 1), (5, 3), (32, 4), (33, 2)])
def test_blocks_are_committed_as_operands(rows: int, blocks: int) -> None:
    array = draw(rows * blocks, 1030)
    committed = commit_blocks(array, blocks)
    for at, operand in enumerate(committed):
        alone = Operand.commit(array[at * rows : (at + 1) * rows])
        assert (operand.ref, operand.leaves) == (alone.ref, alone.leaves)
        assert (operand.array == alone.array).all()


@pytest.mark.parametrize(("m", "n", "blocks"), [(16, 40, 1), (16, 32, 3), (5, 7, 2)])
def test_products_are_exact_and_every_piece_is_a_ticket(m: int, n: int, blocks: int) -> None:
    x, w = draw(m * blocks, 70), draw(n * blocks, 70)
    product = MiningProduct(ANCHOR, EVERY, threads=1)
    assert (product(x, w, blocks) == multiply(x, w, blocks)).all()
    assert product.tickets == len(product.wins) == blocks * -(-m // 16) * -(-n // 16)
    for win in product.wins:
        verify(win.seal, win.witness, ANCHOR, EVERY)


def make_loop(count: int) -> tuple[Any, list[Any]]:
    """Return a loop in which the carried value is multiplied with one matrix again and again, and its inputs."""
    x, w = Type(16, 48, -64, 63), Type(48, 48, -64, 63)
    body = Program((Input(x, Given()), Input(w, Given())), (Node(MatmulT(1), (0, 1)), Node(Clamp(-64, 63), (2,))), (3,))
    program = Program((Input(x, Given()), Input(w, Given())), (Node(Repeat(count, body, 1, 0), (0, 1)),), (2,))
    checked = check_program(program)
    return checked, bind_inputs(checked, [draw(16, 48), draw(48, 48)])


def test_an_input_is_hashed_and_prepared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The numpy backend has only the general way; that of kernels is in tests/property/test_work_small_products.py."""
    checked, inputs = make_loop(6)
    committed, prepared = [], []
    commit, lottery = mining.commit_blocks, mining.Lottery
    monkeypatch.setattr(mining, "commit_blocks", lambda array, n: committed.append(array.shape) or commit(array, n))
    monkeypatch.setattr(mining, "Lottery", lambda *args, **more: prepared.append(args[1]) or lottery(*args, **more))
    product = MiningProduct(ANCHOR, NONE, inputs, backend="numpy")
    (found,) = prepare_program(checked, product).run(inputs)
    (expected,) = prepare_program(checked).run(inputs)
    assert (found == expected).all()
    assert product.tickets == checked.cost.tickets == 18
    assert committed.count((48, 48)) == 1
    assert prepared == [ANCHOR]
    product.set_template(b"b" * 32, NONE)
    prepare_program(checked, product).run(inputs)
    assert prepared == [ANCHOR, b"b" * 32]
    assert committed.count((48, 48)) == 1


def test_what_does_not_fit_is_prepared_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mining, "MAX_KEPT_BYTES", 0)
    checked, inputs = make_loop(2)
    monkeypatch.setattr(products, "MAX_KEPT_BYTES", 0)
    for backend in ("numpy", "auto"):
        product = MiningProduct(ANCHOR, EVERY, inputs, backend=backend)
        (found,) = prepare_program(checked, product).run(inputs)
        assert (found == prepare_program(checked).run(inputs)[0]).all()
        assert len(product.wins) == 6


def test_it_stops() -> None:
    checked, inputs = make_loop(3)
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        prepare_program(checked, MiningProduct(ANCHOR, NONE, inputs, stop=stop)).run(inputs)
