"""A release has the same bytes wherever it is built, and holds what git has."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from support.documents import ROOT

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]


def build(out: Path) -> dict[str, Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("the sources are no git checkout, and a release is made of a commit")
    command = [sys.executable, str(ROOT / "tools" / "release.py"), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return {path.name.rpartition(".")[2]: path for path in map(Path, done.stdout.split())}


def test_a_release_is_reproducible_and_whole(tmp_path: Path) -> None:
    first, second = build(tmp_path / "first"), build(tmp_path / "elsewhere" / "second")
    assert first.keys() == {"gz", "whl", "SHA256SUMS"}
    for kind, path in first.items():
        assert path.read_bytes() == second[kind].read_bytes(), f"{path.name} differs"
    checked = subprocess.run(["sha256sum", "--check", "SHA256SUMS"], cwd=tmp_path / "first", capture_output=True)
    assert checked.returncode == 0
    with zipfile.ZipFile(first["whl"]) as wheel:
        names = wheel.namelist()
    with tarfile.open(first["gz"]) as archive:
        members = archive.getmembers()
    assert any(name.endswith("_kernels.abi3.so") for name in names)
    assert not [name for name in names if name.startswith(("tests/", "inos/tests"))]
    assert len({member.mtime for member in members}) == 1
    assert {(member.uid, member.uname) for member in members} == {(0, "")}
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    ours = ("chain/", "consensus/", "wallet/")
    sources = {f"inos/{name}" for name in listed.stdout.split("\n") if name.startswith(ours)}
    assert sources <= {member.name.partition("/")[2] for member in members}
