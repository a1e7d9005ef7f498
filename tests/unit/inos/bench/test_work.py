"""`inos bench work` on a machine with a graphics card."""

import pytest

from inos.bench.work.contenders import LIMIT, TILE_LIMIT, WITH_TILES
from inos.bench.work.measure import measure
from inos.bench.work.report import make_table
from inos.work.backends import get_backend
from support.fake_card import make_backend, use_cards


def test_cards_are_measured_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    backend, card = make_backend()
    use_cards(monkeypatch, backend)
    # One strip: a card that was slow before gets more of them in several calls.
    measured = measure((16, 32, 64), "auto", 1, 1)
    assert card.calls == 2, "one round to warm up, and one that counts"
    assert (measured.get_speed("fake") or 0) > 0
    assert "fake, Gop/s" in make_table([measured])
    use_cards(monkeypatch)
    assert "fake" not in make_table([measure((32, 32, 64), "auto", 1, 1)])


@pytest.mark.skipif(bool(get_backend(WITH_TILES).get_obstacle()), reason="this processor has no AMX")
def test_both_limits_are_measured_where_tiles_multiply() -> None:
    measured = measure((32, 32, 64), WITH_TILES, 1, 1)
    assert (measured.get_speed(TILE_LIMIT) or 0) > (measured.get_speed(LIMIT) or 0) > 0
    assert {f"certified / {LIMIT}", f"certified / {TILE_LIMIT}"} <= measured.ratios.keys()
    assert "tile limit, Gop/s" in make_table([measured])
