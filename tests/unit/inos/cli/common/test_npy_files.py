"""Matrices in .npy files: a file that is not exactly what its header says is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from inos.cli.common.npy_files import load_matrix, open_matrix
from inos.cli.common.output import CommandError

INTEGERS = np.arange(-60, 60, dtype=np.int8).reshape(12, 10)
ARRAYS = {
    "int8": INTEGERS,
    "int32": INTEGERS.astype(np.int32) << 8,
    "column-major": np.asfortranarray(INTEGERS),
    "floats": INTEGERS / 7,
    "a vector": INTEGERS[0].copy(),
}
DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "one byte more": lambda data: data + b"\0",
    "a line end more": lambda data: data + b"\n",
    "another file behind it": lambda data: data + data,
    "cut by one byte": lambda data: data[:-1],
    "cut in its header": lambda data: data[:40],
    "only a header": lambda data: data[:128],
    "line ends of Windows": lambda data: data.replace(b"\n", b"\r\n"),
    "line ends of Unix": lambda data: data.replace(b"\r\n", b"\n"),
    "nothing": lambda data: b"",
}


@pytest.mark.parametrize("name", ARRAYS)
def test_what_numpy_wrote_is_read(name: str, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", ARRAYS[name])
    for read in (load_matrix, open_matrix):
        found = read(tmp_path / "a.npy")
        assert found.dtype == ARRAYS[name].dtype
        assert np.array_equal(found, ARRAYS[name])


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", ARRAYS)
def test_files_of_another_size_are_refused(name: str, damage: str, tmp_path: Path) -> None:
    path, array = tmp_path / "a.npy", ARRAYS[name].copy(order="K")
    array.reshape(-1, order="A").view(np.uint8)[3:5] = 13, 10  # a line end in the data too
    np.save(path, array)
    data = path.read_bytes()
    spoiled = DAMAGE[damage](data)
    assert spoiled != data
    path.write_bytes(spoiled)
    for read in (load_matrix, open_matrix):
        with pytest.raises(CommandError) as caught:
            read(path)
        assert caught.value.code == "bad-npy"
        assert str(path) in caught.value.message
