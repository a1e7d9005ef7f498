"""A strict part of WebSocket framing (RFC 6455): one binary frame is one message, and the only other frame is a close.

Links have pings of their own, and Noise messages are cut to size above. So a ping, a pong, a fragment or a text frame
comes from no node of this protocol. Each would cost this node work that no budget of the peer counts.
"""

from collections.abc import Iterator
from typing import Final

from inos.network.errors import LinkError

MIN_MESSAGE_BYTES: Final = 16
"""Every Noise message holds a tag or a key."""
MAX_MESSAGE_BYTES: Final = 65_535
"""This is the largest Noise message."""
_BINARY: Final = 0x82
_CLOSE: Final = 0x88
_MASKED: Final = 0x80
_LONG: Final = 126
CLOSE_BODY: Final = (1000).to_bytes(2, "big")
"""Status 1000 means a normal end."""


def encode_message(payload: bytes, mask: bytes = b"") -> bytes:
    """Return the frame of one message. The dialling side gives a mask of four bytes, the dialled side none."""
    return _encode(_BINARY, payload, mask)


def encode_close(mask: bytes = b"") -> bytes:
    """Return the frame that ends a connection."""
    return _encode(_CLOSE, CLOSE_BODY, mask)


def _encode(first: int, payload: bytes, mask: bytes) -> bytes:
    size, flag = len(payload), _MASKED if mask else 0
    head = bytes([first, flag | size]) if size < _LONG else bytes([first, flag | _LONG]) + size.to_bytes(2, "big")
    return head + mask + (apply_mask(payload, mask) if mask else payload)


def apply_mask(data: bytes, mask: bytes) -> bytes:
    """Return `data` masked or unmasked with the four bytes of `mask`."""
    size = len(data)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")


class FrameReader:
    """Cuts the bytes of one side into messages; it holds at most one unfinished frame.

    Args:
        is_masked: True for the bytes of a dialling side, which masks all of its frames, as RFC 6455 demands.
    """

    def __init__(self, *, is_masked: bool) -> None:
        self._is_masked = is_masked
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the messages that `data` completes.

        Raises:
            LinkError: "bad-frame", or "link-closed" if the other side ended the connection.
        """
        self._buffer += data
        while (message := self._pop()) is not None:
            yield message

    def _pop(self) -> bytes | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        if buffer[0] == _CLOSE:
            raise LinkError("link-closed", "the other side closed the link")
        if buffer[0] != _BINARY:
            raise LinkError("bad-frame", f"a WebSocket frame begins with {buffer[0]:#04x}, expected {_BINARY:#04x}")
        if bool(buffer[1] & _MASKED) is not self._is_masked:
            raise LinkError("bad-frame", "a WebSocket frame is masked by the wrong side")
        size, start = buffer[1] & ~_MASKED, 2
        if size == _LONG:
            if len(buffer) < 4:
                return None
            size, start = int.from_bytes(buffer[2:4], "big"), 4
        elif size > _LONG:
            raise LinkError("bad-frame", f"a WebSocket message has more than {MAX_MESSAGE_BYTES} bytes")
        if size < MIN_MESSAGE_BYTES:
            raise LinkError("bad-frame", f"a WebSocket message has {size} bytes, expected {MIN_MESSAGE_BYTES} or more")
        body = start + (4 if self._is_masked else 0)
        if len(buffer) < body + size:
            return None
        with memoryview(buffer) as view:  # A slice of the buffer itself would be copied twice.
            mask, payload = bytes(view[start:body]), bytes(view[body : body + size])
        del buffer[: body + size]
        return apply_mask(payload, mask) if mask else payload
