"""A worker delivers a result and serves it to nobody: voters in other processes judge it, and the job opens again."""

import contextlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inos.client.client import Client
from inos.genesis.loading import derive_devnet
from inos.node.process import NodeSpec, start_node, stop_process
from inos.primitives.units import Nano, TimeMs
from inos.wallet.keys import make_key
from support.cluster import ask, await_committee, await_that

pytestmark = pytest.mark.long

POSTER = make_key(bytes(31) + b"\x41")
FUNDS = 100 * 10**9
TESTS = Path(__file__).parents[1]
WITHHOLDS = ("env", f"PYTHONPATH={TESTS}", sys.executable, "-m", "support.withholding_node")
MINES = ("--mine", "auto", "--filler-rate", "5000", "--threads", "1")
JURY = {"jury_size": 3, "jury_window": 60, "challenge_window": 30, "spacing_ms": 1000, "asert_half_life_ms": 30_000}


@pytest.mark.timeout(420)
async def test_a_result_that_nobody_can_fetch_costs_its_worker_the_bond(tmp_path: Path) -> None:
    genesis = tmp_path / "net.json"
    funds = {POSTER.address: Nano(FUNDS)}
    genesis.write_text(derive_devnet("devnet", TimeMs(1_767_225_600_000), funds, params=JURY))
    common = ("--network", str(genesis), "--rpc-port", "0", "--p2p-port", "0", "--log-format", "json", *MINES)
    async with contextlib.AsyncExitStack() as stack:

        async def start(name: str, *flags: str, peers: tuple[str, ...] = (), prefix: tuple[str, ...] = ()) -> Any:
            node = await start_node(NodeSpec(name, tmp_path / name, (*common, *flags), prefix), peers)
            stack.push_async_callback(stop_process, node.process)
            return node

        first = await start("first", "--purpose", "filler")
        second = await start("second", "--purpose", "filler", peers=(first.p2p_address,))
        peers = (first.p2p_address, second.p2p_address)
        cheat = await start("cheat", "--no-vote", "--filler-rate", "1000", peers=peers, prefix=WITHHOLDS)
        await await_committee(first.rpc_url, 2)
        client = await stack.enter_async_context(Client(first.rpc_url, wallet=POSTER))
        rng = np.random.default_rng(7)
        x, w = (rng.integers(-64, 64, (512, 1024), np.int8) for _ in range(2))
        job = await client.post_job(x, w, reward="1", mode="optimistic")

        async def read_job(*unwanted: str) -> Any:
            found = await ask(first.rpc_url, "job_get", {"id": job})
            return None if found["state"] in unwanted else found

        delivered = await await_that("the cheat delivers", lambda: read_job("open", "claimed"), 120)
        await stop_process(cheat.process)  # otherwise it might claim the job again
        await client.dispute(job)
        await await_that("a jury decides", lambda: read_job("delivered", "disputed"), 240)
        events = (await ask(first.rpc_url, "job_history", {"id": job}))["events"]
        kinds = [event["event"] for event in events]
        assert kinds == ["posted", "claimed", "delivered", "disputed", "rejected"]
        bond, fee = int(delivered["bond"]), -(-int(delivered["bond"]) // 8)
        moved = await list_movements(first.rpc_url, delivered["worker"], job)
        assert moved == [("claim_bond_locked", bond), ("result_rejected", -bond)]
        own = await list_movements(first.rpc_url, await client.get_address(), job)
        assert own[-3:] == [("dispute_staked", bond + fee), ("stake_returned", -bond - fee), ("dispute_paid", 0)]
        paid = 0
        for member in (await ask(first.rpc_url, "finality_committee"))["members"]:
            entries = await read_entries(first.rpc_url, member["address"])
            paid += sum(int(each["balance"]) for each in entries if each["reason"] == "jury_paid")
        assert fee - 3 < paid <= fee
        assert int((await client.account()).balance) > FUNDS - int(delivered["reward"]) - 10**9


async def list_movements(url: str, address: str, job: str) -> list[tuple[str, int]]:
    """Return reasons and changes of bonds of what a job moved on an account, oldest first."""
    return [(each["reason"], int(each["bonded"])) for each in await read_entries(url, address) if each["job"] == job]


async def read_entries(url: str, address: str) -> list[dict[str, Any]]:
    page = await ask(url, "state_getHistory", {"address": address, "limit": 1000})
    return [movement for entry in reversed(page["entries"]) for movement in entry["movements"]]
