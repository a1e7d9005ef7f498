"""The HTTP request that opens a WebSocket, and its answer; anything else is answered with an error and closed."""

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from hashlib import sha1
from typing import Final

from inos.network.errors import LinkError

PATH: Final = "/inos"
MAX_HEAD_BYTES: Final = 8 << 10
"""A request or an answer, with all of its headers, has at most this many bytes."""
END: Final = b"\r\n\r\n"
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455, section 1.3."""


class RefusedUpgrade(LinkError):
    """The request does not open a WebSocket at this node; `answer` says so to the other side."""

    def __init__(self, status: str) -> None:
        super().__init__("bad-upgrade", f"the request was refused: {status}")
        self.answer = f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode()


def make_request(host: str, port: int, key: bytes) -> bytes:
    """Return the request of a dialling node; `key` has 16 random bytes."""
    name = f"[{host}]" if ":" in host else host
    return (
        f"GET {PATH} HTTP/1.1\r\nHost: {name}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {b64encode(key).decode()}\r\n\r\n"
    ).encode()


def answer_request(head: bytes) -> bytes:
    """Return the answer that accepts a request.

    Raises:
        RefusedUpgrade: the request is something else.
    """
    line, headers = _parse(head)
    parts = line.split(" ")
    if len(parts) != 3 or parts[2] != "HTTP/1.1":
        raise RefusedUpgrade("400 Bad Request")
    if parts[1] != PATH:
        raise RefusedUpgrade("404 Not Found")
    if parts[0] != "GET":
        raise RefusedUpgrade("405 Method Not Allowed")
    is_upgrade = headers.get("upgrade", "").lower() == "websocket"
    names = [name.strip().lower() for name in headers.get("connection", "").split(",")]
    if not is_upgrade or "upgrade" not in names or headers.get("sec-websocket-version") != "13":
        raise RefusedUpgrade("426 Upgrade Required")
    key = headers.get("sec-websocket-key", "")
    if not _is_key(key):
        raise RefusedUpgrade("400 Bad Request")
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {_accept(key.encode())}\r\n\r\n"
    ).encode()


def check_answer(head: bytes, key: bytes) -> None:
    """Check that an answer accepts the request with `key`.

    Raises:
        LinkError: "bad-upgrade".
    """
    line, headers = _parse(head)
    if line.split(" ")[:2] != ["HTTP/1.1", "101"] or headers.get("sec-websocket-accept") != _accept(b64encode(key)):
        raise LinkError("bad-upgrade", f"the other side opened no WebSocket, but answered {line[:100]!r}")


def _is_key(text: str) -> bool:
    try:
        return len(b64decode(text, validate=True)) == 16
    except (Base64Error, ValueError):
        return False


def _accept(key: bytes) -> str:
    return b64encode(sha1(key + _GUID, usedforsecurity=False).digest()).decode()


def _parse(head: bytes) -> tuple[str, dict[str, str]]:
    """Return the first line, and the headers by their names in lower case. A header without a colon is ignored."""
    line, *rest = head.decode("latin-1").split("\r\n")
    pairs = (text.partition(":") for text in rest)
    return line, {name.strip().lower(): value.strip() for name, colon, value in pairs if colon}
