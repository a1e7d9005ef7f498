"""However a run of the suite ends, nothing that it started outlives it: no process, port, lock or temporary file."""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import pytest

TESTS: Final = Path(__file__).parents[1]
LIMIT_S: Final = 60.0
CHILD: Final = """
import fcntl, json, os, socket, sys, tempfile, time

listener = socket.create_server(("127.0.0.1", 0))
lock = open(sys.argv[1] + ".lock", "w")
fcntl.flock(lock, fcntl.LOCK_EX)
file = tempfile.mkstemp()[1]
with open(sys.argv[1] + ".new", "w") as told:
    json.dump({"pid": os.getpid(), "port": listener.getsockname()[1], "file": file, "suite": int(sys.argv[2])}, told)
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(600)
"""
TEST: Final = """
import os, subprocess, sys, time

def start():
    command = [sys.executable, CHILD, TOLD, str(os.getpid())]
    code = f"import subprocess; subprocess.Popen({command!r}, start_new_session=True)"
    subprocess.run([sys.executable, "-c", code])  # the child is in a session of its own, and its parent is gone
    while not os.path.exists(TOLD):
        time.sleep(0.01)

def test_that_hangs():
    start()
    time.sleep(600)

def test_that_leaves_its_child():
    start()
"""


class Suite:
    """A run of pytest with the suite's guard on one test, which starts a child."""

    def __init__(self, folder: Path, test: str, *options: str) -> None:
        self._told = folder / "told.json"
        (folder / "child.py").write_text(CHILD)
        constants = f"CHILD = {str(folder / 'child.py')!r}\nTOLD = {str(self._told)!r}\n"
        (folder / "test_it.py").write_text(constants + TEST)
        (folder / "pytest.ini").write_text("[pytest]\n")
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "pytest", "-p", "support.run_guard", "-k", test, *options, "test_it.py"],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(TESTS)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def await_child(self) -> dict[str, Any]:
        """Return the child's process id, port and temporary file, and the process that runs the test."""
        await_that(self._told.exists, "the test has started its child")
        return dict(json.loads(self._told.read_text()))

    def is_clean(self, child: dict[str, Any]) -> bool:
        """Return whether process, port, lock and temporary file are gone."""
        with Path(f"{self._told}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        try:
            socket.create_connection(("127.0.0.1", child["port"]), timeout=5).close()
        except ConnectionRefusedError:
            return not Path(f"/proc/{child['pid']}/cmdline").exists() and not Path(child["file"]).parent.exists()
        return False


def await_that(is_so: Any, what: str) -> None:
    until = time.monotonic() + LIMIT_S
    while not is_so():
        assert time.monotonic() < until, f"not within {LIMIT_S} s: {what}"
        time.sleep(0.02)  # other processes do it, and tell nobody


@pytest.mark.parametrize(
    ("number", "options"),
    [(signal.SIGKILL, ()), (signal.SIGTERM, ()), (signal.SIGKILL, ("-n", "2"))],
    ids=["killed", "terminated", "killed-with-workers"],
)
def test_a_killed_run_leaves_nothing(tmp_path: Path, number: signal.Signals, options: tuple[str, ...]) -> None:
    suite = Suite(tmp_path, "test_that_hangs", *options)
    child = suite.await_child()
    assert not suite.is_clean(child)
    suite.process.send_signal(number)
    suite.process.communicate(timeout=LIMIT_S)
    await_that(lambda: suite.is_clean(child), f"nothing of {child} is left")
    await_that(lambda: not Path(f"/proc/{child['suite']}/cmdline").exists(), "the process that ran the test has ended")


def test_a_run_that_times_out_leaves_nothing(tmp_path: Path) -> None:
    """With this method, pytest ends its own process at once, without any teardown."""
    suite = Suite(tmp_path, "test_that_hangs", "--timeout=3", "--timeout-method=thread")
    child = suite.await_child()
    output, _ = suite.process.communicate(timeout=LIMIT_S)
    assert suite.process.returncode != 0
    assert "Timeout" in output
    await_that(lambda: suite.is_clean(child), f"nothing of {child} is left")


def test_what_a_test_leaves_is_its_error(tmp_path: Path) -> None:
    suite = Suite(tmp_path, "test_that_leaves_its_child")
    child = suite.await_child()
    output, _ = suite.process.communicate(timeout=LIMIT_S)
    assert suite.process.returncode == 1, output
    assert f"left processes {{{child['pid']}: " in output
    await_that(lambda: suite.is_clean(child), f"nothing of {child} is left")
