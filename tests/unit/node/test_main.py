"""Tests when the process of a node ends by itself."""

import asyncio
import gc
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inos.chain.database import Database, plyvel
from inos.chain.errors import ChainError
from inos.node import main
from inos.node.main import run_until_stopped
from inos.node.node import Node, open_node
from inos.node.settings import NodeSettings, load_settings
from support.disks import limit_file_size

MINE = {"mine": "auto", "purpose": "filler", "filler_rate": 200.0, "filler_rows": 256, "threads": 1}


def make_settings(lab: Any, path: Path, **flags: Any) -> NodeSettings:
    given = {"network": str(lab.genesis_file), "data_dir": path, "rpc_port": 0, "p2p_port": 0} | flags
    return load_settings(given)


@pytest.fixture(autouse=True)
def unfrozen() -> Iterator[None]:
    """A node that runs as a process freezes what is loaded, which lasts longer than a test."""
    yield
    gc.unfreeze()


def test_the_event_loop_waits_shortly_for_the_interpreters_lock(
    lab: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    intervals: list[float] = []

    async def note(settings: NodeSettings) -> None:
        intervals.append(sys.getswitchinterval())

    monkeypatch.setattr(main, "run_until_stopped", note)
    monkeypatch.setattr(main, "configure_logs", lambda level, format: None)
    monkeypatch.setattr(main.os, "umask", lambda mask: None)
    before = sys.getswitchinterval()
    try:
        main.run(make_settings(lab, tmp_path / "node"))
    finally:
        sys.setswitchinterval(before)
    assert intervals == [pytest.approx(0.0005)]


async def test_what_is_loaded_is_spared_from_garbage_collections(
    lab: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Node, "wait_stop_requested", lambda node: asyncio.sleep(0))
    assert gc.get_freeze_count() == 0
    await run_until_stopped(make_settings(lab, tmp_path / "node"))
    assert gc.get_freeze_count() > 10_000


async def test_a_miner_stops_when_the_disk_is_full_and_goes_on_later(lab: Any, tmp_path: Path) -> None:
    settings = make_settings(lab, tmp_path / "node", **MINE)
    with limit_file_size(1 << 20):
        async with asyncio.timeout(60):
            with pytest.raises(ChainError) as stopped:
                await run_until_stopped(settings)
    assert stopped.value.code == "database-io"
    assert "start the node again" in stopped.value.hint
    async with open_node(make_settings(lab, tmp_path / "node")) as node:
        height = node.core.ledger.tip.header.height
        assert height > 0
        assert node.core.ledger.database.trouble is None


async def test_a_node_stops_when_it_meets_a_damaged_table(
    lab: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(lab, tmp_path / "node", **MINE)
    write = Database.write

    def meet_damage(self: Database, *args: Any, **named: Any) -> None:
        write(self, *args, **named)
        if len(written) > 5:
            self.explain(plyvel.CorruptionError(b"Corruption: block checksum mismatch"))
        written.append(1)

    written: list[int] = []
    monkeypatch.setattr(Database, "write", meet_damage)
    async with asyncio.timeout(60):
        with pytest.raises(ChainError, match="block checksum mismatch") as stopped:
            await run_until_stopped(settings)
    assert stopped.value.code == "database-damaged"
    assert not (tmp_path / "node" / "node.json").exists()
