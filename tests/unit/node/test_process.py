"""Nodes that this program starts inherit none of the settings that a user exported for another node."""

import ast
import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest

from inos.node.process import NodeSpec, get_stop_signals, start_node
from inos.testing import TestChain

ROOT = Path(__file__).parents[3]
STARTERS = {
    f"{module}.{name}"
    for module, names in {
        "asyncio": ("create_subprocess_exec", "create_subprocess_shell"),
        "subprocess": ("run", "Popen", "call", "check_call", "check_output"),
    }.items()
    for name in names
}
OUTER = {
    "INOS_NETWORK": "testnet",
    "INOS_MINE": "auto",
    "INOS_METRICS": "127.0.0.1:9645",
    "INOS_RPC_HOST": "127.0.0.9",
    "INOS_WATCH": "true",
}


@pytest.fixture(autouse=True)
def _outer(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in OUTER.items():
        monkeypatch.setenv(name, value)


def test_a_child_is_configured_by_its_command_line_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: dict[str, Any] = {}

    async def start(*command: str, **options: Any) -> Any:
        seen.update(options["env"])
        raise FileNotFoundError

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start)
    with pytest.raises(FileNotFoundError):
        asyncio.run(start_node(NodeSpec("one", tmp_path, ())))
    assert [name for name in seen if name.startswith("INOS_")] == ["INOS_PARENT_PID"]
    assert "PATH" in seen


def test_a_test_chain_ignores_the_environment() -> None:
    with TestChain(accounts=1) as chain:
        version = chain.call("node_version")
        settings = chain._get_running().node.settings
        assert chain.url.startswith("http://127.0.0.1:")
    assert version["network"] == chain.network.name == "devnet"
    assert (settings.mine, settings.metrics, settings.watch) == (None, None, False)


def test_every_process_that_the_program_starts_gets_that_environment() -> None:
    packages = ("inos", "node", "light", "rpc", "core", "network", "mesh", "functions", "workers")
    files = [file for name in packages for file in sorted((ROOT / name).glob("**/*.py"), key=str)]
    nodes = [(file, node) for file in files for node in ast.walk(ast.parse(file.read_text()))]
    calls = [(file, node) for file, node in nodes if isinstance(node, ast.Call) and ast.unparse(node.func) in STARTERS]
    assert {file.name for file, _ in calls} >= {"process.py", "liars.py", "start.py"}
    for file, call in calls:
        given = "".join(ast.unparse(word.value) for word in call.keywords if word.arg == "env")
        is_empty = file.name == "supervisor.py" and given == "{}"  # the child that runs functions gets nothing at all
        assert is_empty or "make_child_environment()" in given, f"{file}:{call.lineno}"


def test_a_closed_terminal_stops_a_node_unless_nohup_was_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "getsignal", lambda number: signal.SIG_DFL)  # the suite itself may run under nohup
    assert signal.SIGHUP in get_stop_signals()
    monkeypatch.setattr(signal, "getsignal", lambda number: signal.SIG_IGN)
    assert get_stop_signals() == (signal.SIGINT, signal.SIGTERM)
