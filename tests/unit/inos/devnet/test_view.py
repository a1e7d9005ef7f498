"""The devnet's live view is readable on a narrow terminal, and a running devnet is not replaced."""

import io
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from inos.core.errors import NodeError
from inos.devnet.intro import describe_start
from inos.devnet.monitor import ChainFigures, DevnetFigures, NodeFigures
from inos.devnet.view import render, render_line
from inos.devnet.workload import WorkloadProgress
from inos.node.datadir import DataDir
from inos.node.process import NodeSpec, start_node
from inos.primitives.units import BlockId

NODES = (
    NodeFigures(
        "miner-1",
        "mines",
        "http://127.0.0.1:8645",
        1234,
        "aa",
        2,
        12,
        155.4,
        "filler",
        str(51 * 10**9),
        str(345 * 10**9),
    ),
    NodeFigures("follower", "follows", "http://127.0.0.1:40001", 1233, "ab", 2),
    NodeFigures("miner-2", "mines", "http://127.0.0.1:40002", error="no answer"),
)
FIGURES = DevnetFigures(NODES, ChainFigures(1234, 20_000, 0.3125, 0.0391, "1192093", 1234, 12))
PROGRESS = WorkloadProgress(12, 8, 1, 899, 874, 874)


def test_a_narrow_terminal_gets_fewer_columns_and_no_cut_number() -> None:
    screen = io.StringIO()
    Console(file=screen, width=40, force_terminal=False).print(render(FIGURES, PROGRESS, 75, None))
    shown = screen.getvalue()
    assert "…" not in shown
    for part in ("follower", "1234", "1233", "filler", "follows", "no answer", "97.22%", "customer's credits"):
        assert part in " ".join(shown.replace("│", " ").split())
    assert max(map(len, shown.splitlines())) <= 40


def test_the_start_names_what_a_newcomer_needs() -> None:
    spec = NodeSpec("miner-1", Path("/tmp/devnet/miner-1"), ())
    node: Any = SimpleNamespace(rpc_url="http://127.0.0.1:40001", name="miner-1", spec=spec)
    text = describe_start([node], Path("/tmp/devnet"), "dinos1abc", "1000000000000000", is_kept=False)
    for part in (
        "/tmp/devnet  (removed",
        "dinos1abc  1000000 credits",
        "junk",
        "/explorer/",
        "/explorer/work/",
        "--rpc http://127.0.0.1:40001",
    ):
        assert part in text
    assert max(map(len, text.splitlines())) <= 80
    plain: Any = SimpleNamespace(rpc_url="http://127.0.0.1:8645", name="miner-1", spec=spec)
    assert "--rpc" not in describe_start([plain], Path("/tmp/devnet"), "dinos1abc", None, is_kept=True)


@pytest.mark.parametrize("width", [80, 120])
def test_every_figure_is_whole(width: int) -> None:
    screen = io.StringIO()
    Console(file=screen, width=width, force_terminal=False).print(render(FIGURES, PROGRESS, 75, "999000000000"))
    shown = screen.getvalue()
    for part in (
        "1234",
        "1233",
        "12",
        "345",
        "155",
        "51.00",
        "filler",
        "follows",
        "31.2%",
        "3.9%",
        "0.001192093",
        "97.22%",
    ):
        assert part in shown, shown
    assert "…" not in shown
    assert "answer" in shown
    assert "8 of 12" in " ".join(shown.replace("│", " ").split())
    assert "127.0.0.1:8645" in shown


def test_one_line_where_there_is_no_terminal() -> None:
    line = render_line(FIGURES, PROGRESS, 75, "999000000000")
    assert "height 1234" in line
    assert "jobs 8/12" in line
    assert "accuracy 97.22%" in line


async def test_a_devnet_that_runs_is_not_taken_over(tmp_path: Path) -> None:
    (tmp_path / "node.json").write_text(json.dumps({"pid": os.getpid(), "rpc": "http://127.0.0.1:9"}))
    with DataDir(tmp_path, BlockId(bytes(32))), pytest.raises(NodeError) as error:
        await start_node(NodeSpec("miner-1", tmp_path, ()))
    assert error.value.code == "data-dir-in-use"
    assert (tmp_path / "node.json").exists()
