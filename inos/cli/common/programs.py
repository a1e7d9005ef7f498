"""Programs and their matrices in files: encoded or in the JSON form, .npy files, and files of the mesh by their id."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from inos.cli.common.npy_files import load_matrix
from inos.cli.common.output import fail
from inos.primitives.matrices import MAX_FILE_BYTES, DType
from inos.programs import CheckedProgram, Stored, check_program, decode_program
from inos.programs import json_form as form
from inos.programs.json_form import NamedProgram, read_given, read_json
from inos.programs.limits import PROFILE_PEAK_BYTES, PROFILE_UNITS
from inos.work import matrix_id
from inos.work.files import compute_file_id

ARRAY_OF_FOUR = b"\x94"
"""An encoded program begins with this byte, and no JSON does."""


class ProgramFile(Struct, frozen=True):
    """A checked program, and what its file says beside it."""

    checked: CheckedProgram
    named: NamedProgram | None
    """None for an encoded program, which has no names and holds no inputs."""


def load_program(path: Path) -> ProgramFile:
    """Read and check a program, encoded or in the JSON form.

    Raises:
        CommandError: "file-unreadable". InvalidProgram: the program is not valid.
    """
    data = read_bytes(path, form.MAX_FILE_BYTES)
    named = None if data[:1] == ARRAY_OF_FOUR else read_json(data)
    return ProgramFile(check_program(decode_program(data) if named is None else named.program), named)


def read_bytes(path: Path, limit: int) -> bytes:
    """Return a file's bytes, at most one more than the limit.

    Raises:
        CommandError: "file-unreadable".
    """
    try:
        with path.expanduser().open("rb") as file:
            return file.read(limit + 1)
    except OSError as error:
        fail("file-unreadable", f"cannot read {path}: {error.strerror or error}")
    except ValueError as error:
        fail("file-unreadable", f"cannot read {path}: {error}")


def load_given(file: ProgramFile, paths: Sequence[Path]) -> list[Any]:
    """Return the inputs from .npy files, or those in the program's own file if no file is named.

    Raises:
        CommandError: "file-unreadable", "bad-npy". InvalidInput: the inputs in the program's file are wrong.
    """
    if not paths and file.named is not None and (file.named.given is not None or file.checked.given):
        return list(read_given(file.named, file.checked.given))
    return [load_matrix(path) for path in paths]


def load_stored(options: Sequence[str]) -> dict[bytes, Path]:
    """Return the files of `--stored ID=FILE`.

    Raises:
        CommandError: "bad-setting".
    """
    found = {}
    for option in options:
        id_, separator, path = option.partition("=")
        try:
            key = bytes.fromhex(id_)
        except ValueError:
            key = b""
        if not separator or len(key) != 32:
            fail("bad-setting", f"--stored {option[:100]!r} is not ID=FILE", "write the id as 64 hex digits")
        found[key] = Path(path)
    return found


def read_stored(stored: Stored, paths: dict[bytes, Path]) -> Any:
    """Return the matrix or the bytes of a stored input, compared with its id.

    Raises:
        CommandError: "input-missing", "wrong-matrix", "file-unreadable", "bad-npy".
    """
    path = paths.get(stored.id)
    if path is None:
        fail("input-missing", f"the program needs {stored.id.hex()} of the mesh", "name its file: --stored ID=FILE")
    if stored.dtype is DType.INT7:
        data: Any = load_matrix(path)
        id_ = matrix_id(data)
    else:
        data = read_bytes(path, MAX_FILE_BYTES)
        id_ = compute_file_id(data)
    if id_ != stored.id:
        fail("wrong-matrix", f"{path} is {id_.hex()}, not {stored.id.hex()}", "name the file that has this id")
    return data


def require_light(file: ProgramFile) -> None:
    """End the command if the program exceeds what every juror can run.

    Raises:
        CommandError: "program-too-heavy".
    """
    cost = file.checked.cost
    if cost.peak_bytes > PROFILE_PEAK_BYTES:
        mib, most = -(-cost.peak_bytes // 2**20), PROFILE_PEAK_BYTES // 2**20
        fail("program-too-heavy", f"the program needs {mib} MiB of memory, more than the {most} MiB of a juror")
    if cost.units > PROFILE_UNITS:
        fail("program-too-heavy", f"the program takes {cost.units} units, more than the {PROFILE_UNITS} of a juror")
