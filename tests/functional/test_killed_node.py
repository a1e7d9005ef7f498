"""A node that is killed at random moments, while mining and syncing, restarts on a valid tip and ends equal to its
peer.
"""

import asyncio
import os
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from inos.chain.ledger import Ledger
from inos.core.verification.results import StoredResults
from inos.genesis import load_network
from inos.mesh.store import MatrixStore
from inos.node.process import NodeSpec, start_node, stop_process
from inos.primitives.bls import get_bls
from support.cluster import ask, await_one_tip, get_height

pytestmark = pytest.mark.long

KILLS = 25
COMMON = ("--network", "devnet", "--rpc-port", "0", "--p2p-port", "0", "--threads", "1", "--log-format", "json")
MINING = ("--mine", "auto", "--filler-rate", "13000")


def make_seed() -> int:
    seed = int(os.environ.get("INOS_TEST_SEED") or random.SystemRandom().getrandbits(32))
    print(f"INOS_TEST_SEED={seed}")
    return seed


def check_database(data_dir: Path) -> int:
    """Open the database of the killed process, recompute its state from every record, and return the tip's height."""
    network = load_network("devnet")
    results = StoredResults(MatrixStore(data_dir / "matrices"))
    ledger = Ledger.open(data_dir / "ledger", network.params, network.state, results=results, bls=get_bls())
    try:
        ledger.check()
        tip = ledger.view.tip
        assert ledger.view.get_status(tip.id) == "connected"
        return int(tip.header.height)
    finally:
        ledger.close()


async def kill(process: asyncio.subprocess.Process) -> None:
    process.kill()
    await process.wait()


@pytest.mark.timeout(420)
async def test_25_kills_lose_nothing(tmp_path: Path) -> None:
    rng = random.Random(make_seed())
    steady = await start_node(NodeSpec("steady", tmp_path / "steady", (*COMMON, *MINING)))
    spec = NodeSpec("victim", tmp_path / "victim", (*COMMON, *MINING))
    height = 0
    try:
        for round_number in range(KILLS):
            if round_number % 10 == 9:
                # The node starts from nothing again, so that some kills happen during its first sync.
                shutil.rmtree(spec.data_dir)
                height = 0
            victim = await start_node(spec, [steady.p2p_address])
            found = await get_height(victim.rpc_url)
            assert found >= height, f"round {round_number}: restarted at {found}, was at {height}"
            await asyncio.sleep(rng.uniform(0, 1.5))
            await kill(victim.process)
            height = await asyncio.to_thread(check_database, spec.data_dir)
        victim = await start_node(spec, [steady.p2p_address])
        try:
            token = victim.read_token()
            await ask(victim.rpc_url, "miner_stop", token=token)
            # Of two branches of one weight, only another block decides.
            await await_one_tip([victim.rpc_url, steady.rpc_url])
            await ask(steady.rpc_url, "miner_stop", token=steady.read_token())
            head = await await_one_tip([victim.rpc_url, steady.rpc_url])
            assert head["height"] >= height
            audits: list[Any] = [
                await ask(url, "state_supply", {"audit": True}) for url in (victim.rpc_url, steady.rpc_url)
            ]
            assert all(audit["is_conserved"] for audit in audits)
            assert audits[0]["supply"] == audits[1]["supply"]
        finally:
            await stop_process(victim.process)
    finally:
        await stop_process(steady.process)
