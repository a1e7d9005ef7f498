"""The comparison of the browser's kernel with the node's: every contender draws, and failures are named."""

import shutil

import pytest

from inos.bench.browser import measure
from inos.bench.errors import BenchError
from inos.work.backends import list_backends


@pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")
def test_all_contenders_draw_tickets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "ROUND_S", 0.01)
    rows = measure.measure_browser(1)
    assert rows[0].name.startswith("wasm in Node.js ")
    best = next(info.name for info in list_backends() if info.is_available)
    assert best in [row.name for row in rows[1:]]
    for row in rows:
        assert row.tickets_per_s > 0
        assert row.gops == pytest.approx(row.tickets_per_s * 2 * 2**18 / 1e9)
    assert len(measure.describe_browser(rows)) == 1 + len(rows)


def test_a_machine_without_node_js_is_told_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BenchError, match=r"Node\.js is missing") as caught:
        measure.measure_browser(1)
    assert caught.value.code == "no-node"
