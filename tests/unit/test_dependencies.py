"""The lock file holds what pyproject.toml asks for, with hashes, and `make setup` finds or fetches a Python for it."""

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from support.documents import ROOT

PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text())
SCRIPT: Final = ROOT / "tools" / "fetch_python.sh"
PYTHON: Final = """#!/bin/sh
# Stands for Python 3.14: it makes environments whose pip installs the uv below.
case "$*" in
    "-c import sys"*) exit 0 ;;
    "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && cp "$UV" "$3/bin/uv" ;;
    "-m pip install "*) echo "pip $*" >> "$TOLD" ;;
esac
"""
UV: Final = """#!/bin/sh
echo "uv $*" >> "$TOLD"
"""


def list_wanted() -> Iterator[Requirement]:
    """Yield what the package and the extra `dev` require."""
    extras = PROJECT["project"]["optional-dependencies"]
    (dev,) = (Requirement(text) for text in extras["dev"])
    texts = [*PROJECT["project"]["dependencies"], *PROJECT["build-system"]["requires"]]
    yield from map(Requirement, texts + [text for extra in sorted(dev.extras) for text in extras[extra]])


def read_lock(path: Path) -> list[tuple[Requirement, list[str]]]:
    """Return the pinned packages with their hashes."""
    text = re.sub(r"^ *#.*\n", "", path.read_text(), flags=re.MULTILINE).replace("\\\n", "")
    lines = [line.split(" --hash=") for line in text.splitlines() if line.strip()]
    return [(Requirement(line[0]), [each.strip() for each in line[1:]]) for line in lines]


def test_what_is_required_is_locked_in_a_version_that_suits() -> None:
    locked = [pinned for pinned, _ in read_lock(ROOT / "requirements.lock")]
    for version in ("3.11", "3.12", "3.13"):
        place = {"python_version": version, "python_full_version": f"{version}.0", "sys_platform": "linux"}
        for wanted in list_wanted():
            if wanted.marker and not wanted.marker.evaluate(place):
                continue
            found = [
                pinned
                for pinned in locked
                if canonicalize_name(pinned.name) == canonicalize_name(wanted.name)
                and (pinned.marker is None or Marker(str(pinned.marker)).evaluate(place))
            ]
            assert len(found) == 1, f"{wanted} for Python {version}: run make lock"
            (pinned,) = found[0].specifier
            assert pinned.operator == "=="
            assert wanted.specifier.contains(pinned.version), f"{wanted} is locked as {found[0]}: run make lock"


def test_a_release_installs_the_versions_that_are_tested() -> None:
    locked = {str(pinned): hashes for pinned, hashes in read_lock(ROOT / "requirements.lock")}
    shipped = {str(pinned): hashes for pinned, hashes in read_lock(ROOT / "deploy" / "requirements.txt")}
    names = {canonicalize_name(Requirement(text).name) for text in shipped}
    required = {canonicalize_name(Requirement(text).name) for text in PROJECT["project"]["dependencies"]}
    assert required <= names
    assert "pytest" not in names
    pins = {text.partition(";")[0].strip(): hashes for text, hashes in locked.items()}
    assert {text for text, hashes in shipped.items() if pins.get(text.partition(";")[0].strip()) != hashes} == set()


@pytest.mark.parametrize("name", ["requirements.lock", "tools/uv.lock", "deploy/requirements.txt"])
def test_every_locked_package_has_its_hashes(name: str) -> None:
    locked = read_lock(ROOT / name)
    assert locked
    for pinned, hashes in locked:
        assert hashes, pinned
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in hashes), pinned


def test_where_no_python_has_all_wheels_uv_fetches_one(tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "dirname", "mktemp", "mkdir", "cp", "rm"):
        (folder / name).symlink_to(subprocess.run(["which", name], capture_output=True, text=True).stdout.strip())
    for path, text in ((folder / "python3.14", PYTHON), (tmp_path / "uv", UV)):
        path.write_text(text)
        path.chmod(0o755)
    environment = {"PATH": str(folder), "UV": str(tmp_path / "uv"), "TOLD": str(tmp_path / "told")}
    command = [str(SCRIPT), str(tmp_path / "venv")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "fetching Python 3.13" in done.stderr
    pip, uv = (tmp_path / "told").read_text().splitlines()
    assert "--require-hashes --requirement" in pip
    assert uv == f"uv venv --quiet --seed --clear --python 3.13 {tmp_path / 'venv'}"
    (folder / "python3.14").unlink()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "no Python found; install one" in done.stderr
