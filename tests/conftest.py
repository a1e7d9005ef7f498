"""Settings of the whole suite. This file also puts its folder on the import path, so that tests can import
`support`.
"""

import logging
import os
import random
import signal
import threading
from collections.abc import Generator, Iterator

import numpy as np
import pytest
import structlog
from hypothesis import settings

from inos.node.process import read_log_end
from support import run_guard
from support.bare_names import refuse_bare_names

refuse_bare_names()
OWN_VARIABLES = ("INOS_TEST_SEED", "INOS_RECORD", "INOS_FINALITY_SEEDS")
"""The suite's own settings. All others of the developer's INOS_* would configure the nodes and commands it starts."""
for name in [name for name in os.environ if name.startswith("INOS_") and name not in OWN_VARIABLES]:
    del os.environ[name]

# A shell that starts the suite in the background lets it ignore Ctrl-C, and with it all commands that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("inos", deadline=None, print_blob=True)
settings.load_profile("inos")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Choose the seed of the generated examples and print it, so that a failure can be repeated."""
    config.pluginmanager.register(run_guard)
    if config.getoption("--hypothesis-seed", None) is None:
        config.option.hypothesis_seed = os.environ.get("INOS_TEST_SEED") or str(random.SystemRandom().getrandbits(32))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    terminalreporter.write_line(f"INOS_TEST_SEED={config.getoption('--hypothesis-seed')} repeats hypothesis's examples")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the ends of the logs of a failed test's nodes, whose folders are soon gone."""
    report = yield
    folder = getattr(item, "funcargs", {}).get("tmp_path")
    if report.failed and folder is not None:
        for log in sorted(folder.rglob("node.log")):
            report.sections.append((f"end of {log.relative_to(folder)}", read_log_end(log)))
    return report


@pytest.fixture(autouse=True)
def _reset_logging() -> Iterator[None]:
    """Undo what a test that runs a node's command configured: its least level would hide lines from other tests, and
    warnings would stay with the place where it sent them.
    """
    yield
    structlog.reset_defaults()
    logging.captureWarnings(False)


@pytest.fixture
def rng(pytestconfig: pytest.Config) -> np.random.Generator:
    """Return a random generator with the seed that is printed at the end of the run."""
    return np.random.default_rng(int(pytestconfig.getoption("--hypothesis-seed")))
