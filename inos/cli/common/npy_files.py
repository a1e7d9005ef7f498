"""Matrices in .npy files, and bytes in any: read without unpickling, and written so that a file is whole or absent."""

import os
import tempfile
import tokenize
import zipfile
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
ZIP_MAGIC: Final = b"PK\x03\x04"
TABLES: Final = frozenset({".csv", ".tsv", ".parquet", ".feather", ".xlsx", ".json"})
_TABLE_HINT: Final = (
    "in Python inos.matmul multiplies tables and keeps their labels: inos.matmul(pandas.read_csv(path, index_col=0), b)"
)
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
        hint = _TABLE_HINT if path.suffix.lower() in TABLES else _HINT
        fail("bad-npy", f"{path} is not a .npy file with a matrix of numbers: {error}", hint)


def load_numbers(path: Path) -> Any:
    """Return the array in a .npy file, or what is alone in a .npz file: an array, or a sparse matrix of scipy.

    Raises:
        CommandError: as `load_matrix`; "many-arrays", or "not-installed" without scipy.
    """
    try:
        with path.expanduser().open("rb") as file:
            if file.read(len(ZIP_MAGIC)) != ZIP_MAGIC:
                return load_matrix(path)
            file.seek(0)
            archive = np.load(file, allow_pickle=False)
            if {"format", "shape", "data"} <= set(archive.files):
                return _load_sparse(path)
            if len(archive.files) == 1:
                return archive[archive.files[0]]
            names = ", ".join(archive.files)
    except OSError as error:
        fail("file-unreadable", f"cannot read {path}: {error.strerror or error}")
    except (zipfile.BadZipFile, *NPY_ERRORS) as error:
        fail("bad-npy", f"{path} is not a .npz file with a matrix of numbers: {error}", _HINT)
    fail("many-arrays", f"{path} holds {names}", "write the one to multiply by numpy.save(path, array)")


def _load_sparse(path: Path) -> Any:
    try:
        from scipy.sparse import load_npz
    except ImportError:
        hint = "pip install scipy; or write it by numpy.save(path, matrix.toarray())"
        fail("not-installed", f"{path} is a sparse matrix of scipy, which is not installed", hint)
    return load_npz(path.expanduser())


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
