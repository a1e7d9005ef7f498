"""The backend over a card that is numpy: blocks, stopping, and what is checked."""

import threading
from typing import Any

import numpy as np
import pytest

from inos.work import InvalidBackend, Operand, list_backends
from inos.work.backends import card as card_module
from inos.work.backends import choice, get_backend
from inos.work.backends.base import Slice
from inos.work.backends.card import CardBackend, CardFailed, Noise
from inos.work.noise import compute_seed_w, compute_seed_x
from support.card_products import ALL, ANCHOR, compare
from support.fake_card import NumpyCard, make_backend, use_cards


def test_every_win_is_computed_again() -> None:
    backend, _ = make_backend()
    assert compare(backend, 70, 50, 1100, ALL) == 5 * 4 * 2
    assert 0 < compare(backend, 70, 50, 1100, 1 << 254) < 40, "what did not win is not handed on"
    assert compare(backend, 70, 50, 1100, 0) == 0


@pytest.mark.parametrize("kept", [0, 1 << 30])
def test_blocks_of_both_operands(monkeypatch: pytest.MonkeyPatch, kept: int) -> None:
    monkeypatch.setattr(card_module, "BLOCK_BYTES", 100_000)  # three strips of two panels
    monkeypatch.setattr(card_module, "KEPT_BYTES", kept)
    backend, card = make_backend()
    assert compare(backend, 160, 130, 1100, 1 << 253) > 0
    assert max(rows for rows, _ in card.loads) == 48
    assert card.calls > 9


def test_what_the_processor_makes_of_the_noise() -> None:
    """The inverse permutations lead back from a noise column to the columns that it was added to."""
    columns, inverse = card_module.make_permutations(bytes(32), 2)
    for step in range(32):
        part = slice(64 * step, 64 * step + 64)
        assert (columns[part][inverse[part]] == np.arange(64)).all()


def test_a_slice_stops_between_two_calls() -> None:
    backend, card = make_backend()
    x = Operand.commit(np.zeros((64, 64), np.int8))
    seed_w = compute_seed_w(ANCHOR, x.ref.id)
    stop = threading.Event()
    stop.set()
    prepared = backend.prepare(x, seed_w, threads=1, stop=None)
    piece = Slice(x, x, compute_seed_x(seed_w, x.ref.id), seed_w, ALL, 0, 4, 1)
    drawn = backend.multiply(piece, prepared, lambda *_: None, stop)
    assert (drawn.product, drawn.tickets, card.calls) == (None, 0, 0)


def test_a_machine_without_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Any:
        raise CardFailed("no-card", "it needs a card")

    none = CardBackend("gpu", refuse)
    assert none.get_obstacle() == "it needs a card"
    with pytest.raises(CardFailed, match="needs a card"):
        none.prepare(Operand.commit(np.zeros((1, 1), np.int8)), bytes(32), threads=1, stop=None)
    monkeypatch.setattr("inos.work.backends.CARDS", (none,))
    assert (list_backends()[0].name, list_backends()[0].reason) == ("gpu", "it needs a card")
    with pytest.raises(InvalidBackend, match="gpu cannot run here: it needs a card") as caught:
        get_backend("gpu")
    assert caught.value.code == "backend-unavailable"


def test_auto_asks_no_card(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Any:
        raise AssertionError("auto opened a card")

    monkeypatch.setattr("inos.work.backends.CARDS", (CardBackend("gpu", fail),))
    assert get_backend("auto").name != "gpu"


class SlowClock:
    """Is a second later at each look."""

    now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def test_the_fastest_that_is_right_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    right, _ = make_backend()
    use_cards(monkeypatch, right)
    name, found = choice.choose_backend(1, SlowClock())
    assert [each.trouble for each in found] == ["", ""]
    assert [each.name for each in found] == [get_backend("auto").name, "fake"]
    assert name == max(found, key=lambda each: each.tickets_per_second).name
    use_cards(monkeypatch)
    assert choice.choose_backend() == (get_backend("auto").name, [])


class WrongCard(NumpyCard):
    def multiply(self, x: Any, w: Any, seed_x: bytes, target: int, *, needs_rows: bool) -> Any:
        product, found = super().multiply(x, w, seed_x, target, needs_rows=needs_rows)
        assert product is not None
        product[3, 5] += 1
        return product, found


class BlindCard(NumpyCard):
    def multiply(self, x: Any, w: Any, seed_x: bytes, target: int, *, needs_rows: bool) -> Any:
        product, found = super().multiply(x, w, seed_x, target, needs_rows=needs_rows)
        return product, found[:1]


class BrokenCard(NumpyCard):
    def load(self, rows: Any, noise: Noise) -> Any:
        raise RuntimeError("the driver is gone")


@pytest.mark.parametrize(
    ("card", "trouble"),
    [(WrongCard, "its product is wrong"), (BlindCard, "its tickets are wrong"), (BrokenCard, "the driver is gone")],
)
def test_a_card_that_is_wrong_is_not_chosen(
    monkeypatch: pytest.MonkeyPatch, card: type[NumpyCard], trouble: str
) -> None:
    use_cards(monkeypatch, CardBackend("fake", card))
    name, found = choice.choose_backend(1, SlowClock())
    assert trouble in found[1].trouble
    assert name == get_backend("auto").name
