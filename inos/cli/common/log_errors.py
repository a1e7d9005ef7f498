"""Writes the error that ends a command as a line of its JSON log, so that what reads the log understands every line."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog
import typer

from inos.cli.common.output import EXIT_FAILED, to_inos_error
from inos.hints import HINTS
from inos.node.logs import configure_logs

log: Final = structlog.get_logger("inos")


@contextmanager
def log_errors(style: str) -> Iterator[None]:
    """Log an error for people as JSON and exit with 1, if the log's style is "json"; otherwise leave it as it is."""
    try:
        yield
    except Exception as error:
        known = to_inos_error(error)
        if known is None or style != "json":
            raise
        configure_logs("error", style)
        hint = known.hint or HINTS.get(known.code, "")
        log.error("stopped by an error", code=known.code, reason=known.message, hint=hint)
        raise typer.Exit(EXIT_FAILED) from None
