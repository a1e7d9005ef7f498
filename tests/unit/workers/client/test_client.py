"""A worker says what kind it is, and takes the fastest backend that it has."""

import pytest

from inos.cli.worker import _choose_backend
from inos.work.backends import InvalidBackend, get_backend
from inos.workers.client.client import FINAL, get_kind
from inos.workers.limits import OFFENCES
from inos.workers.messages import WorkerKind
from support.fake_card import make_backend, use_cards


def test_cards_and_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    use_cards(monkeypatch, make_backend()[0])
    assert get_kind("fake") is WorkerKind.CARD
    assert get_kind("auto") is get_kind("numpy") is WorkerKind.MACHINE


def test_auto_is_the_fastest_where_cards_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inos.work.backends.choice.choose_backend", lambda threads: ("webgpu", []))
    monkeypatch.setattr("inos.work.backends.choice.has_card_libraries", lambda: True)
    assert _choose_backend("auto", 2) == "webgpu"
    assert _choose_backend("numpy", 2) == "numpy", "what is named is not measured"
    monkeypatch.setattr("inos.work.backends.choice.has_card_libraries", lambda: False)
    assert _choose_backend("auto", 2) == get_backend("auto").name
    with pytest.raises(InvalidBackend, match="no backend 'none'"):
        _choose_backend("none", None)


def test_a_worker_ends_after_what_connecting_again_does_not_change() -> None:
    """docs/workers.md names these refusals: of the offences, those for which a worker is refused for a time."""
    offences = {code for code, seconds in OFFENCES.items() if seconds}
    assert set(FINAL) == offences | {"other-version", "bad-hello", "wrong-token", "no-pool"}
    assert {"silent", "too-fast", "unknown-template", "rows-missing"}.isdisjoint(FINAL)
