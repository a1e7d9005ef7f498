"""The outcome of a run under chaos, as values, JSON and a table."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from inos.devnet.chaos.plan import ChaosPlan


@dataclass(frozen=True)
class NodeReport:
    """The figures of one honest node at the end."""

    name: str
    height: int
    tip: str
    peers: int
    kills: int
    reorganisations: int
    deepest_reorganisation: int
    bans: dict[str, int]
    supply: str
    is_conserved: bool
    error: str = ""


@dataclass
class Happened:
    """The number of things that were done to the network, counted as they happened."""

    kills: int = 0
    kills_skipped: int = 0
    partitions: int = 0
    parted_s: float = 0.0


@dataclass(frozen=True)
class JobsReport:
    """All jobs that were signed. `lost` names those that some honest node does not know, or knows in another state."""

    posted: int = 0
    settled: int = 0
    open: int = 0
    results_checked: int = 0
    lost: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ChaosReport:
    """The report of a run. `is_sound` is the verdict, and `problems` says in words what is wrong."""

    seed: int
    wiring: str
    duration_s: float
    chaos: ChaosPlan
    happened: Happened
    height: int
    seconds_to_heal: float | None
    """Seconds from the end of the chaos to one tip on all honest nodes."""
    reorganisation_most: int
    bans: dict[str, int]
    """Number of bans by reason, over all honest nodes."""
    lies: dict[str, int]
    one_tip: bool
    supply_conserved: bool
    jobs: JobsReport
    nodes: list[NodeReport]
    crashes: list[str]
    problems: list[str]

    @property
    def is_sound(self) -> bool:
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """Return one flat object, with lists and objects only for several values of a kind."""
        values = asdict(self)
        happened: dict[str, Any] = values.pop("happened")
        return {"is_sound": self.is_sound} | happened | values


def sum_counts(counts: Sequence[dict[str, int]]) -> dict[str, int]:
    """Return the sum of counters, the most frequent first."""
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(total.most_common())


def render_report(report: ChaosReport) -> Group:
    """Draw a report that fits 80 columns."""
    table = Table(border_style="dim", box=box.SIMPLE_HEAD, padding=(0, 1))
    table.add_column("node", no_wrap=True)
    for name in ("height", "tip", "peers", "kills", "reorgs", "deepest", "bans"):
        table.add_column(name, justify="right")
    table.add_column("supply", justify="right")
    for node in report.nodes:
        cells = [node.height, node.tip[:6], node.peers, node.kills, node.reorganisations, node.deepest_reorganisation]
        supply = node.error or ("ok" if node.is_conserved else "WRONG")
        table.add_row(node.name, *map(str, cells), str(sum(node.bans.values())), supply)
    return Group(table, Text("\n".join(_describe(report))))


def _describe(report: ChaosReport) -> list[str]:
    done, jobs = report.happened, report.jobs
    healed = "never" if report.seconds_to_heal is None else f"after {report.seconds_to_heal:.1f} s"
    lines = [
        f"seed {report.seed}, {report.duration_s:g} s over {report.wiring}, height {report.height}",
        f"kills {done.kills}, partitions {done.partitions} ({done.parted_s:.0f} s parted), "
        f"deepest reorganisation {report.reorganisation_most} blocks",
        f"jobs posted {jobs.posted}, settled {jobs.settled}, still open {jobs.open}, lost {len(jobs.lost)}",
        f"one tip on all honest nodes {healed}",
    ]
    if report.lies:
        lines.append("lies told: " + _list_counts(report.lies))
    if report.bans:
        lines.append("bans by honest nodes: " + _list_counts(report.bans))
    verdict = "sound" if report.is_sound else "NOT SOUND:"
    return [*lines, verdict, *(f"  {problem}" for problem in report.problems)]


def _list_counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
