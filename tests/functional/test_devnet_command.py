"""Run the devnet as a user does: one command, real processes, one JSON object, and no process left afterwards."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import pytest

from support.commands import find_processes_naming, start_inos

LIMIT_SECONDS = 180
"""The promise of the README: eight jobs in under three minutes on two cores."""


@pytest.mark.timeout(LIMIT_SECONDS + 60)
async def test_eight_jobs_settle_and_the_books_balance(tmp_path: Path) -> None:
    process = await start_inos(
        *("devnet", "--until-jobs", "8", "--json", "--rpc-port", "0", "--data-dir", str(tmp_path / "net"))
    )
    stdout, stderr = await asyncio.wait_for(process.communicate(), LIMIT_SECONDS)
    assert process.returncode == 0, stderr.decode()
    report: dict[str, Any] = json.loads(stdout)
    assert report["jobs_settled"] >= 8
    assert report["accuracy"] > 0.90
    assert report["tips_equal"] is True
    assert report["supply_conserved"] is True
    assert report["height"] > 0
    assert report["paid_share"] > 0
    assert len(report["nodes"]) == 3
    assert find_processes_naming(str(tmp_path)) == []


@pytest.mark.timeout(150)
async def test_ctrl_c_stops_every_process(tmp_path: Path) -> None:
    process = await start_inos("devnet", "--json", "--rpc-port", "0", "--data-dir", str(tmp_path / "net"))
    async with asyncio.timeout(60):
        while len(list((tmp_path / "net").glob("*/node.json"))) < 3:
            assert process.returncode is None, (await process.communicate())[1].decode()
            await asyncio.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, stderr = await asyncio.wait_for(process.communicate(), 40)
    assert b"Traceback" not in stderr
    assert process.returncode == 130
    assert find_processes_naming(str(tmp_path)) == []
