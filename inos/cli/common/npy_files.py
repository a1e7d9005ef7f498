"""Matrices in .npy files, and bytes in any: read without unpickling, and written so that a file is whole or absent."""

import os
import tempfile
import tokenize
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from inos.cli.common.output import fail

MAGIC: Final = np.lib.format.MAGIC_PREFIX
NPY_ERRORS: Final = (
    ValueError,
    SyntaxError,
    TypeError,
    EOFError,
    OverflowError,
    MemoryError,
    LookupError,
    RecursionError,
    tokenize.TokenError,
)
"""The errors that numpy's reader raises for files of another kind."""
_HINT: Final = "write it with numpy.save(path, array), and copy it as binary, without translating line ends"


def load_matrix(path: Path) -> NDArray[Any]:
    """Return the array in a .npy file, of any dtype but objects.

    Raises:
        CommandError: "file-unreadable", or "bad-npy" if the file is of another kind, holds objects, or is shorter
            or longer than its header says.
    """
    try:
        with path.expanduser().open("rb") as file:
            array = np.asarray(np.lib.format.read_array(file, allow_pickle=False))
            if file.read(1):
                raise ValueError(
                    f"it goes on behind the {array.nbytes} bytes of an array {array.shape} of {array.dtype}"
                )
            return array
    except OSError as error:
        fail("file-unreadable", f"cannot read {path}: {error.strerror or error}")
    except NPY_ERRORS as error:
        fail("bad-npy", f"{path} is not a .npy file with a matrix of numbers: {error}", _HINT)


def is_npy(path: Path) -> bool:
    """Return True if a file is to hold a matrix of numbers: by its name, or by the bytes that it begins with.

    Raises:
        CommandError: "file-unreadable".
    """
    try:
        with path.expanduser().open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC or path.suffix == ".npy"
    except OSError as error:
        fail("file-unreadable", f"cannot read {path}: {error.strerror or error}")


def load_bytes(path: Path) -> NDArray[np.uint8]:
    """Return the bytes of a file, mapped and not read, since they may be larger than memory.

    Raises:
        CommandError: "file-unreadable".
    """
    path = path.expanduser()
    try:
        return np.memmap(path, np.uint8, "r") if path.stat().st_size else np.empty(0, np.uint8)
    except (OSError, ValueError) as error:
        fail("file-unreadable", f"cannot read {path}: {error}")


def open_matrix(path: Path) -> NDArray[Any]:
    """Return the array in a .npy file; integers are mapped and not read, since they may be larger than memory.

    Raises:
        CommandError: for the same reasons as `load_matrix`.
    """
    try:
        mapped = np.lib.format.open_memmap(path.expanduser(), "r")
        is_whole = path.expanduser().stat().st_size == mapped.offset + mapped.nbytes
    except (OSError, *NPY_ERRORS):
        return load_matrix(path)  # raises the error that says what is wrong
    return mapped if is_whole and mapped.dtype.kind in "iu" and mapped.flags.c_contiguous else load_matrix(path)


def check_writable(path: Path) -> Path:
    """Return a result's path with `~` resolved; it is checked before anything is paid for the result.

    Raises:
        CommandError: "file-unwritable".
    """
    resolved = path.expanduser()
    folder = resolved.parent
    if not folder.is_dir():
        fail("file-unwritable", f"cannot write {path}: there is no folder {folder}")
    if not os.access(folder, os.W_OK) or resolved.is_dir():
        fail("file-unwritable", f"cannot write {path}")
    return resolved


def save_matrix(path: Path, array: NDArray[Any]) -> None:
    """Write a .npy file: a temporary one beside it first, which then takes its name.

    Raises:
        CommandError: "file-unwritable".
    """
    _replace(path, lambda file: np.lib.format.write_array(file, array, allow_pickle=False))


def save_bytes(path: Path, data: NDArray[np.uint8]) -> None:
    """Write bytes as they are, as `save_matrix` writes a matrix; it raises the same errors."""
    _replace(path, lambda file: file.write(data.data))


def _replace(path: Path, write: Callable[[BinaryIO], object]) -> None:
    path = path.expanduser()
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, 0o644)
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        fail("file-unwritable", f"cannot write {path}: {error.strerror or error}")
