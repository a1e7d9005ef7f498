"""Two voting processes finalize their chain; one is killed, restarts, and continues without a conflicting vote."""

import contextlib
import json
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from inos.cli import main as cli
from inos.genesis.loading import derive_devnet
from inos.node.process import NodeSpec, start_node, stop_process
from inos.primitives.units import TimeMs
from support.cluster import ask, await_final, await_that

QUICK = {"spacing_ms": 500, "asert_half_life_ms": 5000, "epoch_blocks": 4}
FLAGS = ("--rpc-port", "0", "--p2p-port", "0", "--mine", "auto", "--threads", "1", "--filler-rate", "6500")


@pytest.mark.timeout(240)
async def test_two_voters_finalize_and_one_comes_back(tmp_path: Path) -> None:
    genesis = tmp_path / "quick.json"
    genesis.write_text(derive_devnet("devnet", TimeMs(int(time.time() * 1000)), {}, params=QUICK))
    common = ("--network", str(genesis), *FLAGS, "--vote", "--vote-bond", "1")
    async with contextlib.AsyncExitStack() as stack:
        first = await start_node(NodeSpec("first", tmp_path / "first", common))
        stack.push_async_callback(stop_process, first.process)
        peer = json.loads((tmp_path / "first" / "node.json").read_text())["p2p"]
        spec = NodeSpec("second", tmp_path / "second", (*common, "--peer", peer))
        second = await start_node(spec)
        final = await await_final(first.rpc_url, 0)
        await await_final(second.rpc_url, 0)
        block = await ask(second.rpc_url, "chain_getHeader", {"block": final["final_height"]})
        assert (block["id"], block["finality"]) == (final["final"]["id"], "final")

        second.process.kill()
        await second.process.wait()
        journal = (tmp_path / "second" / "voter.journal").read_text().splitlines()
        again = await start_node(spec)
        stack.push_async_callback(stop_process, again.process)
        status = await await_final(again.rpc_url, final["final_height"] + 8)
        assert status["slashable_keys"] == []
        grown = (tmp_path / "second" / "voter.journal").read_text().splitlines()
        assert grown[: len(journal)] == journal

        async def has_voted() -> bool:  # Its own blocks make it a member of the committee, sooner or later.
            return len((tmp_path / "second" / "voter.journal").read_text().splitlines()) >= 3

        await await_that("the second voter has signed votes", has_voted, 90)
        refused = export(genesis, tmp_path / "second")
        assert "data-dir-in-use" in refused.output
    written = export(genesis, tmp_path / "second")
    assert written.exit_code == 0, written.output
    votes = json.loads(written.stdout)["data"][0]["signed_attestations"]
    targets = [int(vote["target_epoch"]) for vote in votes]
    assert len(targets) >= 2
    assert targets == sorted(set(targets))


def export(genesis: Path, folder: Path) -> Any:
    return CliRunner().invoke(cli.app, ["finality", "export", "--network", str(genesis), "--data-dir", str(folder)])
