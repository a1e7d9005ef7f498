"""A result has one wrong entry in 16 million: the worker loses its bond, the watcher is paid, and another miner does
the job.
"""

import contextlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inos.client.client import Client
from inos.genesis.loading import derive_devnet, load_network
from inos.node.process import NodeSpec, RunningNode, start_node, stop_process
from inos.primitives.units import Nano, TimeMs
from inos.wallet.addresses import encode_address
from inos.wallet.keys import make_key
from support.cluster import ask, await_committee, await_that

pytestmark = pytest.mark.long

POSTER, WATCHER = make_key(bytes(31) + b"\x31"), make_key(bytes(31) + b"\x32")
FUNDS = 100 * 10**9
TESTS = Path(__file__).parents[1]
CHEATS = ("env", f"PYTHONPATH={TESTS}", sys.executable, "-m", "support.cheating_node")
MINES = ("--mine", "auto", "--filler-rate", "10000", "--threads", "1")


@pytest.mark.timeout(300)
async def test_a_wrong_result_costs_its_worker_the_bond(tmp_path: Path) -> None:
    genesis = tmp_path / "net.json"
    params = {"challenge_window": 10, "spacing_ms": 1000, "asert_half_life_ms": 30_000}
    funds = {key.address: Nano(FUNDS) for key in (POSTER, WATCHER)}
    genesis.write_text(derive_devnet("devnet", TimeMs(1_767_225_600_000), funds, params=params))
    watch_key = tmp_path / "watch.key"
    watch_key.write_text(WATCHER.secret.hex())
    watch_key.chmod(0o600)
    common = ("--network", str(genesis), "--rpc-port", "0", "--p2p-port", "0", "--log-format", "json")
    watcher_address = encode_address(load_network(str(genesis)).hrp, WATCHER.address)

    async with contextlib.AsyncExitStack() as stack:

        async def start(name: str, *flags: str, peers: tuple[str, ...] = (), prefix: tuple[str, ...] = ()) -> Any:
            node = await start_node(NodeSpec(name, tmp_path / name, (*common, *flags), prefix), peers)
            stack.push_async_callback(stop_process, node.process)
            return node

        watcher: RunningNode = await start("watcher", "--watch", "--watch-key-file", str(watch_key))
        slow = (*MINES, "--filler-rate", "1000", "--no-vote")  # The judge needs half of what is mined.
        cheat: RunningNode = await start("cheat", *slow, peers=(watcher.p2p_address,), prefix=CHEATS)
        # A claim needs a voter who could judge it.
        judge: RunningNode = await start("judge", *MINES, "--purpose", "filler", peers=(watcher.p2p_address,))
        await await_committee(watcher.rpc_url, 1)
        client = await stack.enter_async_context(Client(watcher.rpc_url, wallet=POSTER))
        rng = np.random.default_rng(7)
        x, w = (rng.integers(-64, 64, (4096, 1024), np.int8) for _ in range(2))
        job = await client.post_job(x, w, reward="5", mode="optimistic")

        async def read_job() -> Any:
            return await ask(watcher.rpc_url, "job_get", {"id": job})

        async def is_claimed() -> Any:
            found = await read_job()
            return found if found["state"] != "open" else None

        claimed = await await_that("the cheat takes the job", is_claimed, 120)
        assert claimed["mode"] == "optimistic"
        wrong_doer, bond = claimed["worker"], int(claimed["bond"])
        # From here on there is an honest miner too, which cannot claim the job as long as the cheat holds it.
        honest: RunningNode = await start("honest", *MINES, peers=(watcher.p2p_address, judge.p2p_address))

        async def is_found_out() -> bool:
            status = await ask(watcher.rpc_url, "watch_status", token=watcher.read_token())
            return bool(status["wrong"])

        await await_that("the watcher finds the wrong entry", is_found_out, 90)
        await stop_process(cheat.process)  # It may have claimed the job again before it stops.
        settled = await client.wait_job(job, 150)

        events = (await ask(watcher.rpc_url, "job_history", {"id": job}))["events"]
        rounds = sum(event["event"] == "challenged" for event in events)
        assert rounds >= 1
        # A claim that the cheat made just before it stopped has lapsed.
        is_lapsed = any(event["event"] == "lapsed" for event in events)
        assert [(event["event"], event["worker"]) for event in events] == [
            ("posted", None),
            *((kind, wrong_doer) for kind in ("claimed", "delivered", "challenged") * rounds),
            *((kind, wrong_doer) for kind in ("claimed", "lapsed") * is_lapsed),
            *((kind, settled.worker) for kind in ("claimed", "delivered", "settled")),
        ]
        assert settled.worker == (await ask(honest.rpc_url, "miner_status", token=honest.read_token()))["worker"]
        # The bond is lost, and so is the reputation, including that from earlier blocks.
        account = await ask(watcher.rpc_url, "state_getAccount", {"address": wrong_doer})
        assert int(account["bonded"]) == 0
        record = (await ask(watcher.rpc_url, "job_trackRecord", {"address": wrong_doer}))["worker"]
        assert (record["challenged"], record["settled"], int(record["bonds_lost"])) == (
            rounds,
            0,
            (rounds + is_lapsed) * bond,
        )
        # Half of the bond went to the watcher, who paid a fee, and the rest was burned.
        paid = int((await ask(watcher.rpc_url, "state_getAccount", {"address": watcher_address}))["balance"]) - FUNDS
        history = await ask(watcher.rpc_url, "state_getHistory", {"address": watcher_address, "limit": 10})
        fees = [int(entry["fee"]) for entry in history["entries"] if entry["kind"] == "challenge"]
        assert len(fees) == rounds
        assert paid == rounds * (bond // 2) - sum(fees)
        assert paid > 0
        moved = (await ask(watcher.rpc_url, "state_getHistory", {"address": wrong_doer, "limit": 1000}))["entries"]
        lost = [each for entry in moved for each in entry["movements"] if each["job"] == job]
        locked = ("claim_bond_locked", bond)
        assert [(each["reason"], int(each["bonded"])) for each in lost] == [
            *([("claim_lapsed", -bond), locked] * is_lapsed),
            *([("result_challenged", -bond), locked] * rounds),
        ]

        y = await client.save_result(job, tmp_path / "Y.npy")
        # Sums stay below 2^24, so float32 multiplies them exactly.
        assert np.array_equal(y, x.astype(np.float32) @ w.astype(np.float32).T)
