"""A data directory says which node runs there and which network it belongs to, in every command."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from inos.cli.main import COMMANDS, app, load_command
from inos.client.errors import RemoteError
from inos.testing import TestChain


def walk(command: Any, path: str) -> Iterator[tuple[str, set[str]]]:
    yield path, {name for parameter in command.params for name in parameter.opts}
    for name, below in getattr(command, "commands", {}).items():
        yield from walk(below, f"{path} {name}")


def test_every_command_that_asks_a_node_takes_its_data_directory() -> None:
    found = [each for name in COMMANDS for each in walk(load_command(name), name)]
    asking = {path: options for path, options in found if "--rpc" in options}
    assert len(asking) > 30
    assert {path for path, options in asking.items() if "--data-dir" not in options} == set()


@pytest.mark.parametrize(
    "command",
    ["status", "peers status", "peers list", "finality status", "job list", "job quote 16 16 16", "mesh status"],
)
def test_the_node_on_a_directory_is_asked(inos_devnet: TestChain, command: str) -> None:
    done = CliRunner().invoke(app, [*command.split(), "--data-dir", str(inos_devnet.data_dir), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) is not None


def test_a_stopped_node_s_network_need_not_be_named(tmp_path: Path) -> None:
    with TestChain(folder=tmp_path, accounts=2) as chain:
        chain.mine(3)
        there = str(chain.data_dir)
    for command in (("db", "check"), ("db", "compact"), ("db", "recheck"), ("snapshot", str(tmp_path / "copy"))):
        done = CliRunner().invoke(app, [*command, "--data-dir", there, "--json"])
        assert done.exit_code == 0, done.output
    copied = CliRunner().invoke(app, ["db", "check", "--data-dir", str(tmp_path / "copy"), "--json"])
    assert json.loads(copied.stdout)["height"] == 3


def test_the_status_of_a_light_client_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    light = {
        "network": "devnet", "height": 9, "head": "ab" * 32, "final_height": 4, "final_block": "cd" * 32,
        "sources": ["http://127.0.0.1:1"], "source_errors": {"http://127.0.0.1:1": "no answer"},
        "lies": [{"source": "http://127.0.0.1:2", "message": "a wrong seal"}], "conflict": None,
    }  # fmt: skip

    def call(rpc: str, method: str, *rest: Any) -> Any:
        if method != "light_status":
            raise RemoteError(-32601, "method-not-found", "no such method")
        return light

    monkeypatch.setattr("inos.cli.status.call_rpc", call)
    shown = CliRunner().invoke(app, ["status"])
    assert shown.exit_code == 0, shown.output
    for text in ("devnet (a light client)", "final    4", "no answer", "a wrong seal"):
        assert text in shown.output
    assert json.loads(CliRunner().invoke(app, ["status", "--json"]).stdout) == light
