"""Trouble with the matrix store."""

import errno
from pathlib import Path
from typing import Final

from inos.primitives.errors import InosError

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class MeshError(InosError):
    """Nobody's fault on the network: "store-full", "disk-full", "disk-refuses", "unknown-matrix", "too-many-pins"."""


def explain(error: OSError, path: Path) -> MeshError:
    """What the disk said, with what can be done about it. What was stored before is still there."""
    if error.errno in FULL:
        return MeshError(
            "disk-full",
            f"a matrix cannot be written to {path}: {error}",
            hint="make room on the disk, or lower the quota (inos mesh quota) so that matrices give way in time",
        )
    return MeshError(
        "disk-refuses",
        f"a matrix cannot be written to {path}: {error}",
        hint="see that the folder is there and may be written",
    )
