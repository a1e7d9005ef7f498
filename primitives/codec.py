"""The one canonical encoding: msgpack of fixed-order arrays, for wire, disk and hashing.

A decoder checks the size, decodes with types and bounds, then encodes again: it refuses bytes that
differ, so every value has exactly one encoding.
"""

from collections.abc import Hashable
from functools import lru_cache
from typing import Any, Final, TypeVar, cast

import msgspec

from inos.primitives.errors import CodecError

T = TypeVar("T")
_encoder: Final = msgspec.msgpack.Encoder()


@lru_cache(maxsize=256)
def _decoder(kind: Hashable) -> msgspec.msgpack.Decoder[Any]:
    return msgspec.msgpack.Decoder(kind)


def encode(value: Any) -> bytes:
    """Return the canonical bytes of a struct, tuple, int, bool, bytes, str or None.

    Raises:
        OverflowError: an integer does not fit 64 bits.
    """
    return _encoder.encode(value)


def decode(kind: type[T], data: bytes | memoryview, *, limit: int) -> T:
    """Read canonical bytes as `kind`.

    Raises:
        CodecError: "too-large" above `limit` bytes, "malformed" if the bytes are not a
            `kind`, "not-canonical" if they are not the one encoding of their value.
    """
    if len(data) > limit:
        raise CodecError("too-large", f"{_name(kind)} is too large", expected=f"at most {limit} bytes", got=len(data))
    value = _read(kind, data)
    if _encoder.encode(value) != data:
        raise CodecError("not-canonical", f"{_name(kind)} is not in its canonical encoding")
    return value


def decode_canonical(kind: type[T], data: bytes | memoryview) -> T:
    """Read bytes as `kind` that are known to be canonical: this program encoded them, or a state root commits to them.

    Raises:
        CodecError: "malformed".
    """
    return _read(kind, data)


def _read(kind: type[T], data: bytes | memoryview) -> T:
    try:
        value: T = _decoder(cast(Hashable, kind)).decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CodecError("malformed", f"these bytes are not a {_name(kind)}: {error}") from error
    return value


def _name(kind: Any) -> str:
    return getattr(kind, "__name__", str(kind)).lower()
