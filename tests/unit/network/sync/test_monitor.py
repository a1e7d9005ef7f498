"""Processes for a long sync start as soon as its headers are known, and end with it."""

import asyncio
from types import SimpleNamespace
from typing import Final

import pytest

from inos.network.sync import monitor as monitor_module
from inos.network.sync.monitor import BULK_BLOCKS, SyncMonitor
from inos.primitives.clock import SystemClock

LIMIT_S: Final = 60.0


class FakeBackend:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.begun, self.ended = asyncio.Event(), asyncio.Event()
        self.workers = 0

    async def begin_bulk(self) -> None:
        self.begun.set()

    async def end_bulk(self) -> None:
        self.ended.set()


class FakeNode:
    """Has a tip, the best header, and a backend."""

    def __init__(self) -> None:
        self.backend = FakeBackend()
        self.verifier = SimpleNamespace(backend=self.backend)
        self.state_import = SimpleNamespace(state=None)
        self.ledger = SimpleNamespace(is_awaiting_state=False)
        self.move(tip=0, headers=0)

    def move(self, tip: int, headers: int) -> None:
        self.ledger.tip = SimpleNamespace(header=SimpleNamespace(height=tip))
        self.ledger.best_header = SimpleNamespace(header=SimpleNamespace(height=headers))


class FakePeer:
    def __init__(self, best_height: int) -> None:
        self.best_height = best_height


async def test_a_learned_chain_begins_the_bulk_sync_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The monitor does not wait until it looks the next time."""
    monkeypatch.setattr(monitor_module, "POLL_S", 10 * LIMIT_S)
    node, peer = FakeNode(), FakePeer(BULK_BLOCKS)
    monitor = SyncMonitor(node, SystemClock(), lambda: [peer])  # type: ignore[arg-type]
    running = asyncio.ensure_future(monitor.run())
    await asyncio.sleep(0)
    with monitor.learning(peer):  # type: ignore[arg-type]
        node.move(tip=0, headers=BULK_BLOCKS)
    async with asyncio.timeout(LIMIT_S):
        await node.backend.begun.wait()
    node.backend.ended.clear()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert node.backend.ended.is_set()


@pytest.mark.parametrize(("headers", "is_awaiting_state"), [(BULK_BLOCKS - 1, False), (BULK_BLOCKS, True)])
async def test_a_short_sync_and_one_of_a_state_need_no_processes(
    headers: int, is_awaiting_state: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor_module, "POLL_S", 0.001)
    node, peer = FakeNode(), FakePeer(headers)
    node.ledger.is_awaiting_state = is_awaiting_state
    node.move(tip=0, headers=headers)
    looked = asyncio.Event()

    def list_peers() -> list[FakePeer]:
        looked.set()
        return [peer]

    monitor = SyncMonitor(node, SystemClock(), list_peers)  # type: ignore[arg-type]
    running = asyncio.ensure_future(monitor.run())
    for _ in range(3):
        with monitor.learning(peer):  # type: ignore[arg-type]
            looked.clear()
            await looked.wait()
        looked.clear()
        await looked.wait()
    assert not node.backend.begun.is_set()
    node.move(tip=headers, headers=headers)
    node.ledger.is_awaiting_state = False
    async with asyncio.timeout(LIMIT_S):
        await node.backend.ended.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
