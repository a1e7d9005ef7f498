"""The worker's end of the node's Unix socket: operands as files, rows as a sealed file."""

import fcntl
import mmap
import os
import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from inos.mesh.files import MatrixInfo
from inos.primitives.codec import decode
from inos.workers.local import ASSIGNMENT_BYTES, HAND, HELLO, OPEN, is_supported, name_socket
from inos.workers.messages import Local

TIMEOUT_S: Final = 10.0
MAX_ANSWER: Final = 256
ENTRY_BYTES: Final = 4


class _RowsFile:
    """A file in memory that the node maps too. It is sealed so that it is not cut off while the node reads."""

    def __init__(self, size: int) -> None:
        self.descriptor: Final = os.memfd_create("rows", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(self.descriptor, size)
            fcntl.fcntl(self.descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
            self.array: Final = np.frombuffer(mmap.mmap(self.descriptor, size), np.uint8)
        except BaseException:
            os.close(self.descriptor)
            raise
        self.is_known = False
        """The node has the descriptor."""


class LocalClient:
    """Talks with the node over its socket. Every call waits for the node, so it runs in a thread."""

    def __init__(self, connected: socket.socket, key: bytes) -> None:
        self._socket = connected
        self._key = key
        self._lock = threading.Lock()
        """One call goes on at a time: a piece may be cancelled, and another one begin, while rows are handed over."""
        self._file: _RowsFile | None = None

    @classmethod
    def connect(cls, local: Local) -> Self | None:
        """Connect, or return None if the node is on another machine, or belongs to another user."""
        if not is_supported():
            return None
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            connected.settimeout(TIMEOUT_S)
            with name_socket(Path(local.path)) as name:
                connected.connect(name)
            client = cls(connected, local.key)
            client._ask(HELLO, b"")
        except OSError:
            connected.close()
            return None
        return client

    def open(self, operand: bytes) -> tuple[int, MatrixInfo] | None:
        """Return a descriptor of an operand's file and what it holds, or None if the node has none.

        Raises:
            OSError: the node does not answer. CodecError: it answers nonsense.
        """
        with self._lock:
            answer, descriptors = self._ask(OPEN, operand)
        if answer[:1] != b"\1" or not descriptors:
            return None
        return descriptors[0], decode(MatrixInfo, answer[1:], limit=MAX_ANSWER)

    def get_rows(self, rows: int, cols: int) -> NDArray[np.int32]:
        """Return memory for the rows of a piece, which `hand` hands over. It is the same for each piece, since the
        system takes as long to clear new memory as to copy into it.

        Raises:
            OSError: there is not enough memory.
        """
        size = ENTRY_BYTES * rows * cols
        with self._lock:
            if self._file is None or self._file.array.nbytes < size:
                self._close_file()
                self._file = _RowsFile(1 << (size - 1).bit_length())
            return self._file.array[:size].view(np.int32).reshape(rows, cols)

    def hand(self, assignment: int) -> None:
        """Hand over the rows of a piece. When this returns, the node has copied them.

        Raises:
            OSError: the node does not take them.
        """
        with self._lock:
            assert self._file is not None, "there are no rows without a call of `get_rows`"
            descriptors = [] if self._file.is_known else [self._file.descriptor]
            self._ask(HAND, assignment.to_bytes(ASSIGNMENT_BYTES, "big"), descriptors)
            self._file.is_known = True

    def close(self) -> None:
        with self._lock:
            self._close_file()
            self._socket.close()

    def _close_file(self) -> None:
        if self._file is not None:
            os.close(self._file.descriptor)
            self._file = None

    def _ask(self, kind: int, argument: bytes, descriptors: Sequence[int] = ()) -> tuple[bytes, list[int]]:
        socket.send_fds(self._socket, [self._key + bytes([kind]) + argument], list(descriptors))
        answer, received, _, _ = socket.recv_fds(self._socket, MAX_ANSWER, 1)
        if not answer:
            raise ConnectionError("the node closed its socket")
        return answer, received
