"""What `inos top` shows of a node, kept up to date by the node's notifications. No clock, no I/O."""

from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from inos.consensus.prices import PPM, WindowShare, compute_window_share

WINDOW_BLOCKS: Final = 100
TICKET_OPERATIONS: Final = 2 * 2**18
"""A ticket is 2^18 multiply-accumulates, of two operations each (protocol, section 3)."""


def compute_gops(tickets_per_s: float) -> float:
    """Return 10^9 operations per second."""
    return tickets_per_s * TICKET_OPERATIONS / 1e9


@dataclass
class Earnings:
    """What the miner's account earned since the board was opened, in nano, and what it has now."""

    rewards: int = 0
    """Subsidies and fees of blocks."""
    jobs: int = 0
    """Rewards of jobs."""
    balance: int | None = None
    reputation: int | None = None


@dataclass
class Board:
    """Everything that is shown; None is what is not known yet.

    `miner` is also None if the node has none, or its token was not given.
    """

    url: str
    network: str = ""
    peers: int | None = None
    pool: int | None = None
    final_height: int | None = None
    blocks: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=WINDOW_BLOCKS))
    """Summaries of the last blocks, newest last."""
    miner: dict[str, Any] | None = None
    workers: dict[str, Any] | None = None
    """The own engine and the workers by kind."""
    earnings: Earnings = field(default_factory=Earnings)
    jobs_seen: dict[str, int] = field(default_factory=dict)
    """Events of jobs since the board was opened, counted by kind."""
    has_token: bool = False
    """This is True if the node may be asked for its miner."""
    is_whole: bool = False
    """This is True once everything was received for the first time."""
    problem: str = ""
    """Says why the node cannot be reached; it is empty while the node can be reached."""

    def take_head(self, notification: dict[str, Any]) -> None:
        """Add a block that was connected, or remove one that was disconnected."""
        block = notification["block"]
        if notification["event"] == "connected":
            while self.blocks and self.blocks[-1]["height"] >= block["height"]:  # the node resumed on another branch
                self.blocks.pop()
            self.blocks.append(block)
        elif self.blocks and self.blocks[-1]["id"] == block["id"]:
            self.blocks.pop()

    def take_transaction(self, notification: dict[str, Any]) -> None:
        """Count what blocks and paid results brought to the miner's account."""
        for movement in notification["entry"]["movements"] if notification["event"] == "included" else ():
            if movement["reason"] in ("subsidy", "fees_collected"):
                self.earnings.rewards += int(movement["balance"])
            elif movement["reason"] == "job_paid":
                self.earnings.jobs += int(movement["balance"])

    def take_job(self, notification: dict[str, Any]) -> None:
        """Count an event of a job."""
        self.jobs_seen[notification["event"]] = self.jobs_seen.get(notification["event"], 0) + 1

    @property
    def tip(self) -> dict[str, Any] | None:
        return self.blocks[-1] if self.blocks else None

    @property
    def height(self) -> int | None:
        return None if self.tip is None else int(self.tip["height"])

    @property
    def miner_rate(self) -> float | None:
        """Return tickets per second of the node's miner."""
        return None if self.miner is None else float(self.miner["tickets_per_second"])

    @property
    def chain_rate(self) -> float | None:
        """Return tickets per second of the whole network, from the blocks of the window."""
        timed = [block for block in self.blocks if block["height"] > 1 and block["weight"] is not None]
        seconds = sum(block["spacing_ms"] for block in timed) / 1000
        return sum(int(block["weight"]) for block in timed) / seconds if seconds > 0 else None

    @property
    def spacing_s(self) -> float | None:
        timed = [block["spacing_ms"] for block in self.blocks if block["height"] > 1]
        return sum(timed) / len(timed) / 1000 if timed else None

    @property
    def share(self) -> WindowShare | None:
        """Return the share of paid work in the window, and of what it burned."""
        if not self.blocks:
            return None
        names = ("tickets_settled", "weight", "settled_burn", "subsidy")
        settled, weight, burn, subsidies = (sum(int(block[name] or 0) for block in self.blocks) for name in names)
        return compute_window_share(settled=settled, weight=weight, settled_burn=burn, subsidies=subsidies)

    def to_json(self) -> dict[str, Any]:
        """Return everything as one object; amounts are decimal strings in nano, as in the RPC, and unknown is null."""
        earnings = None if self.miner is None else asdict(self.earnings).items()
        return {
            "url": self.url,
            "network": self.network,
            "peers": self.peers,
            "pool": self.pool,
            "height": self.height,
            "final_height": self.final_height,
            "tip": None if self.tip is None else self.tip["id"],
            "difficulty": None if self.tip is None else self.tip["difficulty"],
            "block_s": _round(self.spacing_s, 3),
            "paid_share": None if self.share is None else self.share.paid_ppm / PPM,
            "burned_share": None if self.share is None else self.share.burned_ppm / PPM,
            "chain_tickets_per_s": _round(self.chain_rate, 3),
            "chain_gop_per_s": _round(self.chain_rate, 6, TICKET_OPERATIONS / 1e9),
            "miner_tickets_per_s": _round(self.miner_rate, 3),
            "miner_gop_per_s": _round(self.miner_rate, 6, TICKET_OPERATIONS / 1e9),
            "miner": self.miner,
            "workers": self.workers,
            "earnings": earnings and {name: None if value is None else str(value) for name, value in earnings},
            "jobs_seen": self.jobs_seen,
        }


def _round(value: float | None, digits: int, factor: float = 1.0) -> float | None:
    return None if value is None else round(value * factor, digits)
