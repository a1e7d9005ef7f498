"""What the network remembers over a restart: files sealed with a checksum, and a place for them in memory."""

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
    """Files that end with the process. Satisfies `inos.network.ports.Files`."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    async def read(self, name: str, limit: int, /) -> bytes | None:
        data = self.files.get(name)
        return data if data is not None and len(data) <= limit else None

    async def write(self, name: str, data: bytes, /) -> bool:
        self.files[name] = data
        return True


async def load(files: Files, name: str, kind: type[T], limit: int) -> T | None:
    """What `save` wrote; None where there is nothing, or, with a warning, where it is damaged."""
    data = await files.read(name, limit)
    if data is None:
        return None
    try:
        return unseal(data, kind, limit)
    except CodecError as error:
        log.warning("file ignored", file=name, reason=error.message, hint="a new one takes its place")
        return None


async def save(files: Files, name: str, value: Any) -> bool:
    """Write a value of the codec's kinds with its checksum; whether that went well."""
    return await files.write(name, seal(value))


def seal(value: Any) -> bytes:
    """Checksum and canonical encoding."""
    data = encode(value)
    return _check(data) + data


def unseal(data: bytes, kind: type[T], limit: int) -> T:
    """The value of sealed bytes.

    Raises:
        CodecError: "damaged", or what the codec finds.
    """
    if data[:CHECK_BYTES] != _check(data[CHECK_BYTES:]):
        raise CodecError("damaged", "the checksum does not fit the content")
    return decode(kind, data[CHECK_BYTES:], limit=limit)


def _check(data: bytes) -> bytes:
    return blake2b(data, digest_size=CHECK_BYTES, person=b"inos file").digest()
