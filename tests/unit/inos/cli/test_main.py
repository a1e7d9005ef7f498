"""Tests the frame of the command: lazy modules, exit codes, and readable errors."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from inos.cli import main as cli
from inos.cli.common import options as _common
from inos.cli.common.output import to_inos_error
from inos.primitives.errors import InosError

runner = CliRunner()


def _install(monkeypatch: pytest.MonkeyPatch, action: Any) -> None:
    """Put a command module in place of `inos.cli.rpc` that calls `action`."""
    module = ModuleType("inos.cli.rpc")

    def command(json_: _common.JsonOption = False) -> None:
        action()

    module.command = command  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "inos.cli.rpc", module)


def _raiser(error: BaseException) -> Any:
    def action() -> None:
        raise error

    return action


def test_help_lists_every_command_and_imports_none() -> None:
    code = (
        "import sys\nfrom inos.cli.main import main\nsys.argv = ['inos', '--help']\n"
        "try:\n    main()\nexcept SystemExit as done:\n    assert not done.code\n"
        "heavy = {'numpy', 'aiohttp', 'pydantic', 'coincurve', 'inos.cli.wallet', 'inos.genesis', 'inos.wallet'}\n"
        "print('LOADED', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "LOADED []" in done.stdout
    for name in ("devnet", "genesis", "job", "node", "rpc", "wallet", "work"):
        assert f" {name} " in done.stdout


def test_version_and_no_arguments() -> None:
    done = runner.invoke(cli.app, ["--version"])
    assert (done.exit_code, done.stdout.split()[0]) == (0, "inos")
    assert "Usage" in runner.invoke(cli.app, []).output


@pytest.mark.parametrize("args", [["nonsense"], ["--nonsense"], ["wallet", "nonsense"], ["wallet", "send"]])
def test_wrong_usage_exits_2(args: list[str]) -> None:
    done = runner.invoke(cli.app, args)
    assert done.exit_code == 2
    assert done.stdout == ""


def test_errors_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    _install(monkeypatch, _raiser(InosError("some-code", "it is wrong there", hint="do this")))
    done = runner.invoke(cli.app, ["rpc"])
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "error [some-code]: it is wrong there\n  do this\n"


def test_errors_as_json_are_all_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    _install(monkeypatch, _raiser(InosError("some-code", "it is wrong there", hint="do this")))
    done = runner.invoke(cli.app, ["rpc", "--json"])
    assert (done.exit_code, done.stderr) == (1, "")
    error = {"code": "some-code", "message": "it is wrong there", "hint": "do this"}
    assert json.loads(done.stdout) == {"error": error}


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ExceptionGroup("g", [ExceptionGroup("h", [InosError("inner", "deep down")])]), "error [inner]: deep down"),
        (ConnectionRefusedError(111, "Connection refused"), "inos node --network devnet"),
        (FileNotFoundError(2, "No such file or directory", "x.npy"), "x.npy: No such file or directory"),
        (TimeoutError(), "no answer came in time"),
    ],
)
def test_other_errors_people_cause(error: Exception, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _install(monkeypatch, _raiser(error))
    done = runner.invoke(cli.app, ["rpc"])
    assert done.exit_code == 1
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_our_own_mistakes_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    _install(monkeypatch, _raiser(ZeroDivisionError("ours")))
    assert isinstance(runner.invoke(cli.app, ["rpc"]).exception, ZeroDivisionError)


def test_interrupt_exits_130(monkeypatch: pytest.MonkeyPatch) -> None:
    _install(monkeypatch, _raiser(KeyboardInterrupt()))
    assert runner.invoke(cli.app, ["rpc"]).exit_code == 130


def test_exit_codes_of_commands_pass_through(monkeypatch: pytest.MonkeyPatch) -> None:
    _install(monkeypatch, _raiser(typer.Exit(7)))
    assert runner.invoke(cli.app, ["rpc"]).exit_code == 7


def test_a_closed_pipe_is_quiet() -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-u", "-m", "inos", "genesis", "show"],
            stdout=write,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(write)
    assert "Traceback" not in done.stderr


def test_completion_knows_subcommands() -> None:
    environment = os.environ | {"_INOS_COMPLETE": "complete_bash", "COMP_WORDS": "inos wallet bro", "COMP_CWORD": "2"}
    done = subprocess.run(
        [os.path.join(os.path.dirname(sys.executable), "inos")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.split() == ["broadcast"]


@pytest.mark.parametrize("columns", ["0", ""])
def test_a_terminal_of_no_columns_hides_nothing(columns: str) -> None:
    command = [sys.executable, "-P", "-m", "inos", "genesis", "--help"]
    environment = os.environ | {"COLUMNS": columns, "LINES": "0"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert " derive " in done.stdout


@pytest.mark.parametrize("command", [("db", "check"), ("wallet", "list"), ("doctor",)])
def test_a_user_without_a_home_is_told_which_options_help(command: tuple[str, ...], monkeypatch: Any) -> None:
    def refuse(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "expanduser", refuse)
    done = runner.invoke(cli.app, [*command, "--json"])
    error = json.loads(done.stdout)["error"]
    assert (error["code"], "--data-dir" in error["hint"]) == ("no-home", True)


def test_a_full_disk_is_named_with_the_way_to_another() -> None:
    error = to_inos_error(OSError(28, "No space left on device", "/tmp/x"))
    assert error is not None
    assert (error.code, "/tmp/x" in error.message, "TMPDIR" in (error.hint or "")) == ("disk-full", True, True)
