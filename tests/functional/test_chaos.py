"""A short chaotic devnet as a user runs it: nodes killed and cut off, a liar among the peers, nothing lost."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

PLAN = "kill=15/min,partition=12/min,delay=20ms,liars=1"


@pytest.mark.timeout(280)
async def test_nothing_is_lost_in_chaos(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "inos", "devnet", "--nodes", "3", "--chaos", PLAN, "--duration", "14s"),
        *("--seed", "5", "--json", "--data-dir", str(tmp_path), "--rpc-port", "0"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    stdout, stderr = await asyncio.wait_for(process.communicate(), 260)
    assert process.returncode == 0, stdout.decode() + stderr.decode()
    report = json.loads(stdout)
    assert report["is_sound"] is True
    assert report["kills"] >= 1
    assert report["partitions"] >= 1
    assert sum(report["lies"].values()) > 10
    assert report["jobs"]["posted"] >= 3
    assert report["jobs"]["settled"] == report["jobs"]["posted"]
    assert report["jobs_lost"] == []
    assert len({node["tip"] for node in report["nodes"]}) == 1
    assert sum(node["bans"] for node in report["nodes"]) >= 1
    assert all(node["honest_bans"] == 0 for node in report["nodes"])
