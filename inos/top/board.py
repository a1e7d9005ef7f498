"""The values that `inos top` shows, updated by a node's notifications. It has no clock and does no I/O."""

from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from inos.consensus.prices import PPM, WindowShare, compute_window_share

WINDOW_BLOCKS: Final = 100
TICKET_OPERATIONS: Final = 2 * 2**18
"""A ticket is 2^18 multiply-accumulates, two operations each (protocol, section 3)."""


def compute_gops(tickets_per_s: float) -> float:
    """10^9 operations a second."""
    return tickets_per_s * TICKET_OPERATIONS / 1e9


@dataclass
class Earnings:
    """Nano the miner's account earned since the dashboard was opened."""

    rewards: int = 0
    """Of blocks."""
    jobs: int = 0
    """Rewards of jobs, with their bonds that came back."""
    balance: int = 0
    reputation: int = 0


@dataclass
class Board:
    """Everything shown. `miner` is None where the node has none, or its token was not given."""

    url: str
    network: str = ""
    peers: int = 0
    pool: int = 0
    final_height: int = 0
    blocks: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=WINDOW_BLOCKS))
    """Summaries, the newest last."""
    miner: dict[str, Any] | None = None
    earnings: Earnings = field(default_factory=Earnings)
    jobs_seen: dict[str, int] = field(default_factory=dict)
    """What happened to jobs since the dashboard was opened, counted by kind."""
    is_whole: bool = False
    """Whether everything was heard once."""
    problem: str = ""

    def take_head(self, notification: dict[str, Any]) -> None:
        block = notification["block"]
        if notification["event"] == "connected":
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
        self.jobs_seen[notification["event"]] = self.jobs_seen.get(notification["event"], 0) + 1

    @property
    def tip(self) -> dict[str, Any] | None:
        return self.blocks[-1] if self.blocks else None

    @property
    def height(self) -> int:
        return 0 if self.tip is None else int(self.tip["height"])

    @property
    def chain_rate(self) -> float:
        """Tickets per second of the whole network, by the blocks of the window."""
        timed = [block for block in self.blocks if block["height"] > 1 and block["weight"] is not None]
        seconds = sum(block["spacing_ms"] for block in timed) / 1000
        return sum(int(block["weight"]) for block in timed) / seconds if seconds > 0 else 0.0

    @property
    def spacing_s(self) -> float:
        timed = [block["spacing_ms"] for block in self.blocks if block["height"] > 1]
        return sum(timed) / len(timed) / 1000 if timed else 0.0

    @property
    def share(self) -> WindowShare:
        """Of paid work in the window, and what it burned."""
        names = ("tickets_settled", "weight", "settled_burn", "subsidy")
        settled, weight, burn, subsidies = (sum(int(block[name] or 0) for block in self.blocks) for name in names)
        return compute_window_share(settled=settled, weight=weight, settled_burn=burn, subsidies=subsidies)

    def to_json(self) -> dict[str, Any]:
        """The same as one object; amounts are decimal strings in nano, as in the RPC."""
        miner_rate = 0.0 if self.miner is None else float(self.miner["tickets_per_second"])
        return {
            "url": self.url,
            "network": self.network,
            "peers": self.peers,
            "pool": self.pool,
            "height": self.height,
            "final_height": self.final_height,
            "tip": None if self.tip is None else self.tip["id"],
            "difficulty": None if self.tip is None else self.tip["difficulty"],
            "block_s": round(self.spacing_s, 3),
            "paid_share": self.share.paid_ppm / PPM,
            "burned_share": self.share.burned_ppm / PPM,
            "chain_tickets_per_s": round(self.chain_rate, 3),
            "chain_gop_per_s": round(compute_gops(self.chain_rate), 6),
            "miner_tickets_per_s": round(miner_rate, 3),
            "miner_gop_per_s": round(compute_gops(miner_rate), 6),
            "miner": self.miner,
            "earnings": {name: str(value) for name, value in asdict(self.earnings).items()},
            "jobs_seen": self.jobs_seen,
        }
