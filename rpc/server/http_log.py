"""The log of the HTTP servers: a caller's malformed request is one line for debugging, and not a traceback."""

import logging
from typing import Final

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

log: Final = structlog.get_logger("http")
SHOWN: Final = 200


def _is_about_server(record: logging.LogRecord) -> bool:
    """Return False for a record about bytes that are no HTTP, once they are logged in one line."""
    match record.exc_info:
        case (_, HttpProcessingError(code=code) as error, _) if code < 500:
            log.debug("malformed http request", status=code, reason=ascii(error.message)[:SHOWN])
            return False
        case (_, web.RequestPayloadError() as error, _):
            # aiohttp reads what a handler left of the body, once the answer is sent.
            log.debug("malformed http body", reason=ascii(str(error))[:SHOWN])
            return False
        case _:
            return True


HTTP_LOG: Final = logging.getLogger("inos.http")
"""Given to aiohttp, which logs what it cannot parse with a traceback."""
HTTP_LOG.addFilter(_is_about_server)
