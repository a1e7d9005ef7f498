"""What both ends of the Unix socket share: its packets, and names of sockets whose path is too long for the system."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

KEY_BYTES: Final = 16
HELLO: Final = 0
OPEN: Final = 1
HAND: Final = 2
ASSIGNMENT_BYTES: Final = 4
MAX_NAME_BYTES: Final = 100
"""The system takes names of up to 107 bytes."""


def is_supported() -> bool:
    """Return True where sockets of packets, sealed files and /proc are there, which is Linux."""
    return sys.platform == "linux" and hasattr(socket, "SOCK_SEQPACKET") and hasattr(os, "memfd_create")


@contextmanager
def name_socket(path: Path) -> Iterator[str]:
    """Yield a name to bind or connect a Unix socket by, however long its path is."""
    if len(os.fsencode(path)) <= MAX_NAME_BYTES:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
