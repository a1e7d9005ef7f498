"""Disks that refuse: full ones, and read-only ones. Mounting them takes root; elsewhere their tests are skipped."""

import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def limit_file_size(limit: int) -> Iterator[None]:
    """Let no file of this process grow beyond `limit` bytes; Python ignores the signal that comes with a refusal."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def small_disk(path: Path, size: int) -> Iterator[Path]:
    """Mount a file system of `size` bytes in memory at a new folder; skip the test where that is not allowed."""
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def make_read_only(path: Path) -> None:
    """Let nothing be written any more to a file system that `small_disk` mounted."""
    subprocess.run(["mount", "-o", "remount,ro", str(path)], check=True)


def fill_disk(path: Path) -> Path:
    """Leave no room on the file system of a folder; return the file that takes it, to be deleted."""
    file = path / "filler"
    with file.open("wb", buffering=0) as out:
        for block in (1 << 16, 4096):
            try:
                while out.write(bytes(block)) == block:
                    pass
            except OSError:
                continue
    return file
