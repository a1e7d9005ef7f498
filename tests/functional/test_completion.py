"""Test completion in real shells, at the first Tab, from the file in which each shell looks for it."""

import contextlib
import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.leftovers import MARK

LIMIT_S = 60.0
BIN = str(Path(sys.executable).parent)


def make_environment(home: Path) -> dict[str, str]:
    shell = {"TERM": "dumb", "PS1": "> ", "LANG": "C.UTF-8", MARK: os.environ[MARK]}
    return shell | {"HOME": str(home), "PATH": f"{BIN}:{os.environ['PATH']}"}


def write_script(shell: str, home: Path, place: str) -> None:
    script = subprocess.run([f"{BIN}/inos", "completion", shell], capture_output=True, text=True, check=True).stdout
    (home / place).parent.mkdir(parents=True, exist_ok=True)
    (home / place).write_text(script)


def type_in(command: list[str], environment: dict[str, str], lines: list[str], expected: str) -> str:
    """Return the output of an interactive shell as soon as it contains `expected`."""
    child, terminal = pty.fork()
    if child == 0:
        os.execvpe(command[0], command, environment)
    shown, until = "", time.monotonic() + LIMIT_S
    try:
        for line in lines:
            os.write(terminal, line.encode())
        while expected not in shown and time.monotonic() < until:
            if select.select([terminal], [], [], 0.2)[0]:
                shown += os.read(terminal, 65536).decode(errors="replace")
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
        os.close(terminal)
    return shown


@pytest.mark.skipif(not shutil.which("zsh"), reason="no zsh")
def test_zsh(tmp_path: Path) -> None:
    write_script("zsh", tmp_path, ".zfunc/_inos")
    ready = "fpath=(~/.zfunc $fpath); autoload -Uz compinit; compinit -u -d ~/.zdump\n"
    shown = type_in(["zsh", "-f", "-i"], make_environment(tmp_path), [ready, "inos doc\t"], "inos doctor ")
    assert "inos doctor " in shown


@pytest.mark.skipif(not shutil.which("fish"), reason="no fish")
def test_fish(tmp_path: Path) -> None:
    write_script("fish", tmp_path, ".config/fish/completions/inos.fish")
    asked = ["fish", "-c", 'complete -C "inos job re"; complete -C "inos job post --rew"']
    done = subprocess.run(
        asked, env=make_environment(tmp_path), capture_output=True, text=True, timeout=LIMIT_S, check=True
    )
    words = [line.partition("\t")[0] for line in done.stdout.splitlines()]
    assert {"record", "result", "receipt", "--reward"} <= set(words)


def test_bash(tmp_path: Path) -> None:
    write_script("bash", tmp_path, "inos.bash")
    with contextlib.suppress(OSError):
        shown = type_in(
            ["bash", "--norc", "--noprofile", "-i"], make_environment(tmp_path),
            [". ~/inos.bash\n", "inos doc\t"], "inos doctor",
        )  # fmt: skip
    assert "inos doctor" in shown
