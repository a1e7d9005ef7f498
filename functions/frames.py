"""The messages between a parent and its child: a JSON header, then the bytes of the parts whose lengths it names."""

import json
import struct
from collections.abc import Iterable
from typing import Any, Final

_LENGTH: Final = struct.Struct("<I")


class BadFrame(Exception):
    """The bytes are not a message, or are longer than the reader allows."""


def encode_frame(header: dict[str, Any], *parts: bytes) -> Iterable[bytes]:
    """Return the pieces of a message; the parts are not copied."""
    head = json.dumps(header | {"parts": [len(part) for part in parts]}).encode("ascii")
    return [_LENGTH.pack(len(head)) + head, *parts]


def decode_frame(data: bytes | bytearray) -> tuple[dict[str, Any], list[bytes]]:
    """Return the header and the parts of a whole message.

    Raises:
        BadFrame.
    """
    view = memoryview(data)
    try:
        (length,) = _LENGTH.unpack_from(view)
        header = json.loads(bytes(view[_LENGTH.size : _LENGTH.size + length]))
        sizes = header.pop("parts")
        parts, at = [], _LENGTH.size + length
        for size in sizes:
            if not 0 <= size <= len(view) - at:
                raise BadFrame(f"a part of {size} bytes does not fit the message")
            parts.append(bytes(view[at : at + size]))
            at += size
    except (struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadFrame(f"this is no message: {error}") from error
    if at != len(view):
        raise BadFrame(f"the message has {len(view)} bytes, and its header tells of {at}")
    return header, parts
