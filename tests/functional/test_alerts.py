"""The alerts for Prometheus fire when they should and clear again, by Prometheus' own rule tester."""

import shutil
import subprocess
from pathlib import Path

import pytest

from support.documents import ROOT

RULES = Path(__file__).with_name("alerts.test.yml")


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool (Debian: prometheus)")
def test_alerts_fire_and_clear(tmp_path: Path) -> None:
    shutil.copy(ROOT / "deploy" / "alerts.yml", tmp_path)
    shutil.copy(RULES, tmp_path)
    for command in (
        ("check", "rules", "alerts.yml"),
        ("check", "config", "prometheus.yml"),
        ("test", "rules", RULES.name),
    ):
        shutil.copy(ROOT / "deploy" / "prometheus.yml", tmp_path)
        done = subprocess.run(["promtool", *command], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd")
def test_the_unit_is_understood_by_systemd(tmp_path: Path) -> None:
    unit = (ROOT / "deploy" / "inos.service").read_text()
    # The program's place is not that of this machine, and the page is there once the wheel is installed.
    unit = unit.replace("ExecStart=/opt/inos/current/bin/inos", f"ExecStart={shutil.which('true')}")
    unit = "".join(
        line for line in unit.splitlines(keepends=True) if not line.startswith(("Documentation=", "User=", "Group="))
    )
    (tmp_path / "inos.service").write_text(unit)
    command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / "inos.service")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    said = [line for line in done.stderr.splitlines() if "inos.service" in line]
    assert said == [], done.stderr
