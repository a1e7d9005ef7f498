"""Tests `inos bench work` on a shape that takes no time."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from inos.bench.floats import describe_floats, measure_floats
from inos.cli.main import app

SHAPE = ("--shape", "40x50x1100", "--rounds", "1", "--threads", "1")


def run(*args: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["bench", "work", *args])
    assert result.exit_code == code, result.output
    return result.stdout


def test_the_table_names_what_was_measured() -> None:
    shown = run(*SHAPE)
    assert "| 40 x 50 x 1100" in shown
    assert "certified, Gop/s" in shown
    assert "certified / numpy float32" in shown


def test_json() -> None:
    value = json.loads(run(*SHAPE, "--backend", "numpy", "--json"))
    assert value["machine"]["backend"] == "numpy"
    (measured,) = value["measured"]
    assert (measured["m"], measured["n"], measured["k"]) == (40, 50, 1100)
    assert {"numpy float32", "certified", "verify", "freivalds"} <= set(measured["seconds"])
    assert all(seconds > 0 for seconds in measured["seconds"].values())


def test_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    run(*SHAPE, "--plot", str(tmp_path / "out.png"))
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


def test_a_bad_shape_is_named() -> None:
    result = CliRunner().invoke(app, ["bench", "work", "--shape", "big"])
    assert result.exit_code == 1
    assert "not MxNxK" in result.stderr


def test_floats_are_timed_and_their_errors_found() -> None:
    found = measure_floats(side=130, rounds=1)
    assert found.numpy_s > 0
    assert found.certified_s > 0
    assert 0 < found.certified_error <= 1.6
    assert found.certified_error <= found.numpy_error
    assert "side 130" in describe_floats(found)


def test_challenges_at_every_depth() -> None:
    result = CliRunner().invoke(app, ["bench", "challenge", "--rounds", "1", "--json"])
    assert result.exit_code == 0, result.output
    measured = json.loads(result.stdout)["measured"]
    assert [row["depth"] for row in measured] == [1024, 8192, 65_536]
    assert [row["bytes"] for row in measured] == sorted(row["bytes"] for row in measured)
    assert all(row["check_ms"] > 0 for row in measured)
    assert "k =  65536" in CliRunner().invoke(app, ["bench", "challenge", "--rounds", "1"]).stdout


def test_starts_are_timed() -> None:
    result = CliRunner().invoke(app, ["bench", "start", "--rounds", "1", "--json"])
    assert result.exit_code == 0, result.output
    measured = json.loads(result.stdout)["measured"]
    assert len(measured) == 3
    assert all(row["seconds"] > 0 < row["limit_s"] for row in measured)
