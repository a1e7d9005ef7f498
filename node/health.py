"""Whether the node is well: each check with what it found, and what to do where it fails."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from chain.ledger import Ledger
from network.sync.progress import Phase, SyncStatus
from node.clock import Clock
from rpc import Check, Health, Pulse

LATE_SPACINGS: Final = 20
"""Spacings without a block after which the node calls itself behind."""
MAX_BEHIND: Final = 2
"""Blocks behind the best header that are nothing to speak of."""
MEETING_S: Final = 60.0
"""Time a node that was just started has to find its first peer."""
MAX_CLOCK_AHEAD_S: Final = 30.0
MIN_FREE_BYTES: Final = 1 << 30
MIN_FREE_PART: Final = 0.02


class HealthChecks:
    """All checks of one node.

    Args:
        count_peers: connected ones.
        is_alone: whether the node was given nobody to connect to, so that no peers are no fault.
        get_free: bytes free and in all on the disk of the data directory.
    """

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        data_dir: Path,
        *,
        get_sync: Callable[[], SyncStatus],
        count_peers: Callable[[], int],
        is_alone: bool,
        get_free: Callable[[Path], tuple[int, int]] | None = None,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._data_dir = data_dir
        self._get_sync = get_sync
        self._count_peers = count_peers
        self._is_alone = is_alone
        self._get_free = get_free or get_disk_room

    def get(self, pulse: Pulse) -> Health:
        """All of them, as they are now."""
        return Health(
            (
                self._check_tip(),
                self._check_sync(),
                self._check_peers(pulse),
                self._check_clock(pulse),
                self._check_disk(),
                self._check_database(),
            )
        )

    def _check_tip(self) -> Check:
        header = self._ledger.tip.header
        if header.height == 0:
            return Check("tip", True, "no block yet")
        age_s = (self._clock.now_ms() - header.time_ms) / 1000
        limit_s = LATE_SPACINGS * self._ledger.params.spacing_ms / 1000
        detail = f"block {header.height} is {age_s:.0f} s old, {limit_s:.0f} s are normal"
        hint = "see whether it has peers (inos peers) and whether its clock is right (inos doctor)"
        return Check("tip", age_s <= limit_s, detail, hint)

    def _check_sync(self) -> Check:
        status = self._get_sync()
        behind = max(status.header_height - status.height, 0)
        is_ok = behind <= MAX_BEHIND and status.phase is not Phase.STALLED
        detail = f"{behind} blocks behind the best header chain; {status.describe()}"
        return Check("sync", is_ok, detail, "wait while it catches up; where it stalls, look for more peers")

    def _check_peers(self, pulse: Pulse) -> Check:
        count = self._count_peers()
        if self._is_alone:
            return Check("peers", True, f"{count} connected; it was told to look for none")
        is_ok = count > 0 or pulse.uptime_s < MEETING_S
        hint = "give it a node to ask for others (--seed), and let its P2P port through the firewall"
        return Check("peers", is_ok, f"{count} connected", hint)

    def _check_clock(self, pulse: Pulse) -> Check:
        if pulse.clock_ahead_ms is None:
            return Check("clock", True, "too few blocks of others yet to compare it with")
        ahead_s, slow_s = pulse.clock_ahead_ms / 1000, self._ledger.params.max_future_ms / 2000
        is_ok = -slow_s <= ahead_s <= MAX_CLOCK_AHEAD_S
        detail = f"{abs(ahead_s):.1f} s {'ahead of' if ahead_s >= 0 else 'behind'} the times in others' blocks"
        return Check("clock", is_ok, detail, "set the machine's clock, and keep it set: timedatectl set-ntp true")

    def _check_disk(self) -> Check:
        try:
            free, total = self._get_free(self._data_dir)
        except OSError as error:
            hint = "see that the disk is there and may be read"
            return Check("disk", False, f"the disk of {self._data_dir} cannot be looked at: {error}", hint)
        is_ok = free >= min(MIN_FREE_BYTES, total // 2) and free >= MIN_FREE_PART * total
        detail = f"{free / 2**30:.1f} of {total / 2**30:.1f} GiB free"
        return Check("disk", is_ok, detail, "make room, or let matrices take less: inos mesh quota")

    def _check_database(self) -> Check:
        trouble = self._ledger.database_trouble
        hint = "see that there is space left; then start the node again"
        return Check("database", not trouble, trouble or "the last write went well", hint)


def get_disk_room(path: Path) -> tuple[int, int]:
    """Bytes free and in all on the disk that `path` is on."""
    usage = shutil.disk_usage(path)
    return usage.free, usage.total
