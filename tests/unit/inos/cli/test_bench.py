"""Tests `inos bench work` on a shape that takes no time."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from inos.bench.floats import measure_floats
from inos.bench.load import Load, LoadMeter
from inos.cli.main import app
from inos.programs.native.library import find_targets
from support.documents import ROOT

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


@pytest.mark.parametrize(("dtype", "most"), [("float64", 1.6), ("float32", 1.6)])
def test_floats_are_timed_and_their_errors_found(dtype: str, most: float) -> None:
    found = measure_floats(130, 1, dtype)
    assert found.numpy_s > 0
    assert found.certified_s > 0
    assert 0 < found.certified_error <= most
    assert found.certified_error <= found.numpy_error


def test_floats_as_a_table_and_as_json() -> None:
    args = ["bench", "floats", "--side", "40", "--rounds", "1"]
    shown = CliRunner().invoke(app, args).stdout
    assert "float32     40" in shown
    assert "others used" in shown
    value = json.loads(CliRunner().invoke(app, [*args, "--json"]).stdout)
    assert [(row["dtype"], row["side"]) for row in value["measured"]] == [("float64", 40), ("float32", 40)]
    assert value["machine"]["numpy"]
    assert set(value["load"]) == {"load_before", "others_cores", "is_final"}


def test_the_limit_is_measured_in_the_same_run() -> None:
    (measured,) = json.loads(run(*SHAPE, "--json"))["measured"]
    if "bare native" in measured["seconds"]:
        assert 0 < measured["ratios"]["certified / limit"] < 1
        assert "limit, Gop/s" in run(*SHAPE)


@pytest.mark.parametrize(
    ("load", "is_final"),
    [(Load(3.0, 0.2), True), (Load(0.1, 0.6), False), (Load(0.4, None), True), (Load(None, None), False)],
)
def test_figures_are_final_only_on_an_idle_machine(load: Load, is_final: bool) -> None:
    assert load.is_final == is_final
    assert ("NOT FINAL" in load.describe()) != is_final


def test_what_others_use_does_not_contain_what_this_process_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    stats = iter([100.0, 107.0])
    own = iter([10.0, 12.0])
    monkeypatch.setattr("inos.bench.load._read_busy_s", lambda: next(stats))
    monkeypatch.setattr("inos.bench.load._read_own_s", lambda: next(own))
    clock = iter([0.0, 10.0])
    monkeypatch.setattr("inos.bench.load.time.monotonic", lambda: next(clock))
    assert LoadMeter().read().others == 0.5


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


def test_functions_are_timed() -> None:
    module = str(ROOT / "examples" / "functions" / "words-c.wasm")
    result = CliRunner().invoke(app, ["bench", "functions", module, "--rounds", "1", "--json"])
    assert result.exit_code == 0, result.output
    measured = json.loads(result.stdout)["measured"]
    assert len(measured) == 7
    assert all(row["value"] > 0 for row in measured)


def test_programs_as_a_table_and_as_json() -> None:
    args = ["bench", "programs", "--layers", "1", "--steps", "3", "--rounds", "1"]
    shown = CliRunner().invoke(app, args).stdout
    assert "requantise   numpy" in shown
    assert "others used" in shown
    chain, decoder = json.loads(CliRunner().invoke(app, [*args, "--json"]).stdout)["measured"]
    assert (chain["items"], chain["tickets"]) == (512 * 2048, 0)
    assert decoder["items"] == 48
    if find_targets():
        assert set(decoder["seconds"]) == {"numpy", "native", "native, mined"}
        assert decoder["tickets"] > 0
