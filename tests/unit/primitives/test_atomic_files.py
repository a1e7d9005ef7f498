"""Small files are replaced whole, or not at all."""

import os
from pathlib import Path
from typing import Any

import pytest

from inos.primitives.atomic_files import replace_file
from support.disks import fill_disk, small_disk


def test_a_file_is_made_and_replaced_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for data in (b"one", b"", b"another"):
        replace_file(path, data)
        assert path.read_bytes() == data
        assert path.stat().st_mode & 0o777 == 0o600
        assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: Any, step: str) -> None:
    path = tmp_path / "file"
    replace_file(path, b"old")

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="No space"):
        replace_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 64 << 10) as folder:
        path = folder / "file"
        replace_file(path, b"old")
        fill_disk(folder)
        with pytest.raises(OSError, match="No space"):
            replace_file(path, bytes(1 << 20))
        assert path.read_bytes() == b"old"
