"""Every method over a real socket on a node in memory; each answer is held against its own schema."""

import base64
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from inos import work
from inos.consensus.execution import BlockFigures
from inos.consensus.records import account_key
from inos.consensus.statetree import OtherLeaf, StateProof, check_proof
from inos.network.peers.kinds import LinkKind
from inos.network.status import AddressInfo, BanInfo, PeerInfo
from inos.primitives.errors import RuleViolation
from inos.primitives.transactions import CancelJob, JobMode, Payload, PostJob, Transfer, sign_transaction
from inos.primitives.units import BlockId, NodeId, StateRoot, TimeMs
from inos.rpc import Check
from inos.rpc.methods import ALL_METHODS
from inos.wallet.addresses import encode_address
from inos.wallet.build import encode_transaction
from inos.wallet.keys import make_key
from support.fake_node import FEE, WORKER, FakeNode
from support.rpc_served import Ask, ask_server, make_fake_node, serve

ALICE = make_key(bytes(31) + b"\x01")
BOB = make_key(bytes(31) + b"\x02")
FUNDS = 1000 * 10**9
RNG = np.random.default_rng(1)
X = RNG.integers(-64, 64, (20, 30), np.int8)
W = RNG.integers(-64, 64, (10, 30), np.int8)


def text(address: bytes) -> str:
    return encode_address("dinos", address)


@pytest.fixture
def node() -> FakeNode:
    return make_fake_node(FUNDS, ALICE.address, WORKER.address)


@pytest.fixture
async def ask(node: FakeNode, tmp_path: Path) -> AsyncIterator[Ask]:
    async with serve(node, tmp_path) as server, ask_server(server, tmp_path) as ask:
        yield ask


def sign(node: FakeNode, payload: Payload, nonce: int = 0) -> str:
    return encode_transaction(sign_transaction(ALICE.secret, node.params.chain_id, nonce, FEE, payload))


def make_post(node: FakeNode, reward: int = 10**9) -> PostJob:
    return PostJob(
        x=node.store.put(X),
        w=node.store.put(W),
        reward=reward,
        bond=node.params.min_bond,
        claim_window=node.params.min_claim_window,
        deadline=500,
        mode=JobMode.CHECKED,
        max_burn=10**13,
    )


BURN = "9254395"
"""Of the job above: 625,000 nano for 2 tickets at D = 20,000, 7,629,395 for 5 strips, 1,000,000 for its place."""


async def test_version_and_health(ask: Ask, node: FakeNode) -> None:
    version = await ask("node_version")
    assert version["name"] == "inos"
    assert version["network"] == "devnet"
    assert version["chain_id"] == 1338
    assert version["genesis"] == node.genesis_id.hex()
    assert version["protocol_version"] == 1
    assert version["node_id"] == "05" * 32
    assert version["hrp"] == "dinos"
    assert (await ask("node_health"))["status"] == "ok"
    node.checks = (Check("tip", True, "fresh"), Check("sync", False, "9 blocks behind", "wait", "sync-behind"))
    health = await ask("node_health")
    assert health["status"] == "degraded"
    assert health["checks"] == [
        {"name": "tip", "ok": True, "code": "", "detail": "fresh", "hint": ""},
        {"name": "sync", "ok": False, "code": "sync-behind", "detail": "9 blocks behind", "hint": "wait"},
    ]
    assert health["sync"]["phase"] == "following"
    assert health["sync"]["summary"] == "following at block 0"


async def test_a_snapshot_is_begun_once(ask: Ask) -> None:
    begun = await ask("node_snapshot", path="/somewhere")
    assert (begun["state"], begun["step"], begun["step_bytes"], begun["step_total_bytes"]) == (
        "running",
        "ledger",
        5,
        9,
    )
    error = await ask("node_snapshot", path="/elsewhere")
    assert (error["code"], error["data"]["code"]) == (-32000, "snapshot-running")
    assert (await ask("node_snapshotStatus"))["path"] == "/somewhere"


async def test_stop(ask: Ask, node: FakeNode) -> None:
    assert await ask("node_stop") == {"stopping": True}
    assert node.is_stopping


async def test_peers(ask: Ask, node: FakeNode) -> None:
    assert await ask("net_peers") == {"count": 0, "peers": []}
    node.p2p.connected = [
        PeerInfo(
            id=node.node_id,
            address="127.0.0.1:9",
            is_outbound=False,
            height=3,  # type: ignore[arg-type]
            since_ms=TimeMs(5),
            latency_ms=None,
            kind=LinkKind.INBOUND,
            group="local 127.0.0.1:9",
            score=0,
            bytes_in=1,
            bytes_out=2,
            bytes_waiting=0,
            is_brief=False,
            user_agent="",
        )
    ]
    answer = await ask("net_peers")
    assert answer["count"] == 1
    assert answer["peers"][0]["direction"] == "inbound"
    assert answer["peers"][0]["latency_ms"] is None
    assert answer["peers"][0]["kind"] == "inbound"


async def test_the_network_status_and_the_address_book(ask: Ask, node: FakeNode) -> None:
    status = await ask("net_status")
    assert (status["reachability"], status["connections"]["outbound"], status["known_new"]) == ("private", 3, 7)
    node.p2p.addresses = [
        AddressInfo(
            id=NodeId(bytes([n]) * 32),
            host=f"20.1.0.{n}",
            port=8646,
            group="20.1.0.0/16",
            is_tried=n == 1,
            seen_ms=5,
            attempt_ms=0,
            reached_ms=9,
            attempts=2,
        )
        for n in (1, 2, 3)
    ]
    answer = await ask("net_addresses", limit=2)
    assert answer["count"] == 3
    assert [one["host"] for one in answer["addresses"]] == ["20.1.0.1", "20.1.0.2"]
    assert answer["addresses"][0]["last_attempt_ms"] is None
    assert answer["addresses"][0]["is_connected"] is False


async def test_bans_are_listed_and_lifted(ask: Ask, node: FakeNode) -> None:
    node.p2p.banned = [
        BanInfo(False, "ab" * 32, 9, 5, "bad-frame"),
        BanInfo(True, "20.1.0.0/16", 9, 5, "4 nodes of it"),
    ]
    answer = await ask("net_bans")
    assert [(ban["kind"], ban["subject"]) for ban in answer["bans"]] == [("node", "ab" * 32), ("group", "20.1.0.0/16")]
    assert await ask("net_unban", subject="20.1.0.0/16") == {"lifted": 1}
    assert (await ask("net_bans"))["count"] == 1
    assert await ask("net_unban", subject="all") == {"lifted": 1}


async def test_net_status(ask: Ask, node: FakeNode) -> None:
    answer = await ask("net_status")
    assert answer["node_id"] == node.node_id.hex()
    assert answer["routing"] == {"contacts": 4, "buckets": 3, "records": 2, "provided": 0}


async def test_providers_of_a_matrix(ask: Ask, node: FakeNode) -> None:
    id = node.store.put(np.zeros((1, 4), np.int8)).matrix_id.hex()
    answer = await ask("net_findProviders", id=id, limit=2)
    assert answer["count"] == 2
    assert answer["providers"][1] == {"id": node.node_id.hex(), "host": "192.0.2.7", "port": 2}
    assert await ask("net_findProviders", id="00" * 32) == {"count": 0, "providers": []}
    assert await ask("net_provide", id=id) == {"recorded_by": 20}


async def test_head_and_blocks(ask: Ask, node: FakeNode) -> None:
    await ask("tx_send", hex=sign(node, Transfer(BOB.address, 100_005)))
    node.mine()
    node.mine()
    head = await ask("chain_head")
    assert head["height"] == 2
    assert head["id"] == node.ledger.tip.id.hex()
    assert head["difficulty"] == "20000"
    assert head["weight"] == "40000"
    one = await ask("chain_getBlock", 1)
    assert one["height"] == 1
    assert one["header"]["confirmations"] == 2
    assert one["header"]["beneficiary"] == text(WORKER.address)
    assert one["transactions"][0]["kind"] == "transfer"
    assert one["transactions"][0]["payload"] == {"to": text(BOB.address), "amount": "100005"}
    assert one["stats"]["fees"] == "1000"
    assert one["stats"]["subsidy"] == "50000000000"
    assert await ask("chain_getBlock", one["id"]) == one
    assert await ask("chain_getBlock", height=1) == one
    assert await ask("chain_getBlock", id=one["id"]) == one
    short = await ask("chain_getBlock", block=1, full=False)
    assert short["transactions"] == [one["transactions"][0]["id"]]
    assert (await ask("chain_getBlock"))["id"] == head["id"]
    assert (await ask("chain_getHeader", "latest"))["confirmations"] == 1
    assert await ask("chain_getHeader", 1) == one["header"]
    genesis = await ask("chain_getBlock", 0)
    assert genesis["stats"] is None
    assert genesis["header"]["seal"] is None


@pytest.mark.parametrize(
    ("block", "number", "code"),
    [
        (3, -32002, "block-unknown"),
        ("00" * 32, -32002, "block-unknown"),
        (-1, -32602, "invalid-params"),
        ("newest", -32602, "invalid-params"),
        ("00" * 31, -32602, "invalid-params"),
        (1.0, -32602, "invalid-params"),
        (True, -32602, "invalid-params"),
        (None, -32602, "invalid-params"),
        (2**80, -32602, "invalid-params"),
    ],
)
async def test_blocks_that_are_not_there(ask: Ask, block: Any, number: int, code: str) -> None:
    for name in ("chain_getBlock", "chain_getHeader"):
        error = await ask(name, block=block)
        assert (error["code"], error["data"]["code"]) == (number, code)
        assert error["data"].get("param", "block") == "block"


async def test_a_block_is_named_once(ask: Ask) -> None:
    assert (await ask("chain_getHeader", height=0))["height"] == 0
    for names in ({"block": 0, "height": 0}, {"id": 0, "height": 0}):
        error = await ask("chain_getHeader", **names)
        assert (error["code"], error["data"]["param"]) == (-32602, "height")
    error = await ask("chain_getBlock", block=-1, full=1)
    assert error["message"].count("block:") == 1
    assert "full:" in error["message"]


async def test_a_transaction_before_and_after_it_is_mined(ask: Ask, node: FakeNode) -> None:
    sent = await ask("tx_send", sign(node, Transfer(BOB.address, 100_005)))
    pool = await ask("tx_pool")
    assert (pool["count"], pool["transactions"][0]["id"]) == (1, sent["id"])
    assert pool["transactions"][0]["kind"] == "transfer"
    assert pool["bytes"] == pool["transactions"][0]["size"]
    assert (await ask("tx_pool", limit=0))["transactions"] == []
    pending = await ask("chain_getTransaction", id=sent["id"])
    assert (pending["status"], pending["block"], pending["confirmations"]) == ("pending", None, 0)
    assert (await ask("state_getAccount", text(ALICE.address)))["pending_nonce"] == 1
    node.mine()
    found = await ask("chain_getTransaction", id=sent["id"])
    assert (found["status"], found["height"], found["index"], found["confirmations"]) == ("included", 1, 0, 1)
    assert found["tx"]["sender"] == text(ALICE.address)
    error = await ask("chain_getTransaction", id="00" * 32)
    assert (error["code"], error["data"]["code"]) == (-32002, "transaction-unknown")


async def test_the_largest_numbers_can_be_shown(ask: Ask, node: FakeNode) -> None:
    """A pool may hold what no block ever will."""
    most = 2**64 - 1
    payload = replace(make_post(node), reward=most, bond=most, claim_window=2**32 - 1, deadline=most, max_burn=most)
    sent = await ask("tx_send", encode_transaction(sign_transaction(ALICE.secret, 2**32 - 1, most, most, payload)))
    shown = (await ask("chain_getTransaction", id=sent["id"]))["tx"]
    assert (shown["nonce"], shown["fee"]) == (most, str(most))
    assert {name: shown["payload"][name] for name in ("reward", "bond", "max_burn")} == dict.fromkeys(
        ("reward", "bond", "max_burn"), str(most)
    )
    assert (shown["payload"]["deadline"], shown["payload"]["claim_window"]) == (most, 2**32 - 1)
    assert (await ask("tx_pool"))["transactions"][0]["fee"] == str(most)


async def test_bad_transactions_are_refused(ask: Ask, node: FakeNode) -> None:
    good = sign(node, Transfer(BOB.address, 100_005))
    for bad, code in (("zz", "not-hex"), ("abc", "not-hex"), (good[:-2], "malformed"), (good + "00", "malformed")):
        error = await ask("tx_send", bad)
        assert (error["code"], error["data"]["code"]) == (-32602, code)
        assert error["data"]["param"] == "hex"
    for spelled in (good[:8] + " " + good[8:], "0x" + good, good + "\n\n", good[:-1] + "\uff10"):
        assert (await ask("tx_send", spelled))["data"]["code"] == "not-hex"
    assert (await ask("tx_send", "00" * 4097))["code"] == -32602
    node.refusal = RuleViolation("bad-chain-id", "the chain id", expected=1337, got=7)
    error = await ask("tx_send", good)
    assert error["code"] == -32003
    assert error["data"] == {"code": "bad-chain-id", "expected": "1337", "got": "7"}
    assert len(node.mempool) == 0


async def test_fees(ask: Ask) -> None:
    assert await ask("tx_estimateFee") == {"fee": "1000", "fee_per_byte": "2"}


async def test_an_account_with_its_proof(ask: Ask, node: FakeNode) -> None:
    node.mine()
    account = await ask("state_getAccount", address=text(ALICE.address), prove=True)
    assert account["balance"] == str(FUNDS)
    assert account["height"] == 1
    proof = account["proof"]
    assert is_proven(proof)
    assert proof["key"] == account_key(ALICE.address).hex()
    assert not is_proven(proof | {"value": proof["value"][:-2] + "01"})
    absent = await ask("state_getAccount", address=text(BOB.address), prove=True)
    assert absent["balance"] == "0"
    assert absent["proof"]["value"] is None
    assert is_proven(absent["proof"])
    assert (await ask("state_getAccount", text(BOB.address)))["proof"] is None
    worker = await ask("state_getAccount", text(WORKER.address))
    assert worker["balance"] == str(FUNDS + 50 * 10**9 - 50 * 10**9 // 64)
    assert worker["reputation"] == "0"


def is_proven(proof: dict[str, Any]) -> bool:
    other = None
    if proof["other_path"] is not None:
        other = OtherLeaf(bytes.fromhex(proof["other_path"]), bytes.fromhex(proof["other_value"]))
    value = None if proof["value"] is None else bytes.fromhex(proof["value"])
    siblings = tuple(bytes.fromhex(one) for one in proof["siblings"])
    key: Any = bytes.fromhex(proof["key"])
    return check_proof(StateRoot(bytes.fromhex(proof["state_root"])), key, value, StateProof(siblings, other))


@pytest.mark.parametrize(
    ("address", "code"),
    [
        (encode_address("dinos", ALICE.address)[:-1] + "q", "bad-checksum"),
        (encode_address("tinos", ALICE.address), "other-network"),
        ("somewhere", "not-an-address"),
    ],
)
async def test_wrong_addresses(ask: Ask, address: str, code: str) -> None:
    error = await ask("state_getAccount", address)
    assert (error["code"], error["data"]["code"], error["data"]["param"]) == (-32602, code, "address")
    assert (await ask("job_list", worker=address))["data"]["param"] == "worker"


async def test_a_jobs_life(ask: Ask, node: FakeNode) -> None:
    job = (await ask("tx_send", sign(node, make_post(node))))["id"]
    error = await ask("job_get", job)
    assert (error["code"], error["data"]["code"]) == (-32002, "job-unknown")
    assert "pool" in error["data"]["hint"]
    node.mine()
    found = await ask("job_get", job)
    assert (found["state"], found["poster"], found["reward"]) == ("open", text(ALICE.address), "1000000000")
    assert found["tickets"] == 2
    assert found["burned"] == BURN
    assert (found["claim"], found["worker"], found["y"], found["closed_at"]) == (None, None, None, None)
    assert (await ask("job_list", state="open"))["jobs"] == [found]
    supply = await ask("state_supply", audit=True)
    assert (supply["escrowed"], supply["burned"], supply["is_conserved"]) == ("1000000000", BURN, True)
    node.work_jobs()
    done = await ask("job_get", job)
    assert (done["state"], done["worker"], done["closed_at"]) == ("settled", text(WORKER.address), 3)
    assert (done["y"]["rows"], done["y"]["cols"]) == (20, 10)
    assert (await ask("job_list", state="open"))["jobs"] == []
    assert (await ask("job_list", worker=text(WORKER.address)))["jobs"] == [done]
    assert (await ask("job_list", poster=text(BOB.address)))["jobs"] == []
    useful = await ask("chain_usefulWork", window=2)
    assert (useful["from_height"], useful["to_height"], useful["blocks"]) == (2, 3, 2)
    assert (useful["weight_mined"], useful["tickets_settled"], useful["tickets_posted"]) == ("40000", 2, 0)
    assert useful["paid_share"] == "0.00005"
    useful = await ask("chain_usefulWork", 1000)
    assert (useful["from_height"], useful["blocks"], useful["tickets_posted"]) == (1, 3, 2)
    assert (useful["burned"], useful["settled_burn"]) == (BURN, BURN)
    assert useful["burned_share"] == "0.000061"  # of three subsidies of 50 credits, rounded down
    assert useful["price_per_tera"] == "1192092895508"  # an eighth of 50 credits for 20,000 tickets of 2^18
    assert (await ask("state_getAccount", text(WORKER.address)))["reputation"] == BURN
    history = await ask("job_history", job)
    assert [(e["event"], e["height"], e["worker"], e["amount"]) for e in history["events"]] == [
        ("posted", 1, None, BURN),
        ("claimed", 2, text(WORKER.address), found["bond"]),
        ("settled", 3, text(WORKER.address), "1000000000"),
    ]
    record = await ask("job_trackRecord", text(WORKER.address))
    assert (record["height"], record["poster"]["posted"]) == (3, 0)
    assert {name: record["worker"][name] for name in ("claimed", "settled", "lapsed", "tickets", "earned")} == {
        "claimed": 1, "settled": 1, "lapsed": 0, "tickets": 2, "earned": "1000000000",
    }  # fmt: skip
    poster = (await ask("job_trackRecord", text(ALICE.address)))["poster"]
    assert (poster["posted"], poster["settled"], poster["paid"], poster["burned"]) == (1, 1, "1000000000", BURN)
    nobody = await ask("job_trackRecord", text(BOB.address))
    assert (nobody["worker"]["claimed"], nobody["poster"]["posted"]) == (0, 0)
    assert (await ask("job_history", "ab" * 32))["data"]["code"] == "job-unknown"


async def test_useful_work_of_an_empty_chain(ask: Ask) -> None:
    useful = await ask("chain_usefulWork")
    assert (useful["blocks"], useful["paid_share"], useful["burned_share"]) == (0, "0", "0")


async def test_a_window_is_never_shown_in_part(ask: Ask, node: FakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks taken off the chain while they are read lose their figures: then the window is read again."""
    for _ in range(4):
        node.mine()
    whole = await ask("chain_usefulWork", window=3)
    assert (whole["from_height"], whole["to_height"], whole["blocks"]) == (2, 4, 3)
    get_figures, gaps = node.ledger.get_figures, [2]

    def get_with_gaps(block: BlockId) -> BlockFigures | None:
        if gaps[0] and node.ledger.get_header(block).height == 3:  # type: ignore[union-attr]
            gaps[0] -= 1
            return None
        return get_figures(block)

    monkeypatch.setattr(node.ledger, "get_figures", get_with_gaps)
    assert await ask("chain_usefulWork", window=3) == whole
    gaps[0] = 99
    assert (await ask("chain_usefulWork", window=3))["data"]["code"] == "tip-moving"


async def test_jobs_come_in_pages(ask: Ask, node: FakeNode) -> None:
    ids = [(await ask("tx_send", sign(node, make_post(node, 10**9 + i), nonce=i)))["id"] for i in range(5)]
    node.mine()

    async def walk(**order: str) -> list[str]:
        seen: list[str] = []
        after: dict[str, str] = {}
        while True:
            page = await ask("job_list", limit=2, **order, **after)
            assert len(page["jobs"]) <= 2
            seen += [job["id"] for job in page["jobs"]]
            if page["next"] is None:
                return seen
            after = {"after": page["next"]}

    assert await walk() == await walk(order="oldest") == ids
    assert await walk(order="newest") == ids[::-1]
    assert (await ask("job_list", order="best"))["code"] == -32602
    gone = await ask("job_list", after="ab" * 32)
    assert (gone["code"], gone["data"]["code"], gone["data"]["param"]) == (-32602, "bad-cursor", "after")
    assert (await ask("job_list", state="lost"))["code"] == -32602
    assert (await ask("job_list", limit=0))["code"] == -32602
    assert (await ask("job_list", limit=201))["code"] == -32602


def list_moved(entry: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(each["reason"], each["balance"], each["bonded"]) for each in entry["movements"]]


async def test_history_from_both_sides(ask: Ask, node: FakeNode) -> None:
    await ask("tx_send", sign(node, Transfer(BOB.address, 100_005)))
    node.mine()
    job = (await ask("tx_send", sign(node, make_post(node), 1)))["id"]
    lost = (await ask("tx_send", sign(node, make_post(node, 7), 2)))["id"]
    node.mine()
    await ask("tx_send", sign(node, CancelJob(bytes.fromhex(lost)), 3))
    node.mine()
    node.work_jobs()
    alice = (await ask("state_getHistory", text(ALICE.address)))["entries"]
    fee = ("fee", "-1000", "0")
    assert [(e["kind"], list_moved(e)) for e in alice] == [
        ("submit_result", []),
        ("claim_job", []),
        ("cancel_job", [fee, ("job_reward_returned", "7", "0")]),
        ("post_job", [fee, ("job_reward_escrowed", "-7", "0"), ("job_burn", f"-{BURN}", "0")]),
        ("post_job", [fee, ("job_reward_escrowed", "-1000000000", "0"), ("job_burn", f"-{BURN}", "0")]),
        ("transfer", [fee, ("sent", "-100005", "0")]),
        ("genesis", [("allocated", str(FUNDS), "0")]),
    ]
    transfer = alice[-2]
    assert (transfer["balance"], transfer["bonded"], transfer["fee"], transfer["height"]) == ("-101005", "0", "1000", 1)
    assert transfer["movements"][1]["counterparty"] == text(BOB.address)
    assert {each["job"] for each in alice[4]["movements"]} == {None, job}
    bob = await ask("state_getHistory", address=text(BOB.address), limit=5)
    assert [(e["kind"], e["fee"], list_moved(e)) for e in bob["entries"]] == [
        ("transfer", "0", [("received", "5", "0")])
    ]
    assert bob["next"] is None
    entries = (await ask("state_getHistory", text(WORKER.address)))["entries"]
    bond = str(node.params.min_bond)
    worker = [entry for entry in entries if entry["kind"] not in ("block_reward", "genesis")]
    assert [(e["kind"], list_moved(e)[-2:]) for e in worker] == [
        ("submit_result", [("claim_bond_returned", bond, f"-{bond}"), ("job_paid", "1000000000", "0")]),
        ("claim_job", [fee, ("claim_bond_locked", f"-{bond}", bond)]),
    ]
    assert worker[0]["movements"][-1]["counterparty"] == text(ALICE.address)


async def test_history_comes_in_pages(ask: Ask, node: FakeNode) -> None:
    for nonce in range(7):
        await ask("tx_send", sign(node, Transfer(BOB.address, 100_001 + nonce), nonce))
        if nonce % 3 == 2:
            node.mine()
    node.mine()
    seen, before = [], {}
    while True:
        page = await ask("state_getHistory", address=text(BOB.address), limit=2, **before)
        seen += [int(e["balance"]) for e in page["entries"]]
        if page["next"] is None:
            break
        before = {"before": page["next"]}
    # the first one made the account, which burned 100,000
    assert seen == [*range(100_007, 100_001, -1), 1]
    assert (await ask("state_getHistory", address=text(BOB.address), before="nonsense"))["code"] == -32602


async def test_matrices_in_and_out(ask: Ask) -> None:
    raw = {"data": base64.b64encode(X.tobytes()).decode(), "dtype": "int8", "rows": 20, "cols": 30}
    stored = await ask("mesh_put", **raw)
    ref = work.matrix_ref(X)
    assert stored == {"id": ref.id.hex(), "dtype": "int8", "rows": 20, "cols": 30, "root": ref.root.hex()}
    file = io.BytesIO()
    np.save(file, X)
    assert await ask("mesh_put", base64.b64encode(file.getvalue()).decode()) == stored
    fetched = await ask("mesh_get", stored["id"])
    assert fetched == stored | {"data": raw["data"]}
    y = X.astype(np.int32) @ W.astype(np.int32).T
    result = await ask("mesh_put", data=base64.b64encode(y.tobytes()).decode(), dtype="int32", rows=20, cols=10)
    assert result["id"] == work.matrix_id(y).hex()
    back = np.frombuffer(base64.b64decode((await ask("mesh_get", result["id"]))["data"]), "<i4").reshape(20, 10)
    assert np.array_equal(back, y)


async def test_matrices_that_will_not_do(ask: Ask, node: FakeNode) -> None:
    wrong = X.copy()
    wrong[3, 4] = 64
    data = base64.b64encode(wrong.tobytes()).decode()
    error = await ask("mesh_put", data=data, dtype="int8", rows=20, cols=30)
    assert (error["code"], error["data"]["param"]) == (-32602, "data")
    assert "3" in error["message"]
    assert "4" in error["message"]
    for params, code in (
        ({"data": data, "dtype": "int8", "rows": 20, "cols": 31}, "bad-shape"),
        ({"data": data, "dtype": "int8", "rows": 20}, "invalid-params"),
        ({"data": data, "dtype": "float", "rows": 20, "cols": 30}, "invalid-params"),
        ({"data": data, "dtype": "int8", "rows": 0, "cols": 30}, "invalid-params"),
        ({"data": "!!!!", "dtype": "int8", "rows": 20, "cols": 30}, "not-base64"),
        ({"data": data}, "bad-npy"),
    ):
        error = await ask("mesh_put", **params)
        assert (error["code"], error["data"]["code"]) == (-32602, code)
    assert node.store.arrays == {}


async def test_a_matrix_that_is_not_here(ask: Ask) -> None:
    error = await ask("mesh_get", "00" * 32)
    assert (error["code"], error["data"]["code"]) == (-32002, "matrix-unknown")
    assert "wait_s" in error["data"]["hint"]
    assert (await ask("mesh_get", id="00" * 32, wait_s=61))["code"] == -32602


async def test_a_matrix_too_large_for_an_answer(ask: Ask, node: FakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inos.rpc.methods.mesh.matrices.MAX_ANSWER_BYTES", 599)
    error = await ask("mesh_get", node.store.put(X).id.hex())
    assert (error["code"], error["data"]["code"]) == (-32009, "answer-too-large")


async def test_the_miner(ask: Ask, node: FakeNode) -> None:
    assert (await ask("miner_status"))["state"] == "stopped"
    started = await ask("miner_start")
    assert (started["state"], started["beneficiary"]) == ("filler", text(WORKER.address))
    assert started["tickets_per_second"] == 12.346
    assert (await ask("miner_stop"))["state"] == "stopped"
    node.miner = None
    error = await ask("miner_start")
    assert (error["code"], error["data"]["code"]) == (-32008, "no-miner")


async def test_only_these_methods_are_protected() -> None:
    assert {name for name, method in ALL_METHODS.items() if method.is_protected} == {
        "finality_register",
        "finality_unbond",
        "finality_withdraw",
        "node_snapshot",
        "node_snapshotStatus",
        "miner_status",
        "miner_start",
        "miner_stop",
        "net_provide",
        "net_addresses",
        "net_bans",
        "net_unban",
        "node_stop",
        "watch_status",
        "mesh_pin",
        "mesh_unpin",
        "mesh_drop",
        "mesh_setQuota",
    }


async def test_parameters_of_the_network(ask: Ask) -> None:
    params = await ask("chain_getParams")
    assert params["network"] == "devnet"
    assert params["min_bond"] == "100000000"
    assert params["max_target"] == "0f" + "ff" * 31
