"""The Unix socket where workers on this machine open matrices as files, and hand over rows as files."""

import array
import asyncio
import fcntl
import mmap
import os
import secrets
import socket
import struct
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final

import numpy as np
import structlog
from numpy.typing import NDArray

from inos.primitives.codec import encode
from inos.primitives.units import HASH_BYTES, MatrixId
from inos.workers.errors import Offence
from inos.workers.local import ASSIGNMENT_BYTES, HAND, HELLO, KEY_BYTES, OPEN, is_supported, name_socket
from inos.workers.ports import FilesPort
from inos.workers.server.session import Session

log: Final = structlog.get_logger("workers")

MAX_PACKET: Final = 256
MAX_CONNECTIONS: Final = 256
SEALS: Final = getattr(fcntl, "F_SEAL_SHRINK", 0)
"""Only files in memory can have this seal, and with it nobody cuts them off under a reader."""

Submit = Callable[[Coroutine[Any, Any, None]], object]
"""Runs a coroutine in the background."""


class LocalSocket:
    """Listens in the data directory. Only processes of the same user may connect."""

    def __init__(self, path: Path, files: FilesPort) -> None:
        self._path = path
        self._files = files
        self._sessions: dict[bytes, Session] = {}
        self._rows: dict[bytes, NDArray[np.uint8]] = {}
        """By key, the file that a worker hands its rows over in, mapped."""
        self._submit: Submit = _close
        self._listening: socket.socket | None = None
        self._open: set[socket.socket] = set()

    def start(self, submit: Submit) -> str | None:
        """Listen, and return the path for workers; None where the system cannot."""
        if not is_supported():
            return None
        self._submit = submit
        self._path.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        with name_socket(self._path) as name:
            listening.bind(name)
        self._path.chmod(0o600)
        listening.listen(MAX_CONNECTIONS)
        asyncio.get_running_loop().add_reader(listening, self._accept, listening)
        self._listening = listening
        return str(self._path.absolute())

    def close(self) -> None:
        loop = asyncio.get_running_loop()
        for each in (*self._open, *([] if self._listening is None else [self._listening])):
            loop.remove_reader(each)
            each.close()
        self._open.clear()
        if self._listening is not None:
            self._path.unlink(missing_ok=True)
            self._listening = None

    def add(self, session: Session) -> bytes:
        """Return a key by which a worker names its session here."""
        key = secrets.token_bytes(KEY_BYTES)
        self._sessions[key] = session
        return key

    def remove(self, key: bytes) -> None:
        """Forget a session that has ended, and its file."""
        self._sessions.pop(key, None)
        self._rows.pop(key, None)

    def _accept(self, listening: socket.socket) -> None:
        try:
            connected, _ = listening.accept()
        except OSError:  # the other side went away, or no descriptors are left
            return
        connected.setblocking(False)
        if len(self._open) >= MAX_CONNECTIONS or not _is_same_user(connected):
            connected.close()
            return
        self._open.add(connected)
        asyncio.get_running_loop().add_reader(connected, self._read, connected)

    def _read(self, connected: socket.socket) -> None:
        """Answer one packet. A connection that sends nonsense is closed."""
        descriptors: list[int] = []
        try:
            data, descriptors, _, _ = socket.recv_fds(connected, MAX_PACKET, 1)
            key, argument = data[:KEY_BYTES], data[KEY_BYTES + 1 :]
            session = self._sessions.get(key)
            if session is None or not session.is_fleet or len(data) <= KEY_BYTES:
                self._drop(connected)
            elif data[KEY_BYTES] == HAND:
                if descriptors:
                    self._rows[key] = _map(descriptors[0])
                asyncio.get_running_loop().remove_reader(connected)  # There is one answer at a time.
                self._submit(self._take_rows(connected, session, argument, self._rows.get(key)))
            else:
                self._answer(connected, session, data[KEY_BYTES], argument)
        except Offence as offence:
            self._refuse(connected, offence)
        except OSError:
            self._drop(connected)
        finally:
            for each in descriptors:
                os.close(each)

    async def _take_rows(
        self, connected: socket.socket, session: Session, argument: bytes, rows: NDArray[np.uint8] | None
    ) -> None:
        """Copy rows that a worker made; once it is told, it may write others in their place."""
        try:
            if len(argument) != ASSIGNMENT_BYTES or rows is None:
                self._drop(connected)
                return
            await session.hand_rows(int.from_bytes(argument, "big"), rows)
            if connected in self._open:
                connected.send(b"\1")
                asyncio.get_running_loop().add_reader(connected, self._read, connected)
        except Offence as offence:
            self._refuse(connected, offence)
        except (OSError, MemoryError) as error:  # The worker is gone, or this machine has no memory for its rows.
            log.warning("rows were not taken", error=str(error))
            self._drop(connected)

    def _refuse(self, connected: socket.socket, offence: Offence) -> None:
        log.warning("rows were not taken", code=offence.code, why=offence.message)
        self._drop(connected)

    def _answer(self, connected: socket.socket, session: Session, kind: int, argument: bytes) -> None:
        session.line.is_local = True
        if kind == HELLO:
            connected.send(b"\1")
        elif kind == OPEN and len(argument) == HASH_BYTES:
            found = self._files.open_file(MatrixId(argument)) if session.runs.has(argument) else None
            if found is None:
                connected.send(b"\0")
                return
            descriptor, info = found
            try:
                socket.send_fds(connected, [b"\1" + encode(info)], [descriptor])
            finally:
                os.close(descriptor)
        else:
            self._drop(connected)

    def _drop(self, connected: socket.socket) -> None:
        if connected in self._open:
            asyncio.get_running_loop().remove_reader(connected)
            self._open.discard(connected)
            connected.close()


def _close(work: Coroutine[Any, Any, None]) -> None:
    work.close()


def _map(descriptor: int) -> NDArray[np.uint8]:
    """Map a file that the worker has sealed. What it holds may change at any time.

    Raises:
        Offence: "rows-out-of-order": it could be cut off while it is read.
    """
    if fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) & SEALS != SEALS:
        raise Offence("rows-out-of-order", "rows are handed over in a file that is sealed against shrinking")
    size = os.fstat(descriptor).st_size
    return np.frombuffer(mmap.mmap(descriptor, size, prot=mmap.PROT_READ) if size else b"", np.uint8)


def _is_same_user(connected: socket.socket) -> bool:
    size = array.array("i", [0, 0, 0]).itemsize * 3
    _, user, _ = struct.unpack("3i", connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return bool(user == os.geteuid())
