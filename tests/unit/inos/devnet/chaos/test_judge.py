"""Tests which logs and figures make a run unsound, and the report about it."""

import json
from io import StringIO
from pathlib import Path

from rich.console import Console

from inos.devnet.chaos.judge import list_problems
from inos.devnet.chaos.logs import LogFigures, read_log
from inos.devnet.chaos.plan import ChaosPlan
from inos.devnet.chaos.report import ChaosReport, Happened, JobsReport, NodeReport, render_report
from inos.devnet.chaos.wiring import draw_edges

FRIEND, STRANGER = "aa" * 32, "bb" * 32


def make_node_report(name: str = "node-1", *, supply: str = "7", is_conserved: bool = True) -> NodeReport:
    return NodeReport(name, 12, "cc" * 32, 3, 1, 2, 1, {"too-often": 1}, supply, is_conserved)


def make_report(problems: list[str]) -> ChaosReport:
    return ChaosReport(
        seed=5,
        wiring="loopback",
        duration_s=25.0,
        chaos=ChaosPlan(kill=6.0, liars=2),
        happened=Happened(kills=3, partitions=1, parted_s=4.5),
        height=12,
        seconds_to_heal=1.5,
        reorganisation_most=2,
        bans={"too-often": 1},
        lies={"headers": 4},
        one_tip=not problems,
        supply_conserved=True,
        jobs=JobsReport(posted=4, settled=3, open=1, results_checked=3),
        nodes=[make_node_report()],
        crashes=[],
        problems=problems,
    )


def test_a_log_tells_bans_reorganisations_and_faults(tmp_path: Path) -> None:
    lines = [
        json.dumps({"event": "peer banned", "peer": STRANGER[:12], "code": "too-often", "reason": "x"}),
        json.dumps({"event": "peer banned", "peer": FRIEND[:12], "code": "bad-seal", "reason": "y"}),
        json.dumps({"event": "reorganisation", "depth": 3}),
        json.dumps({"event": "reorganisation", "depth": 1}),
        json.dumps({"event": "method failed", "exception": "Traceback (most recent call last):\n  boom"}),
        "Traceback (most recent call last):",
        "INOS node ready on devnet",
        '{"event": "reorganisation", "dep',
    ]
    path = tmp_path / "node.log"
    path.write_text("\n".join(lines))
    figures = read_log(path, frozenset({FRIEND}))
    assert dict(figures.bans) == {"too-often": 1, "bad-seal": 1}
    assert len(figures.honest_bans) == 1
    assert "bad-seal" in figures.honest_bans[0]
    assert figures.undone == [3, 1]
    assert figures.deepest == 3
    assert len(figures.faults) == 2


def test_every_kind_of_problem_is_named() -> None:
    crashes = ["node-1 ended by itself with -11"]
    nodes = [make_node_report(), make_node_report("node-2", supply="8", is_conserved=False)]
    logs = {"node-1": LogFigures(honest_bans=["aa: bad-seal"], faults=["Traceback"])}
    found = list_problems(crashes, nodes, JobsReport(posted=1, lost=["ff"]), logs, no_one_tip_in_time=True)
    for words in ("no one tip in time", "do not add up", "agree on the supply", "lost job", "by itself", "banned an"):
        assert any(words in problem for problem in found), words
    assert list_problems([], [make_node_report()], JobsReport(), {}, no_tip=False) == []


def test_the_report_as_table_and_json() -> None:
    console = Console(file=StringIO(), width=80)
    console.print(render_report(make_report([])))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    for words in ("node-1", "kills 3", "partitions 1", "settled 3", "too-often 1", "headers 4", "after 1.5 s", "sound"):
        assert words in shown, words
    assert json.loads(json.dumps(make_report([]).to_json()))["is_sound"] is True
    bad = make_report(["no one tip in time"])
    assert bad.to_json()["is_sound"] is False
    console.print(render_report(bad))
    assert "NOT SOUND" in console.file.getvalue()  # type: ignore[attr-defined]


def test_everybody_is_reached_by_the_drawn_links() -> None:
    for nodes in range(2, 17):
        edges = draw_edges(nodes, seed=nodes)
        assert len(set(edges)) == len(edges)
        assert all(here < there for here, there in edges)
        reached = {0}
        for _ in range(nodes):
            reached |= {b for a, b in edges if a in reached} | {a for a, b in edges if b in reached}
        assert reached == set(range(nodes))
