"""The progress of sync is a state machine with named phases, and rates for people. It does no I/O and reads no
clock."""

from collections import deque
from enum import StrEnum
from typing import Final

from msgspec import Struct

STALL_S: Final = 30.0
"""If no header or block arrives for this long although some are available, sync reports that it stalls, and why."""
NEAR_BLOCKS: Final = 8
"""A node that follows the chain is often behind by a few blocks; it counts as syncing only when it is behind by
more."""
CLOSE_BLOCKS: Final = 1
"""A sync ends when the tip is this close to the best header."""
RATE_S: Final = 10.0
"""Rates and the bottleneck cover this many seconds."""
MAX_SAMPLES: Final = 256


class Phase(StrEnum):
    """Sync is in one of these phases."""

    FINDING_PEERS = "finding_peers"
    HEADERS = "headers"
    STATE = "state"
    BLOCKS = "blocks"
    FOLLOWING = "following"
    STALLED = "stalled"


class Bottleneck(StrEnum):
    """The next block waited for one of these."""

    NETWORK = "network"
    SEALS = "seals"
    SIGNATURES = "signatures"
    STATE = "state"
    DISK = "disk"


class SyncObservation(Struct, frozen=True, kw_only=True):
    """Sync sees this at one moment."""

    now: float
    """This is the time in monotonic seconds."""
    peers: int
    height: int
    """The connected tip has this height."""
    header_height: int
    """The best header has this height."""
    claimed_height: int = 0
    """A peer whose chain is being learned claims this as the highest tip; the claim is not proven."""
    is_learning: bool = False
    """A peer claims an unknown tip and is asked for its headers if this is True."""
    blocked_by: str = ""
    """The next block waits for this, if known."""
    is_awaiting_state: bool = False
    """A state is taken from peers if this is True; no block is connected before it is whole."""
    ranges: int = 0
    """This many ranges of that state have been received so far."""


class SyncMachine:
    """Moves the phase by observations. These are all transitions:

    - any -> finding_peers, when the last peer disconnects
    - finding_peers -> headers, blocks or following, when a peer connects
    - headers -> state, blocks or following
    - state -> headers, blocks or following
    - blocks -> headers or following
    - following -> headers or blocks
    - headers, state or blocks -> stalled, when nothing arrives for STALL_S, and back to any of the four when something
      does
    """

    def __init__(self, now: float) -> None:
        self.phase = Phase.FINDING_PEERS
        self.reason = ""
        """This is the reason of a stall; it is empty in all other phases."""
        self.since = now
        self._seen = (-1, -1, -1)
        self._moved_at = now

    def __str__(self) -> str:
        return f"{self.phase}: {self.reason}" if self.reason else str(self.phase)

    def observe(self, observation: SyncObservation) -> bool:
        """Process an observation; return True if it changed the phase."""
        seen = (observation.height, observation.header_height, observation.ranges)
        if seen != self._seen:
            self._seen, self._moved_at = seen, observation.now
        phase = self._choose(observation)
        if phase in (Phase.HEADERS, Phase.STATE, Phase.BLOCKS):
            if self.phase in (Phase.FINDING_PEERS, Phase.FOLLOWING):
                self._moved_at = observation.now  # The wait starts with the first of these phases.
            elif observation.now - self._moved_at >= STALL_S:
                self.reason = observation.blocked_by or describe_wait(phase, observation)
                phase = Phase.STALLED
        if phase is not Phase.STALLED:
            self.reason = ""
        if phase is self.phase:
            return False
        self.phase, self.since = phase, observation.now
        return True

    def _choose(self, observation: SyncObservation) -> Phase:
        if observation.peers == 0:
            return Phase.FINDING_PEERS
        is_following = self.phase is Phase.FOLLOWING
        near = NEAR_BLOCKS if is_following else CLOSE_BLOCKS
        if observation.is_learning and observation.claimed_height > observation.header_height + near:
            return Phase.HEADERS
        if observation.is_awaiting_state:
            return Phase.STATE
        if observation.header_height > observation.height + near:
            return Phase.BLOCKS
        return Phase.FOLLOWING


def describe_wait(phase: Phase, observation: SyncObservation) -> str:
    """Return what is missing, for a stall whose reason no part of sync has reported."""
    who = f"{observation.peers} peer{'s' if observation.peers != 1 else ''}"
    if phase is Phase.HEADERS:
        verb = "claims" if observation.peers == 1 else "claim"
        return f"{who} {verb} block {observation.claimed_height}, and no header arrives"
    if phase is Phase.STATE:
        return f"none of {who} sends the state of a final block"
    return f"none of {who} sends block {observation.height + 1}"


class RateMeter:
    """Measures rates over the last seconds."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int, int, int]] = deque(maxlen=MAX_SAMPLES)
        """A sample holds the time, the header height, the height, and the number of transactions connected so far."""

    def add(self, now: float, header_height: int, height: int, transactions: int) -> None:
        """Record the progress of sync; call this at most a few times a second."""
        self._samples.append((now, header_height, height, transactions))
        while len(self._samples) > 2 and self._samples[1][0] <= now - RATE_S:
            self._samples.popleft()

    def compute_rates(self) -> tuple[float, float, float]:
        """Return headers, blocks and transactions per second; none of them is negative."""
        if len(self._samples) < 2:
            return 0.0, 0.0, 0.0
        first, last = self._samples[0], self._samples[-1]
        seconds = max(last[0] - first[0], 1e-9)
        headers, blocks, transactions = (max(0, b - a) / seconds for a, b in zip(first[1:], last[1:], strict=True))
        return headers, blocks, transactions


class WaitTimes:
    """Adds up the seconds that the next block recently waited for each bottleneck, and says which took the most."""

    def __init__(self) -> None:
        self._spent: deque[tuple[float, Bottleneck, float]] = deque(maxlen=16 * MAX_SAMPLES)

    def add(self, now: float, what: Bottleneck, seconds: float) -> None:
        """Record that `seconds` until `now` were spent on `what`."""
        if seconds > 0:
            self._spent.append((now, what, seconds))
        while self._spent and self._spent[0][0] < now - RATE_S:
            self._spent.popleft()

    def compute_shares(self) -> dict[Bottleneck, float]:
        """Return each bottleneck's share of the time. The shares add up to 1, and are empty if no time was recorded."""
        total = sum(seconds for _, _, seconds in self._spent)
        shares = dict.fromkeys(Bottleneck, 0.0)
        for _, what, seconds in self._spent:
            shares[what] += seconds / total
        return shares if total else {}

    def find_bottleneck(self) -> Bottleneck | None:
        shares = self.compute_shares()
        return max(shares, key=lambda what: shares[what]) if shares else None


class SyncStatus(Struct, frozen=True, kw_only=True):
    """This is the status of sync for people: the same in log, RPC and terminal."""

    phase: Phase
    stall_reason: str
    height: int
    header_height: int
    target_height: int
    """The remaining time is computed to this height: the best header's, or the claimed one while headers arrive."""
    headers_per_s: float
    blocks_per_s: float
    transactions_per_s: float
    remaining_s: float | None
    """It is None if nothing is left, or if there is no rate to compute it from."""
    bottleneck: Bottleneck | None
    """It is None if no blocks are being synced."""
    time_shares: dict[Bottleneck, float]
    """The share of each bottleneck in the time that blocks took."""
    verifier_processes: int = 0
    """This many processes check seals now."""
    ranges: int = 0
    """This many ranges of a state were received from peers."""

    def describe(self) -> str:
        """Return the status as one line."""
        name = f"{self.phase}: {self.stall_reason}" if self.stall_reason else str(self.phase)
        if self.phase is Phase.HEADERS:
            text = f"{name} {self.header_height} of {self.target_height}, {self.headers_per_s:.0f} headers/s"
        elif self.phase is Phase.BLOCKS:
            text = f"{name} {self.height} of {self.target_height}, {self.blocks_per_s:.0f} blocks/s"
            if self.transactions_per_s >= 1:
                text += f", {self.transactions_per_s:.0f} transactions/s"
        elif self.phase is Phase.STATE:
            text = f"{name} of a final block, {self.ranges} ranges of it here, {self.header_height} headers"
        else:
            text = f"{name} at block {self.height}"
        if self.remaining_s is not None:
            text += f", {describe_duration(self.remaining_s)} left"
        return text + (f", bounded by {self.bottleneck}" if self.bottleneck else "")


def make_status(
    machine: SyncMachine, observation: SyncObservation, meter: RateMeter, waits: WaitTimes, workers: int = 0
) -> SyncStatus:
    """Combine the phase, the observation and the rates into a status."""
    headers_per_s, blocks_per_s, transactions_per_s = meter.compute_rates()
    is_syncing = machine.phase in (Phase.BLOCKS, Phase.HEADERS, Phase.STALLED)
    is_learning = machine.phase is Phase.HEADERS
    target = max(observation.header_height, observation.claimed_height if is_learning else 0)
    left, rate = (
        (target - observation.header_height, headers_per_s)
        if is_learning
        else (target - observation.height, blocks_per_s)
    )
    has_end = is_syncing and left > 0 and rate > 0
    return SyncStatus(
        phase=machine.phase,
        stall_reason=machine.reason,
        height=observation.height,
        header_height=observation.header_height,
        target_height=target,
        headers_per_s=headers_per_s,
        blocks_per_s=blocks_per_s,
        transactions_per_s=transactions_per_s,
        remaining_s=left / rate if has_end else None,
        bottleneck=waits.find_bottleneck() if machine.phase is Phase.BLOCKS else None,
        time_shares=waits.compute_shares() if machine.phase is Phase.BLOCKS else {},
        verifier_processes=workers,
        ranges=observation.ranges,
    )


def describe_duration(seconds: float) -> str:
    """Return a text such as 42 s, 3 min 5 s, or 2 h 10 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
