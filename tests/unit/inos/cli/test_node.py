"""`inos node` and `inos light` that cannot start say so in the form of their log."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from inos.chain.past import MAX_REWIND
from inos.cli.main import app
from inos.node.settings import NodeSettings
from inos.node.variables import DEFAULT_PRUNE, MIN_PRUNE


def start(*arguments: str, **environment: str) -> tuple[str, str]:
    done = CliRunner().invoke(app, list(arguments), env={"INOS_LOG_FORMAT": None, **environment})
    assert done.exit_code == 1, done.output
    assert isinstance(done.exception, SystemExit)
    return done.stdout, done.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("node", "--network", "nowhere"), "network-unknown"),
        (("node", "--mesh-quota", "much"), "bad-setting"),
        (("light", "--network", "nowhere", "--node", "http://127.0.0.1:9"), "network-unknown"),
    ],
)
def test_a_refused_start_is_a_line_of_the_json_log(arguments: tuple[str, ...], code: str, tmp_path: Path) -> None:
    place = ("--data-dir", str(tmp_path / "data"))
    stdout, stderr = start(*arguments, *place, "--log-format", "json")
    assert stdout == ""
    (line,) = map(json.loads, stderr.splitlines())
    assert (line["level"], line["code"]) == ("error", code)
    assert line["reason"]
    assert start(*arguments, *place)[1].startswith(f"error [{code}]: ")


def test_the_format_comes_from_the_environment_too(tmp_path: Path) -> None:
    place = ("--data-dir", str(tmp_path / "data"))
    _, stderr = start("node", *place, INOS_LOG_FORMAT="json", INOS_MESH_QUOTA="much")
    assert json.loads(stderr)["code"] == "bad-setting"


@pytest.mark.parametrize(
    ("arguments", "prune"),
    [
        ((), None),
        (("--prune",), DEFAULT_PRUNE),
        (("--prune", "--no-discovery"), DEFAULT_PRUNE),
        (("--prune", "700"), 700),
        (("--prune=800",), 800),
    ],
)
def test_prune_may_stand_without_a_number(
    arguments: tuple[str, ...], prune: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[NodeSettings] = []
    monkeypatch.setattr("inos.node.main.run", started.append)
    done = CliRunner().invoke(app, ["node", "--data-dir", str(tmp_path), *arguments])
    assert done.exit_code == 0, done.output
    assert [settings.prune for settings in started] == [prune]


def test_a_pruned_node_keeps_what_others_need(tmp_path: Path) -> None:
    assert MIN_PRUNE == MAX_REWIND
    assert "[bad-setting]" in start("node", "--data-dir", str(tmp_path), "--prune=511")[1]
