"""A pytest plugin: what a run of the suite starts ends with it, and what a test file starts ends with the file.

Every child inherits a mark and a folder for temporary files (`TMPDIR`). When the last test of a file is over,
processes with the file's mark and new entries of the folder are an error of that test, and they are removed. A
watchdog process does the same for the whole run if pytest is killed.
"""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Final

import pytest

from support.leftovers import MARK, kill_marked

WATCHDOG: Final = Path(__file__).with_name("watchdog.py")
FOLDER_PREFIX: Final = "inos-test-run-"
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
        """Remove what the tests of a file have left.

        Raises:
            Failed: there was something.
        """
        processes = kill_marked(self._file_mark)
        files = sorted(path.name for path in self._folder.iterdir())
        for name in files:
            remove(self._folder / name)
        if processes or files:
            pytest.fail(f"tests of this file left processes {processes} and temporary files {files}", pytrace=False)

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


def remove(path: Path) -> None:
    """Remove a file or a folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(RunGuard(config), "inos-run-guard")
