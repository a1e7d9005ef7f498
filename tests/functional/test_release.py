"""A release has the same bytes wherever it is built, holds what git has, and can be installed without a network."""

import hashlib
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import distribution, version
from pathlib import Path
from typing import Final

import pytest
from packaging.requirements import Requirement
from packaging.tags import sys_tags

from support.documents import ROOT

ARM: Final = "linux_aarch64" if platform.machine() == "x86_64" else "none"
AARCH64: Final = 183
"""The number of the processor in an ELF file."""

pytestmark = [pytest.mark.long, pytest.mark.timeout(3300)]


def build(out: Path, *options: str) -> dict[str, Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("the sources are no git checkout, and a release is made of a commit")
    command = [sys.executable, str(ROOT / "tools" / "release.py"), "--out", str(out), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1500)
    assert done.returncode == 0, done.stderr
    files = {path.name.rpartition(".")[2]: path for path in map(Path, done.stdout.split()) if ARM not in path.name}
    assert re.fullmatch(rf"inos-{version('inos')}-cp311-abi3-\w+\.whl", files["whl"].name)
    return files


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return build(tmp_path_factory.mktemp("release") / "first")


def test_a_release_is_reproducible_and_whole(release: dict[str, Path], tmp_path: Path) -> None:
    first, second = release, build(tmp_path / "elsewhere" / "second", "--no-arm")
    assert first.keys() == {"gz", "whl", "sh", "txt", "SHA256SUMS"}
    for kind in first.keys() - {"SHA256SUMS"}:
        assert first[kind].read_bytes() == second[kind].read_bytes(), f"{first[kind].name} differs"
    folder = first["SHA256SUMS"].parent
    assert {path.name for path in folder.iterdir() if ARM not in path.name} == {path.name for path in first.values()}
    checked = subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=folder, capture_output=True)
    assert checked.returncode == 0
    assert len((folder / "SHA256SUMS").read_text().splitlines()) == len(list(folder.iterdir())) - 1
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


@pytest.mark.skipif(platform.machine() != "x86_64", reason="cross compiling starts on x86-64")
@pytest.mark.skipif(shutil.which("aarch64-linux-gnu-gcc") is None, reason="no cross compiler (gcc-aarch64-linux-gnu)")
def test_the_wheel_for_arm_has_all_extensions_for_that_processor(release: dict[str, Path]) -> None:
    (wheel,) = release["whl"].parent.glob(f"*{ARM}*.whl")
    with zipfile.ZipFile(release["whl"]) as ours, zipfile.ZipFile(wheel) as theirs:
        assert {*ours.namelist()} == {*theirs.namelist()}
        extensions = [name for name in theirs.namelist() if name.endswith(".so")]
        heads = [theirs.read(name)[:20] for name in extensions]
    assert len(extensions) == 3
    assert {int.from_bytes(head[18:20], "little") for head in heads} == {AARCH64}


def pack_again(name: str, folder: Path) -> str:
    """Write the wheel that a package of this environment was installed from, as far as its files tell, and return its
    line in requirements.txt."""
    package = distribution(name)
    files = {str(each): each for each in package.files or () if not str(each).startswith("..")}
    (about,) = (each for each in files if each.endswith(".dist-info/WHEEL"))
    tags = re.findall(r"^Tag: (\S+)$", files[about].read_text(), re.MULTILINE)
    tag = next(tag for tag in map(str, sys_tags()) if tag in tags)
    wheel = folder / f"{about.partition('.dist-info/')[0]}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w") as packed:
        for inside, each in files.items():
            if "__pycache__" not in inside and not inside.endswith(("/RECORD", "/INSTALLER", "/REQUESTED")):
                packed.write(each.locate(), inside)
        packed.writestr(about.replace("/WHEEL", "/RECORD"), "".join(f"{inside},,\n" for inside in packed.namelist()))
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return f"{name}=={package.version} --hash=sha256:{digest}\n"


def test_a_release_installs_itself_without_a_network(release: dict[str, Path], tmp_path: Path) -> None:
    folder, prefix, wheelhouse = tmp_path / "release", tmp_path / "prefix", tmp_path / "wheelhouse"
    shutil.copytree(release["SHA256SUMS"].parent, folder)
    wheelhouse.mkdir()
    wanted = (Requirement(line.rstrip("\\ ")) for line in release["txt"].read_text().splitlines() if "==" in line)
    needed = [each.name for each in wanted if each.marker is None or each.marker.evaluate()]
    (folder / "requirements.txt").write_text("".join(pack_again(name, wheelhouse) for name in needed))
    for arm in folder.glob(f"*{ARM}*"):
        arm.unlink()
    sums = [sys.executable, str(ROOT / "tools" / "release.py"), "--sums-only", "--out", str(folder)]
    subprocess.run(sums, check=True, capture_output=True)
    install = ["sh", str(folder / "install.sh"), "--prefix", str(prefix), "--no-service", "--python", sys.executable]
    done = subprocess.run([*install, "--wheelhouse", str(wheelhouse)], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    inos = prefix / "bin" / "inos"
    said = subprocess.run([inos, "--version"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert said.stdout.strip() == f"inos {version('inos')}"
    backends = subprocess.run([inos, "work", "backends"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert "native" in backends.stdout, backends.stderr
    assert (prefix / "current" / "share" / "inos" / "inos.service").is_file()
    gone = subprocess.run([*install, "--uninstall"], capture_output=True, text=True, timeout=60)
    assert (gone.returncode, prefix.exists()) == (0, False), gone.stderr
