"""A pytest plugin: what a run of the suite starts ends with it, and what a test file starts ends with the file.

Every child inherits a mark and the run's folder for temporary files (`TMPDIR`). When the last test of a file is over,
processes with the file's mark are an error of that test, and they are killed. When the run is over, and also if pytest
is killed, a watchdog process kills what is left of it and removes the folder.
"""

import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path
from typing import Final

import pytest

from support.leftovers import MARK, POLL_S, find_marked, kill_marked

WATCHDOG: Final = Path(__file__).with_name("watchdog.py")
FOLDER_PREFIX: Final = "inos-test-run-"
END_S: Final = 5.0
"""Processes that a test has told to stop have so long after it."""
STOP_S: Final = 30.0


class RunGuard:
    """Marks what this pytest process starts; the process that coordinates workers also has the watchdog."""

    def __init__(self, config: pytest.Config) -> None:
        worker = getattr(config, "workerinput", {}).get("workerid")
        if worker is None:
            self._run = secrets.token_hex(8)
            # Pytest's own folders for `tmp_path` stay where people look for them after a failure.
            os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
            self._folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
            self._watchdog: subprocess.Popen[bytes] | None = start_watchdog(self._run, self._folder)
        else:
            self._run = os.environ[MARK]
            self._folder = Path(tempfile.mkdtemp(prefix=f"{worker}-"))
            self._watchdog = None
        os.environ[MARK] = self._run
        self._file_mark = f"{self._run}.{worker or 'main'}."
        os.environ["TMPDIR"] = str(self._folder)
        tempfile.tempdir = None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None]:
        os.environ[MARK] = self._file_mark
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None]:
        result = yield
        if nextitem is None or nextitem.path != item.path:
            self._check_left()
        return result

    def _check_left(self) -> None:
        """Kill what the tests of a file have left running.

        Raises:
            Failed: there was something, and it did not end by itself.
        """
        until = time.monotonic() + END_S
        while find_marked(self._file_mark) and time.monotonic() < until:
            time.sleep(POLL_S)
        if left := kill_marked(self._file_mark):
            pytest.fail(f"tests of this file left processes {left}", pytrace=False)

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        tempfile.tempdir = None
        if self._watchdog is not None and self._watchdog.stdin is not None:
            self._watchdog.stdin.close()
            self._watchdog.wait(STOP_S)


def start_watchdog(run: str, folder: Path) -> "subprocess.Popen[bytes]":
    """Start the watchdog in a session of its own, so that Ctrl-C in the terminal does not end it."""
    return subprocess.Popen(
        [sys.executable, "-I", str(WATCHDOG), run, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={name: value for name, value in os.environ.items() if name != MARK},
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(RunGuard(config), "inos-run-guard")
