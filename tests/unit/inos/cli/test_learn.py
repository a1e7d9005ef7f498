"""`inos learn` shows runs, replays them and goes on with them, without torch."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from inos.cli.main import app
from inos.learn.run import load_run
from inos.learn.training import train_run
from inos.testing import TestChain
from support.training_runs import make_run


def call(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["learn", *arguments])


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(train_run(make_run(tmp_path / "digits", 20), checkpoint_every=5).folder.path)


def test_a_run_is_shown_with_its_curve_and_its_cost(folder: str) -> None:
    shown = call("show", folder).stdout
    assert load_run(folder).head in shown
    assert "8 weights, cross_entropy" in shown
    assert "2 x 8 examples by sgd" in shown
    assert "┤" in shown
    found = json.loads(call("show", folder, "--json").stdout)
    assert (found["done"], found["steps"], found["parameters"], len(found["losses"])) == (20, 20, 8, 20)
    assert found["units"] > found["tickets"] > 0


def test_a_run_is_verified_and_a_changed_step_is_named(folder: str) -> None:
    done = call("verify", folder)
    assert done.exit_code == 0
    assert "steps 1 to 20 are right, computed again from the first weights" in done.stdout
    part = call("verify", folder, "--first", "12", "--last", "14", "--head", load_run(folder).head)
    assert "steps 11 to 14 are right, computed again from the checkpoint of step 10" in part.stdout
    place = Path(folder) / "records.jsonl"
    lines = place.read_bytes().split(b"\n")
    lines[19] = lines[19].replace(b'"right":', b'"right":9')
    place.write_bytes(b"\n".join(lines))
    done = call("verify", folder)
    assert done.exit_code == 1
    assert "error [step-wrong]: step 20 is wrong: right, 9" in done.stderr
    assert json.loads(call("verify", folder, "--json").stdout)["error"]["code"] == "step-wrong"


def test_a_run_goes_on(folder: str) -> None:
    head = load_run(folder).head
    place = Path(folder) / "records.jsonl"
    place.write_bytes(b"".join([line + b"\n" for line in place.read_bytes().split(b"\n")[:12]]))
    done = call("resume", folder)
    assert done.exit_code == 0
    assert f"20 of 20 steps, record {head}" in done.stdout
    assert "step 20 of 20  loss" in done.stderr


def test_a_run_is_published_and_fetched(folder: str, inos_devnet: TestChain, tmp_path: Path) -> None:
    rpc = ("--rpc", inos_devnet.url)
    published = call("publish", folder, *rpc)
    assert published.exit_code == 0
    name = published.stdout.split()[0]
    fetched = call("fetch", name, str(tmp_path / "fetched"), *rpc)
    assert fetched.exit_code == 0
    assert f"20 of 20 steps, record {load_run(folder).head}" in fetched.stdout
    assert call("verify", str(tmp_path / "fetched"), "--first", "15").exit_code == 0
    again = call("fetch", name, str(tmp_path / "fetched"), *rpc)
    assert "[folder-exists]" in again.stderr


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    done = call("show", str(tmp_path))
    assert done.exit_code == 1
    assert "[run-missing]" in done.stderr


def test_the_commands_need_no_torch(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "torch" or name.startswith("inos.learn")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert call("verify", folder).exit_code == 0
