"""Tests each reason for which a node reports a problem, and that nothing else leads to one."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from inos.chain.errors import ChainError
from inos.core.monitor import NodeStats
from inos.network.sync.progress import Phase
from inos.rpc.health import Check, Health, HealthChecks

GIB = 1 << 30
WELL = NodeStats(
    uptime_s=1000.0, loop_lag_s=0.0, blocks_connected=9, blocks_undone=0, deepest_reorganisation=0, clock_ahead_ms=400
)


class World:
    """The data that the checks read, in which everything is well."""

    def __init__(self) -> None:
        self.now_ms = 1_000_000
        self.header = SimpleNamespace(height=5, time_ms=998_000)
        self.trouble: ChainError | None = None
        self.peers = 3
        self.is_alone = False
        self.knows_nobody = False
        self.room: tuple[int, int] | None = (50 * GIB, 100 * GIB)
        self.sync = SimpleNamespace(height=5, header_height=5, phase=Phase.FOLLOWING, describe=lambda: "following")
        self.stats = WELL

    def list_failing(self) -> list[Check]:
        return [check for check in self.get().checks if not check.is_ok]

    def get(self) -> Health:
        ledger: Any = SimpleNamespace(
            tip=SimpleNamespace(header=self.header),
            params=SimpleNamespace(spacing_ms=2000, max_future_ms=15_000),
            database=SimpleNamespace(trouble=self.trouble),
        )
        clock: Any = SimpleNamespace(now_ms=lambda: self.now_ms)
        checks = HealthChecks(
            ledger,
            clock,
            Path("/data"),
            SimpleNamespace(get_stats=lambda: self.stats),  # type: ignore[arg-type]
            get_sync=lambda: self.sync,  # type: ignore[arg-type, return-value]
            count_peers=lambda: self.peers,
            is_alone=self.is_alone,
            knows_nobody=lambda: self.knows_nobody,
            get_free=self.get_room,
        )
        return checks.check()

    def get_room(self, path: Path) -> tuple[int, int]:
        if self.room is None:
            raise OSError("no such device")
        return self.room


def set_field(**fields: Any) -> Callable[[World], None]:
    def change(world: World) -> None:
        for name, value in fields.items():
            assert hasattr(world, name)
            setattr(world, name, value)

    return change


def age(world: World) -> None:
    world.header.time_ms = world.now_ms - 41_000


def stall(world: World) -> None:
    world.sync.phase = Phase.STALLED


def fall_behind(world: World) -> None:
    world.sync.header_height = 9


def stay_at_genesis(world: World) -> None:
    world.header = SimpleNamespace(height=0, time_ms=0)


def set_clock(ahead_ms: int | None) -> Callable[[World], None]:
    def change(world: World) -> None:
        world.stats = replace(WELL, clock_ahead_ms=ahead_ms)

    return change


@pytest.mark.parametrize(
    ("change", "name", "code"),
    [
        (age, "tip", "tip-old"),
        (stay_at_genesis, "tip", "no-block"),
        (stall, "sync", "sync-stalled"),
        (fall_behind, "sync", "sync-behind"),
        (set_field(peers=0), "peers", "no-peers"),
        (set_field(peers=0, knows_nobody=True, stats=replace(WELL, uptime_s=1.0)), "peers", "nobody-known"),
        (set_clock(31_000), "clock", "clock-ahead"),
        (set_clock(-7_600), "clock", "clock-behind"),
        (set_field(room=(GIB - 1, 40 * GIB)), "disk", "disk-low"),
        (set_field(room=(3 * GIB, 400 * GIB)), "disk", "disk-low"),
        (set_field(room=None), "disk", "disk-unreadable"),
        (set_field(trouble=ChainError("database-io", "no space left", hint="make room")), "database", "database-io"),
        (set_field(trouble=ChainError("database-damaged", "a table")), "database", "database-damaged"),
    ],
)
def test_one_reason_turns_one_check_red_and_says_what_to_do(
    change: Callable[[World], None], name: str, code: str
) -> None:
    world = World()
    assert world.list_failing() == []
    change(world)
    (failing,) = world.list_failing()
    assert (failing.name, failing.code) == (name, code)
    assert failing.detail
    assert failing.hint


@pytest.mark.parametrize(
    "change",
    [
        set_field(peers=0, is_alone=True),
        set_field(peers=0, is_alone=True, knows_nobody=True),
        set_field(peers=1, knows_nobody=True),
        set_field(peers=0, stats=replace(WELL, uptime_s=59.0)),
        set_field(room=(GIB, 2 * GIB)),
        set_clock(None),
        set_clock(-7_500),
        set_clock(30_000),
        set_field(header=SimpleNamespace(height=0, time_ms=0), stats=replace(WELL, uptime_s=40.0)),
    ],
)
def test_what_is_no_fault(change: Callable[[World], None]) -> None:
    world = World()
    change(world)
    assert world.list_failing() == []


@pytest.mark.parametrize(
    ("phase", "is_alone", "is_ready"),
    [
        (Phase.FOLLOWING, False, True),
        (Phase.FINDING_PEERS, True, True),
        (Phase.FINDING_PEERS, False, False),
        (Phase.BLOCKS, True, False),
        (Phase.STALLED, True, False),
    ],
)
def test_a_node_is_ready_when_it_follows_or_has_nobody_to_follow(phase: Phase, is_alone: bool, is_ready: bool) -> None:
    world = World()
    world.sync.phase, world.is_alone = phase, is_alone
    assert world.get().is_ready is is_ready


def test_an_old_tip_is_no_fault_of_its_own_while_newer_blocks_come() -> None:
    world = World()
    age(world)
    world.sync.phase, world.sync.header_height = Phase.BLOCKS, 300
    assert [check.code for check in world.list_failing()] == ["sync-behind"]
