"""Tests the container file with its contents, and the systemd unit."""

import re
from pathlib import Path
from typing import Final

from support.bare_names import BARE_NAMES
from support.documents import ROOT

CONTAINER: Final = ROOT / "deploy" / "Containerfile"
FILES: Final = frozenset({"docs/*.md", "LICENSE", "MANIFEST.in", "README.md", "pyproject.toml", "setup.py"})


def test_the_build_of_a_container_takes_the_sources_and_nothing_else() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == BARE_NAMES | FILES | {"inos"}
    assert [line for line in lines[1:] if not line.startswith("!")] == ["**/__pycache__", "**/*.so"]


def test_the_container_runs_as_a_user_with_a_number_that_owns_the_volume() -> None:
    text = CONTAINER.read_text()
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE) == ["8645:8645"]
    assert "groupadd --system --gid 8645 inos && useradd --system --uid 8645 --gid 8645" in text


def test_each_published_port_is_one_that_the_node_serves_to_other_hosts() -> None:
    text = CONTAINER.read_text()
    published = re.findall(r"-p (?:127\.0\.0\.1:)?(\d+):\1", text)
    assert published == ["8646", "8645"]
    assert set(published) < set(re.findall(r"^EXPOSE (.*)$", text, re.MULTILINE)[0].split())
    assert "INOS_RPC_HOST=0.0.0.0" in text
    assert '"--p2p-host", "0.0.0.0"' in text


def test_the_unit_installs_from_this_repository() -> None:
    unit = Path(ROOT / "deploy" / "inos.service").read_text()
    assert "pip install PATH-OF-THIS-REPOSITORY" in unit
