"""Defines the errors of the matrix store."""

import errno
from pathlib import Path
from typing import Final

from inos.primitives.errors import InosError

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class MeshError(InosError):
    """Reports that this node's store failed or refused a matrix: "store-full", "disk-full", "disk-refuses",
    "unknown-matrix", "too-many-pins", "matrix-too-large"."""


def explain(error: OSError, path: Path) -> MeshError:
    """Return the error for what the disk reported, with a hint. Matrices stored before are still there."""
    if error.errno in FULL:
        return MeshError(
            "disk-full",
            f"a matrix cannot be written to {path}: {error}",
            hint="make room on the disk, or lower the quota (inos mesh quota) so that matrices are evicted in time",
        )
    return MeshError(
        "disk-refuses",
        f"a matrix cannot be written to {path}: {error}",
        hint="check that the folder exists and is writable",
    )
