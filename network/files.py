"""The network keeps files across restarts, each sealed with a checksum; in tests they may stay in memory."""

from hashlib import blake2b
from typing import Any, Final, TypeVar

import structlog

from inos.network.ports import Files
from inos.primitives.codec import decode, encode
from inos.primitives.errors import CodecError

log = structlog.get_logger("inos.network")

CHECK_BYTES: Final = 16
T = TypeVar("T")


class MemoryFiles:
    """Keeps files until the process ends. This class satisfies `inos.network.ports.Files`."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    async def read(self, name: str, limit: int, /) -> bytes | None:
        data = self.files.get(name)
        return data if data is not None and len(data) <= limit else None

    async def write(self, name: str, data: bytes, /) -> bool:
        self.files[name] = data
        return True


async def load(files: Files, name: str, kind: type[T], limit: int) -> T | None:
    """Return the value that `save` wrote, or None if there is no file or, with a warning, a damaged one."""
    data = await files.read(name, limit)
    if data is None:
        return None
    try:
        return unseal(data, kind, limit)
    except CodecError as error:
        log.warning(
            "damaged file ignored",
            file=name,
            reason=error.message,
            hint="the node starts without it and writes a new one",
        )
        return None


async def save(files: Files, name: str, value: Any) -> bool:
    """Write a value that the codec supports, with its checksum; return True if it was written."""
    return await files.write(name, seal(value))


def seal(value: Any) -> bytes:
    """Return the canonical encoding of a value behind its checksum."""
    data = encode(value)
    return _check(data) + data


def unseal(data: bytes, kind: type[T], limit: int) -> T:
    """Return the value that sealed bytes hold.

    Raises:
        CodecError: "damaged", or any error of the codec.
    """
    if data[:CHECK_BYTES] != _check(data[CHECK_BYTES:]):
        raise CodecError("damaged", "the checksum does not match the content")
    return decode(kind, data[CHECK_BYTES:], limit=limit)


def _check(data: bytes) -> bytes:
    return blake2b(data, digest_size=CHECK_BYTES, person=b"inos file").digest()
