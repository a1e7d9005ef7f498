"""The log of the HTTP servers: a caller's malformed request is one line for debugging, and not a traceback."""

import logging
from typing import Final

import structlog
from aiohttp.http_exceptions import HttpProcessingError

log: Final = structlog.get_logger("http")
SHOWN: Final = 200


def _is_about_server(record: logging.LogRecord) -> bool:
    """Return False for a record about bytes that are no HTTP, once they are logged in one line."""
    error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
    if not isinstance(error, HttpProcessingError) or error.code >= 500:
        return True
    log.debug("malformed http request", status=error.code, reason=ascii(error.message)[:SHOWN])
    return False


HTTP_LOG: Final = logging.getLogger("inos.http")
"""Given to aiohttp, which logs what it cannot parse with a traceback."""
HTTP_LOG.addFilter(_is_about_server)
