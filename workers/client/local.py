"""The worker's end of the node's Unix socket: operands as files, rows as a sealed file."""

import fcntl
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from inos.mesh.files import MatrixInfo
from inos.primitives.codec import decode
from inos.workers.local import HAND, HELLO, OPEN, is_supported, name_socket
from inos.workers.messages import Local

TIMEOUT_S: Final = 10.0
MAX_ANSWER: Final = 256


class LocalClient:
    """Talks with the node over its socket. Every call waits for the node, so it runs in a thread."""

    def __init__(self, connected: socket.socket, key: bytes) -> None:
        self._socket = connected
        self._key = key

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
        answer, descriptors = self._ask(OPEN, operand)
        if answer[:1] != b"\1" or not descriptors:
            return None
        return descriptors[0], decode(MatrixInfo, answer[1:], limit=MAX_ANSWER)

    def hand(self, assignment: int, slices: Sequence[NDArray[Any]]) -> None:
        """Hand over the rows of a piece, made in slices.

        Raises:
            OSError: the node does not take them.
        """
        descriptor = os.memfd_create("rows", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            for rows in slices:
                view = np.ascontiguousarray(rows).data.cast("B")
                while view:
                    view = view[os.write(descriptor, view) :]
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
            self._ask(HAND, assignment.to_bytes(4, "big"), [descriptor])
        finally:
            os.close(descriptor)

    def close(self) -> None:
        self._socket.close()

    def _ask(self, kind: int, argument: bytes, descriptors: Sequence[int] = ()) -> tuple[bytes, list[int]]:
        socket.send_fds(self._socket, [self._key + bytes([kind]) + argument], list(descriptors))
        answer, received, _, _ = socket.recv_fds(self._socket, MAX_ANSWER, 1)
        if not answer:
            raise ConnectionError("the node closed its socket")
        return answer, received
