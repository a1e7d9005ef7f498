"""Stores the network's small files in the data directory."""

import asyncio
from pathlib import Path
from typing import Final

import structlog

from inos.node.datadir import DIR_MODE
from inos.primitives.atomic_files import replace_file

log: Final = structlog.get_logger("node")


class NetworkFiles:
    """Satisfies `inos.network.ports.Files`. If the disk refuses, the node forgets its peers but runs on."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def read(self, name: str, limit: int, /) -> bytes | None:
        return await asyncio.to_thread(self._read, name, limit)

    async def write(self, name: str, data: bytes, /) -> bool:
        return await asyncio.to_thread(self._write, name, data)

    def _read(self, name: str, limit: int) -> bytes | None:
        path = self._path / name
        try:
            if not path.exists():
                return None
            with path.open("rb") as file:
                data = file.read(limit + 1)
        except OSError as error:
            log.warning("file not read", path=str(path), error=error.strerror)
            return None
        if len(data) > limit:
            log.warning("file ignored", path=str(path), error=f"longer than {limit} bytes")
            return None
        return data

    def _write(self, name: str, data: bytes) -> bool:
        path = self._path / name
        try:
            self._path.mkdir(mode=DIR_MODE, exist_ok=True)
            replace_file(path, data)
        except OSError as error:
            log.warning("file not written", path=str(path), error=error.strerror)
            return False
        return True
