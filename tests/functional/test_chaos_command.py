"""`inos devnet --chaos` as a user runs it: real processes, everything broken on purpose, one verdict."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from support.commands import find_processes_naming, start_inos

LIMIT_S = 150


@pytest.mark.timeout(LIMIT_S + 30)
async def test_nodes_that_are_killed_end_on_one_chain_with_every_job(tmp_path: Path) -> None:
    process = await start_inos(
        *("devnet", "--nodes", "3", "--chaos", "kill=20/min", "--duration", "12s", "--seed", "4", "--json"),
        *("--data-dir", str(tmp_path / "net")),
    )
    stdout, stderr = await asyncio.wait_for(process.communicate(), LIMIT_S)
    assert process.returncode == 0, (stdout + stderr).decode()
    report: dict[str, Any] = json.loads(stdout)
    assert report["is_sound"] is True
    assert report["kills"] >= 3
    assert report["tips_equal"] is True
    assert report["supply_conserved"] is True
    assert report["jobs"]["posted"] > 0
    assert report["jobs"]["lost"] == []
    assert len({node["tip"] for node in report["nodes"]}) == 1
    assert find_processes_naming(str(tmp_path)) == []
