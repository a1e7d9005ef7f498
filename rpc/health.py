"""Checks whether the node is well: each check says what it found, and what to do if it fails."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import Struct

from inos.chain.view import LedgerView
from inos.core.monitor import NodeMonitor, NodeStats
from inos.network.sync.progress import Phase, SyncStatus
from inos.primitives.clock import Clock

LATE_SPACINGS: Final = 20
"""The check of the tip fails after this many block spacings without a block."""
MAX_BEHIND: Final = 2
"""A node may be this many blocks behind the best header."""
MEETING_S: Final = 60.0
"""A node that was just started has so long to find its first peer."""
MAX_CLOCK_AHEAD_S: Final = 30.0
MIN_FREE_BYTES: Final = 1 << 30
MIN_FREE_PART: Final = 0.02


class Check(Struct, frozen=True):
    """Answers one question about the node's health in words."""

    name: str
    is_ok: bool
    detail: str
    hint: str = ""
    """Says what to do if it fails."""
    code: str = ""
    """Names the cause if it fails."""


class Health(Struct, frozen=True):
    """Holds all checks. The node is well if every one is."""

    checks: tuple[Check, ...]
    is_ready: bool
    """Says whether the node follows the chain, so that its answers are current."""

    @property
    def is_ok(self) -> bool:
        return all(check.is_ok for check in self.checks)


class HealthChecks:
    """Checks one node.

    Args:
        count_peers: counts the connected peers.
        is_alone: the node may be the only one of its chain, so having no peers is no fault.
        knows_nobody: returns True if neither the settings nor the address book have a node to connect to.
        get_free: returns the bytes free, and in all, on the disk of the data directory.
    """

    def __init__(
        self,
        ledger: LedgerView,
        clock: Clock,
        data_dir: Path,
        monitor: NodeMonitor,
        *,
        get_sync: Callable[[], SyncStatus],
        count_peers: Callable[[], int],
        is_alone: bool,
        knows_nobody: Callable[[], bool] = lambda: False,
        get_free: Callable[[Path], tuple[int, int]] | None = None,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._data_dir = data_dir
        self._monitor = monitor
        self._get_sync = get_sync
        self._count_peers = count_peers
        self._is_alone = is_alone
        self._knows_nobody = knows_nobody
        self._get_free = get_free or get_disk_room

    def check(self) -> Health:
        """Run all checks."""
        stats = self._monitor.get_stats()
        return Health(
            is_ready=self._is_ready(),
            checks=(
                self._check_tip(stats),
                self._check_sync(),
                self._check_peers(stats),
                self._check_clock(stats),
                self._check_disk(),
                self._check_database(),
            ),
        )

    def _is_ready(self) -> bool:
        """Return True if the node follows the chain, or has no peers and needs none."""
        phase = self._get_sync().phase
        return phase is Phase.FOLLOWING or (self._is_alone and phase is Phase.FINDING_PEERS)

    def _check_tip(self, stats: NodeStats) -> Check:
        header, params = self._ledger.tip.header, self._ledger.params
        limit_s = LATE_SPACINGS * params.spacing_ms / 1000
        if header.height == 0:
            if stats.uptime_s <= limit_s:
                return _pass("tip", f"no block yet; {limit_s:.0f} s after the start are normal")
            detail = f"still at genesis, {stats.uptime_s:.0f} s after the start; {limit_s:.0f} s are normal"
            return _fail("tip", "no-block", detail, "give it a node of this network (--peer, --seed), or let it --mine")
        age_s = (self._clock.now_ms() - header.time_ms) / 1000
        detail = f"block {header.height} is {age_s:.0f} s old, {limit_s:.0f} s are normal"
        if self._is_catching_up():
            return _pass("tip", f"block {header.height} is {age_s:.0f} s old, and newer ones are on their way")
        if age_s > limit_s:
            hint = "see whether it has peers (inos peers status) and whether its clock is right (inos doctor)"
            return _fail("tip", "tip-old", detail, hint)
        return _pass("tip", detail)

    def _is_catching_up(self) -> bool:
        """Return True if the tip is old only because blocks are being synced, which the check of sync reports."""
        status = self._get_sync()
        return status.phase is Phase.BLOCKS and status.header_height - status.height > MAX_BEHIND

    def _check_sync(self) -> Check:
        status = self._get_sync()
        behind = max(status.header_height - status.height, 0)
        detail = f"{behind} blocks behind the best header chain; {status.describe()}"
        if status.phase is Phase.STALLED:
            return _fail("sync", "sync-stalled", detail, "look for more peers: inos peers status")
        if behind > MAX_BEHIND:
            return _fail("sync", "sync-behind", detail, "wait while it catches up")
        return _pass("sync", detail)

    def _check_peers(self, stats: NodeStats) -> Check:
        count = self._count_peers()
        if self._is_alone:
            return _pass("peers", f"{count} connected; its settings name none to look for")
        if not count and self._knows_nobody():
            detail = "none connected, and it knows no other node: nobody will be found"
            return _fail(
                "peers", "nobody-known", detail, "name a node of the network with --peer or --seed ID@HOST:PORT"
            )
        if not count and stats.uptime_s >= MEETING_S:
            hint = "give it a node to ask for others (--seed), and let its P2P port through the firewall"
            return _fail("peers", "no-peers", f"none connected, {stats.uptime_s:.0f} s after the start", hint)
        return _pass("peers", f"{count} connected")

    def _check_clock(self, stats: NodeStats) -> Check:
        if stats.clock_ahead_ms is None:
            return _pass("clock", "too few blocks of other miners yet to compare it with")
        ahead_s, slow_s = stats.clock_ahead_ms / 1000, self._ledger.params.max_future_ms / 2000
        detail = f"{abs(ahead_s):.1f} s {'ahead of' if ahead_s >= 0 else 'behind'} the times in other miners' blocks"
        if -slow_s <= ahead_s <= MAX_CLOCK_AHEAD_S:
            return _pass("clock", detail)
        code = "clock-behind" if ahead_s < 0 else "clock-ahead"
        return _fail("clock", code, detail, "set the machine's clock, and keep it set: timedatectl set-ntp true")

    def _check_disk(self) -> Check:
        try:
            free, total = self._get_free(self._data_dir)
        except OSError as error:
            detail = f"the disk of {self._data_dir} cannot be looked at: {error.strerror or error}"
            return _fail("disk", "disk-unreadable", detail, "see that the disk is there and may be read")
        detail = f"{free / 2**30:.1f} of {total / 2**30:.1f} GiB free"
        if free < min(MIN_FREE_BYTES, total // 2) or free < MIN_FREE_PART * total:
            return _fail("disk", "disk-low", detail, "make room, or let matrices take less: inos mesh quota")
        return _pass("disk", detail)

    def _check_database(self) -> Check:
        trouble = self._ledger.database.trouble
        if trouble is None:
            return _pass("database", "every write went well, and nothing was found damaged")
        return _fail("database", trouble.code, trouble.message, trouble.hint or "start the node again")


def _pass(name: str, detail: str) -> Check:
    return Check(name, True, detail)


def _fail(name: str, code: str, detail: str, hint: str) -> Check:
    return Check(name, False, detail, hint, code)


def get_disk_room(path: Path) -> tuple[int, int]:
    """Return the bytes free, and in all, on the disk that `path` is on."""
    usage = shutil.disk_usage(path)
    return usage.free, usage.total
