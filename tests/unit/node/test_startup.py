"""What a node multiplies with: the fastest that was measured, or a cluster."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from inos.node.node import open_node
from inos.work import mine_strips
from inos.work.backends.choice import Measured
from inos.work.cluster import ClusterError
from support.core_lab import Lab
from unit.node.test_node import make_settings


async def test_the_fastest_backend_mines(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Measured("native-avx2", 10.0), Measured("numpy", 20.4), Measured("gpu", 0.0, "its product is wrong")]
    monkeypatch.setattr("inos.node.startup.has_card_libraries", lambda: True)
    monkeypatch.setattr("inos.node.startup.choose_backend", lambda threads: ("numpy", found))
    with capture_logs() as logs:
        async with open_node(make_settings(lab, tmp_path, mine="auto", purpose="filler")) as node:
            assert node.miner is not None
            assert node.miner._engine._backend == "numpy"
    told = [(log["backend"], log["tickets_per_second"], log["trouble"]) for log in logs if "trouble" in log]
    assert told == [("native-avx2", 10, None), ("numpy", 20, None), ("gpu", 0, "its product is wrong")]


@pytest.mark.parametrize("given", [{"backend": "numpy"}, {"threads": 0}], ids=str)
async def test_nothing_is_measured_where_nothing_is_to_choose(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any]
) -> None:
    monkeypatch.setattr("inos.node.startup.has_card_libraries", lambda: True)
    monkeypatch.setattr("inos.node.startup.choose_backend", lambda threads: pytest.fail("it was measured"))
    async with open_node(make_settings(lab, tmp_path, mine="auto", purpose="filler", **given)) as node:
        assert node.miner is not None


class FakeCluster:
    """Multiplies here, and counts its slices."""

    def __init__(self) -> None:
        self.slices = 0
        self.is_closed = False
        self.has_multiplied = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def mine_strips(self, *arguments: Any, **options: Any) -> Any:
        self.slices += 1
        self._loop.call_soon_threadsafe(self.has_multiplied.set)
        return mine_strips(*arguments, **options)

    def close(self) -> None:
        self.is_closed = True


async def test_a_cluster_multiplies_for_the_miner(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = FakeCluster()
    monkeypatch.setattr("inos.work.cluster.open_engine", lambda address: {"ray://auto": cluster}[address])
    settings = make_settings(lab, tmp_path, mine="auto", purpose="filler", engine="ray://auto")
    async with open_node(settings), asyncio.timeout(60):
        await cluster.has_multiplied.wait()
        assert not cluster.is_closed
    assert cluster.is_closed


async def test_a_node_does_not_start_without_its_cluster(lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="no address of a cluster"):
        async with open_node(make_settings(lab, tmp_path, mine="auto", engine="head:10001")):
            pytest.fail("it started")
