"""Logs in one form: what libraries and Python itself say comes as JSON among JSON."""

import io
import json
import logging
import sys
import warnings
from collections.abc import Iterator

import pytest
import structlog

from inos.node.logs import configure_logs


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    yield
    logging.captureWarnings(False)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, force=True)
    structlog.reset_defaults()


def test_every_line_among_json_is_json() -> None:
    out = io.StringIO()
    configure_logs("info", "json", out)
    structlog.get_logger("node").info("node ready", height=3)
    logging.getLogger("aiohttp.server").warning("a body of %d bytes", 7)
    try:
        raise ValueError("of a task")
    except ValueError:
        logging.getLogger("asyncio").exception("Task exception was never retrieved")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("this is old", UserWarning, stacklevel=1)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["level"] for line in lines] == ["info", "warning", "error", "warning"]
    assert all("timestamp" in line for line in lines)
    assert (lines[1]["event"], lines[1]["logger"]) == ("a body of 7 bytes", "aiohttp.server")
    assert "ValueError: of a task" in lines[2]["exception"]
    assert "this is old" in lines[3]["event"]


def test_on_a_terminal_lines_are_for_people() -> None:
    out = io.StringIO()
    configure_logs("warning", "console", out)
    logging.getLogger("aiohttp.server").warning("a body of %d bytes", 7)
    structlog.get_logger("node").info("not shown")
    [line] = out.getvalue().splitlines()
    assert "warning" in line
    assert "a body of 7 bytes" in line
