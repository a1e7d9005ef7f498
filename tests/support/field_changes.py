"""Changes every field of an encoded value, one at a time, so that a test shows that each is checked."""

from collections.abc import Iterator
from typing import Any

import msgspec


def change_fields(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the path of each field of a msgpack value, and the encoded value with this field alone changed.

    Integers grow by one, bits flip, texts and byte strings change their first and their last byte and their length,
    and arrays lose or repeat their last member. None becomes 0, and every other leaf becomes None.
    """
    for path, changed in _change(msgspec.msgpack.decode(data), ""):
        yield path, msgspec.msgpack.encode(changed)


def _change(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    match value:
        case list():
            for at, member in enumerate(value):
                for below, changed in _change(member, f"{path}[{at}]"):
                    yield below, [*value[:at], changed, *value[at + 1 :]]
            if value:
                yield f"{path} shorter", value[:-1]
                yield f"{path} longer", [*value, value[-1]]
        case bool():
            yield path, not value
        case int():
            yield path, value + 1 if value < 2**64 - 1 else value - 1
            yield f"{path} none", None
        case bytes():
            if value:
                yield f"{path} first", bytes([value[0] ^ 1]) + value[1:]
                yield f"{path} last", value[:-1] + bytes([value[-1] ^ 0x80])
                yield f"{path} shorter", value[:-1]
            yield f"{path} longer", value + b"\0"
            yield f"{path} none", None
        case str():
            yield path, value + "x"
        case None:
            yield path, 0
        case _:
            raise TypeError(f"{path}: {value!r}")
