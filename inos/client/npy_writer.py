"""An int32 .npy file written row after row, which takes its name once it is complete."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


class NpyWriter:
    """Writes to a temporary file beside `path`; leaving the context without `finish` removes it.

    The file is written and not mapped, so that a full disk raises OSError instead of ending the process.
    """

    def __init__(self, path: Path, shape: tuple[int, int]) -> None:
        self._path = path
        descriptor, self._name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        self._file = os.fdopen(descriptor, "wb")
        header = {"descr": "<i4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, header)

    def __enter__(self) -> "NpyWriter":
        return self

    def __exit__(self, *error: object) -> None:
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            os.unlink(self._name)

    def write(self, rows: NDArray[np.int32]) -> None:
        """Append rows."""
        self._file.write(np.ascontiguousarray(rows, "<i4").data)

    def finish(self) -> None:
        """Force the file to the disk and give it its name."""
        self._file.flush()
        os.fsync(self._file.fileno())
        os.chmod(self._name, 0o644)
        os.replace(self._name, self._path)
