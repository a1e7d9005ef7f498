"""`inos evolve` on this machine: what it prints, how it goes on, and that false records and bad input are named."""

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from inos.cli import main as cli
from inos.evolve.island import Island, write_state
from inos.evolve.records import encode_record
from support.evolution import make_examples

MODULE = Path(__file__).parents[4] / "examples" / "functions" / "cartpole.wasm"


def run(*args: Any) -> Result:
    return CliRunner().invoke(cli.app, ["evolve", *map(str, args)])


@pytest.fixture
def examples(tmp_path: Path) -> tuple[str, ...]:
    inputs, labels = make_examples(count=200, spread=90)  # too hard to be learned in a few generations
    np.save(tmp_path / "x.npy", inputs[:, :-1])
    np.save(tmp_path / "y.npy", labels)
    return "--inputs", str(tmp_path / "x.npy"), "--labels", str(tmp_path / "y.npy"), "--classes", "3"


@pytest.fixture
def island(tmp_path: Path, examples: tuple[str, ...]) -> Path:
    done = run("run", tmp_path / "island", "-n", 3, "--seed", "a", *examples)
    assert done.exit_code == 0, done.output
    return tmp_path / "island"


def falsify(island: Path) -> None:
    """Give the head a higher fitness than it has."""
    opened = Island(island)
    assert opened.head is not None
    head = opened.own.put(encode_record(msgspec.structs.replace(opened.head[1], fitness=1000)))
    write_state(island, msgspec.structs.replace(opened.state, head=head))


def test_a_run_goes_on_where_it_stopped(island: Path, tmp_path: Path, examples: tuple[str, ...]) -> None:
    again = json.loads(run("run", island, "-n", 2, "--json").stdout)
    whole = json.loads(run("run", tmp_path / "whole", "-n", 5, "--seed", "a", "--json", *examples).stdout)
    assert again == whole
    assert again["generations"] == 5


def test_show_draws_the_fitness_and_the_family_tree(island: Path, tmp_path: Path) -> None:
    joined = run("join", island, tmp_path / "other", "-n", 3, "--seed", "b")
    assert joined.exit_code == 0, joined.output
    shown = run("show", tmp_path / "other", "--neighbour", island).stdout
    assert "examples: head " in shown
    assert "┤" in shown
    assert "└─ 0 takes generation 2 (" in shown
    found = json.loads(run("show", tmp_path / "other", "--neighbour", island, "--json").stdout)
    assert [each["number"] for each in found["records"]] == [0, 0, 1, 1, 2, 2]
    assert found["missing"] == []


def test_replay_names_the_false_record_and_what_cannot_be_checked_yet(island: Path, tmp_path: Path) -> None:
    assert run("replay", island).exit_code == 0
    run("join", island, tmp_path / "other", "-n", 1)
    done = run("replay", tmp_path / "other")
    assert done.exit_code == 1
    assert "unchecked" in done.stdout
    assert run("replay", tmp_path / "other", "--neighbour", island).exit_code == 0
    falsify(island)
    done = run("replay", island)
    assert done.exit_code == 1
    assert [line.split()[2] for line in done.stdout.splitlines()] == ["right", "right", "false"]
    assert "wrong-fitness" in done.stdout
    one = json.loads(run("replay", island, "--generation", 1, "--json").stdout)
    assert [(each["number"], each["state"]) for each in one["records"]] == [(1, "right")]
    assert run("replay", island, "--generation", 9).exit_code == 1


def test_an_island_with_a_false_head_is_not_joined(island: Path, tmp_path: Path) -> None:
    falsify(island)
    done = run("join", island, tmp_path / "other")
    assert done.exit_code == 1
    assert "not-joined" in done.stderr
    assert "wrong-fitness" in done.stderr
    assert not (tmp_path / "other" / "island.json").exists()


def test_a_join_that_ended_before_its_first_generation_is_done_again(
    island: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(Island, "advance", _fail)
        assert run("join", island, tmp_path / "other", "-n", 1, "--seed", "b").exit_code != 0
    done = run("join", island, tmp_path / "other", "-n", 1)
    assert done.exit_code == 0, done.output
    plain = run("join", island, tmp_path / "plain", "-n", 1, "--seed", "b")
    assert done.stdout == plain.stdout
    assert "island-exists" in run("join", island, tmp_path / "other").stderr


def _fail(*_: object) -> None:
    raise OSError("the machine fails")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("--classes", "2"), "label-outside-model"),
        (("--labels", "x.npy"), "bad-examples"),
        (("--module", "missing.wasm"), "file-unreadable"),
        (("--module", "x.npy"), "not-wasm"),
        (("--module", str(MODULE), "--sizes", "1,x"), "bad-settings"),
        (("--module", str(MODULE), "--genes", "2000000"), "bad-signature"),
        (("--module", str(MODULE), "--sizes", "0"), "bad-settings"),
    ],
)
def test_what_no_run_can_be_made_of_is_refused(
    tmp_path: Path, examples: tuple[str, ...], change: tuple[str, ...], code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("run", "new", *examples, *change)
    assert done.exit_code == 1
    assert f"error [{code}]" in done.stderr, done.stderr
    assert not (tmp_path / "new" / "island.json").exists()


def test_folders_and_ids_that_lead_nowhere_are_named(tmp_path: Path, island: Path) -> None:
    assert "no-island" in run("show", tmp_path / "none").stderr
    assert "no-island" in run("show", "ab" * 32).stderr
    empty = run("run", tmp_path / "empty", "-n", 0, "--inputs", tmp_path / "x.npy", "--labels", tmp_path / "y.npy")
    assert empty.exit_code == 0, empty.output
    assert "no-record" in run("replay", tmp_path / "empty").stderr
    assert "no-record" in run("join", tmp_path / "empty", tmp_path / "new").stderr
    assert "island-exists" in run("join", island, tmp_path / "empty").stderr
