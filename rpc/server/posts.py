"""A plain POST that arrived in one piece is read here, since aiohttp takes most of the time of a small call.

Requests with anything unusual and those that are to be refused are left to aiohttp, so that one place decides on them.
"""

import time
from collections.abc import Set
from email.utils import formatdate
from typing import Final

from aiohttp.http import SERVER_SOFTWARE
from msgspec import Struct

from inos.rpc.server.bodies import FREE_BYTES
from inos.rpc.server.token import is_authorized

LINE: Final = b"POST / HTTP/1.1\r\n"
MAX_HEAD_BYTES: Final = 4096
MAX_POST_BYTES: Final = FREE_BYTES
"""The budget of bodies does not count so small ones."""
LENGTH_DIGITS: Final = 5
JSON_TYPE: Final = "application/json"
PLAIN: Final = frozenset(
    {
        *(b"host", b"content-type", b"content-length", b"authorization", b"connection"),
        *(b"accept", b"accept-encoding", b"accept-language", b"user-agent"),
    }
)
"""Headers that are judged here, or that change nothing."""


class Post(Struct, frozen=True):
    """A request that is to be answered."""

    body: bytes
    is_owner: bool
    """It carried the node's token."""


class PostReader:
    """Reads the plain requests of one connection, whose heads are mostly the same.

    Args:
        hosts: names of this node, in lower case.
        token: the node's token.
        limit: the largest body in bytes that the node takes.
    """

    def __init__(self, hosts: Set[str], token: str, limit: int) -> None:
        self._hosts = hosts
        self._token = token
        self._limit = min(limit, MAX_POST_BYTES)
        self._head = b""
        """The last head that was plain, of a body of `_length` bytes."""
        self._length = 0
        self._is_owner = False

    def read(self, data: bytes) -> Post | None:
        """Return the request if `data` is exactly one plain request that may be answered, else None."""
        if not (self._head and data.startswith(self._head)) and not self._learn(data):
            return None
        start = len(self._head)
        if len(data) != start + self._length:
            return None
        return Post(data[start:], self._is_owner)

    def _learn(self, data: bytes) -> bool:
        """Read the head of a request; return False if it is not plain."""
        end = data.find(b"\r\n\r\n", 0, MAX_HEAD_BYTES)
        fields = _parse_fields(data[len(LINE) : end]) if end >= 0 and data.startswith(LINE) else None
        if fields is None:
            return False
        length = fields.get(b"content-length", "")
        if not length.isdecimal() or len(length) > LENGTH_DIGITS or int(length) > self._limit:
            return False
        if get_host(fields.get(b"host", "").lower()) not in self._hosts:
            return False
        if fields.get(b"content-type", "").lower() != JSON_TYPE:
            return False
        if fields.get(b"connection", "keep-alive").lower() != "keep-alive":
            return False
        self._head, self._length = data[: end + 4], int(length)
        self._is_owner = is_authorized(fields.get(b"authorization", ""), self._token)
        return True


def _parse_fields(lines: bytes) -> dict[bytes, str] | None:
    """Return the headers by name in lower case; None unless each is plain, printable ASCII, and there once."""
    fields: dict[bytes, str] = {}
    for line in lines.split(b"\r\n"):
        name, _, value = line.partition(b":")
        name = name.lower()
        if name not in PLAIN or name in fields or not value.isascii():
            return None
        text = value.decode("ascii")
        if not text.isprintable():
            return None
        fields[name] = text.strip(" ")
    return fields


def get_host(authority: str) -> str:
    """Return the host of HOST:PORT, HOST, [IPv6]:PORT or [IPv6]."""
    return authority if authority.endswith("]") or ":" not in authority else authority.rsplit(":", 1)[0]


class Responses:
    """Encodes responses as aiohttp does."""

    def __init__(self) -> None:
        self._second = 0
        self._common = b""

    def encode(self, body: bytes | None) -> bytes:
        """Return a whole response: status 200 with a body of JSON, or 204 without a body."""
        second = int(time.time())
        if second != self._second:
            date = formatdate(second, usegmt=True)
            self._second, self._common = second, f"Date: {date}\r\nServer: {SERVER_SOFTWARE}\r\n\r\n".encode()
        if body is None:
            return b"HTTP/1.1 204 No Content\r\n" + self._common
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
        return head % len(body) + self._common + body
