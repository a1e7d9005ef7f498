"""Run `inos devnet --chaos` as a user does: real processes, deliberate failures, and one report."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from support.commands import find_processes_naming, start_inos

LIMIT_S = 400
PLAN = "kill=15/min,partition=12/min,delay=20ms,liars=1"


@pytest.mark.long
@pytest.mark.timeout(LIMIT_S + 30)
async def test_nothing_is_lost_in_chaos(tmp_path: Path) -> None:
    process = await start_inos(
        *("devnet", "--nodes", "3", "--chaos", PLAN, "--duration", "14s", "--seed", "4", "--json"),
        *("--data-dir", str(tmp_path / "net")),
    )
    stdout, stderr = await asyncio.wait_for(process.communicate(), LIMIT_S)
    assert process.returncode == 0, (stdout + stderr).decode()
    report: dict[str, Any] = json.loads(stdout)
    assert report["is_sound"] is True
    assert report["kills"] >= 2
    assert report["partitions"] >= 2
    assert sum(report["lies"].values()) > 10
    assert sum(report["bans"].values()) >= 1
    assert report["one_tip"] is True
    assert report["supply_conserved"] is True
    assert report["jobs"]["posted"] > 0
    assert report["jobs"]["lost"] == []
    assert len({node["tip"] for node in report["nodes"]}) == 1
    assert find_processes_naming(str(tmp_path)) == []
