"""`inos bench workers` multiplies over real worker processes, and its products are the engine's."""

import json

from typer.testing import CliRunner

from inos.bench.workers import WorkersStats, describe_workers
from inos.cli.main import app


def test_products_over_workers_are_exact_and_timed() -> None:
    arguments = ["bench", "workers", "--side", "512", "--workers", "1", "--rounds", "1", "--no-memory", "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    measured = json.loads(result.stdout)["measured"]
    assert measured["workers_s"] > 0
    assert measured["engine_s"] > 0
    assert measured["pieces"] >= 1


def test_figures_are_shown_with_their_ratio() -> None:
    lines = describe_workers(WorkersStats(4096, 2, 5, 0.5, 0.55, 0.91, 0.93, 0.92, 0.33, 0.31, 0.05, 8, 1073.7, 1170.0))
    assert "workers / engine 0.91 by the clock, 0.93 by processor time, 0.92 by the least; 8 pieces" in lines[3]
    assert "engine 330 ms, workers 310 ms and 50 ms of the node" in lines[4]
    assert "1170 MB in all (PSS)" in lines[5]
