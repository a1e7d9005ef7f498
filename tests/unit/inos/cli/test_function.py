"""`inos function` with the example modules, and what it says when a module is refused or has no outcome."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from inos.cli import main as cli
from inos.functions import runner
from support.documents import ROOT
from support.functions import assemble, build, call, write

EXAMPLES = ROOT / "examples" / "functions"
TEXT = b"to be or not to be\n\tthat is the question\r\n\xff \xc3\xa9 \xff"
COUNTS = b"be 2\nis 1\nnot 1\nor 1\nquestion 1\nthat 1\nthe 1\nto 2\n\xc3\xa9 1\n\xff 2\n"


def run(folder: Path, *args: Any, stdin: bytes = b"") -> Result:
    words = [*map(str, args), "--cache-dir", str(folder / "cache")]
    return CliRunner().invoke(cli.app, ["function", *words], input=stdin)


def save(folder: Path, module: bytes) -> Path:
    path = folder / "module.wasm"
    path.write_bytes(module)
    return path


@pytest.mark.parametrize("name", ["c", "rust", "assemblyscript"])
def test_examples_in_all_languages_give_the_same_answer(tmp_path: Path, name: str) -> None:
    module = EXAMPLES / f"words-{name}.wasm"
    checked = run(tmp_path, "check", module, "--json")
    assert checked.exit_code == 0, checked.output
    for options in ((), ("--as-checker",)):
        done = run(tmp_path, "run", "--local", module, *options, stdin=TEXT)
        assert done.exit_code == 0, done.output
        assert (done.stdout_bytes, done.stderr) == (COUNTS, "")
    few = run(tmp_path, "run", "--local", module, "2", stdin=TEXT)
    assert few.stdout_bytes == b"be 2\nto 2\n\xff 2\n"


def test_check_says_what_a_module_asks_for(tmp_path: Path) -> None:
    module = save(tmp_path, build(f"(drop {call('fd_sync', 1)})" + write(0, 1), pages="3"))
    shown = run(tmp_path, "check", module, "--steps", 2**20, "--output-bytes", 0, "--input-bytes", 16_384 * 9)
    assert shown.exit_code == 0, shown.output
    for words in ("accepted", "3 pages of 64 KiB at the start", "fd_write", "answered with ENOSYS: fd_sync", "10 for"):
        assert words in shown.stdout
    small = run(tmp_path, "check", module, "--pages", 2)
    assert small.exit_code == 1
    assert "starts with 3 pages, and --pages allows 2" in small.stderr


def test_answer_and_log_are_apart(tmp_path: Path) -> None:
    data = '(data (i32.const 0) "ok") (data (i32.const 8) "\\1bhi")'
    module = save(tmp_path, build(write(0, 2) + write(8, 3, fd=2), extra=data))
    done = run(tmp_path, "run", "--local", module)
    assert (done.exit_code, done.stdout_bytes) == (0, b"ok")
    assert done.stderr == "\\u001bhi"
    told = json.loads(run(tmp_path, "run", "--local", "--json", module).stdout)
    assert (told["delivered"], told["stdout"], told["log"]) == (True, b"ok".hex(), "\x1bhi")
    assert told["steps"] > 20_000


@pytest.mark.parametrize(
    ("body", "options", "code", "words"),
    [
        ("(loop (br 0))", ("--steps", 1000), "out-of-steps", "allow more with --steps"),
        (write(0, 9), ("--output-bytes", 8), "output-too-large", "allow more with --output-bytes"),
        ("unreachable", (), "trap", "unreachable"),
        (call("proc_exit", 3), (), "exit-code", "exit code 3"),
        ("(call $f)", (), "stack", "recurse less deeply"),
    ],
)
def test_runs_without_outcome_say_why(
    tmp_path: Path, body: str, options: tuple[Any, ...], code: str, words: str
) -> None:
    module = save(tmp_path, build(body, extra="(func $f (call $f))"))
    done = run(tmp_path, "run", "--local", module, *options)
    assert done.exit_code == 1
    assert f"error [{code}]: no outcome" in done.stderr
    assert words in done.stderr
    told = run(tmp_path, "run", "--local", "--json", module, *options)
    assert (told.exit_code, json.loads(told.stdout)["reason"]) == (1, code)


@pytest.mark.parametrize(
    ("module", "code"),
    [
        (b"#!/bin/sh\n", "not-wasm"),
        (assemble('(module (import "env" "abort" (func)))'), "foreign-import"),
        (assemble('(module (memory (export "memory") 1))'), "no-start"),
    ],
)
def test_refused_modules_are_told_with_a_next_step(tmp_path: Path, module: bytes, code: str) -> None:
    for command in (("check",), ("run", "--local")):
        done = run(tmp_path, *command, save(tmp_path, module))
        assert (done.exit_code, f"error [{code}]" in done.stderr) == (1, True), done.output
        assert len(done.stderr.splitlines()) == 2


def test_wrong_arguments(tmp_path: Path) -> None:
    module = save(tmp_path, build(""))
    for options, code in (
        (("run", module), "not-local"),
        (("run", "--local", tmp_path / "none.wasm"), "file-unreadable"),
        (("run", "--local", module, "--seed", "12"), "bad-seed"),
        (("run", "--local", module, "a" * 70_000), "args-too-long"),
    ):
        done = run(tmp_path, *options)
        assert (done.exit_code, f"error [{code}]" in done.stderr) == (1, True), done.output
    for wrong in (("--pages", 0), ("--pages", 32_769), ("--steps", 2**36 + 1), ("--output-bytes", 2**28 + 1)):
        assert run(tmp_path, "run", "--local", module, *wrong).exit_code == 2


def test_without_the_engine_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lack(name: str) -> str:
        raise runner.PackageNotFoundError(name)

    monkeypatch.setattr(runner, "version", lack)
    done = run(tmp_path, "run", "--local", save(tmp_path, build("")))
    assert done.exit_code == 1
    assert "error [functions-missing]" in done.stderr
    assert "pip install wasmtime==50.0.1" in done.stderr
