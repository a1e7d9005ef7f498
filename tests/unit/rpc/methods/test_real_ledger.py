"""Methods on a real ledger, pool and matrix store, with mined blocks."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest
from blake3 import blake3
from msgspec.structs import replace
from numpy.typing import NDArray

from inos import work
from inos.chain.ledger import Ledger
from inos.chain.mempool import Mempool
from inos.chain.template import make_template
from inos.consensus.records import Kind
from inos.consensus.statetree import OtherLeaf, StateProof, check_proof
from inos.consensus.validity import check_transaction_sanity
from inos.genesis import Network
from inos.genesis.loading import derive_devnet, make_network, parse_genesis
from inos.mesh.store import MatrixStore
from inos.primitives.blocks import Block, compute_anchor
from inos.primitives.bls import get_bls
from inos.primitives.errors import MatrixMissing
from inos.primitives.matrices import MatrixRef, Product
from inos.primitives.transactions import (
    ClaimJob,
    JobMode,
    Payload,
    PostJob,
    SubmitResult,
    Transaction,
    Transfer,
    sign_transaction,
)
from inos.primitives.units import MatrixId, Nano, StateRoot, TimeMs, TxId
from inos.wallet.addresses import encode_address
from inos.wallet.build import encode_transaction
from inos.wallet.keys import Key, make_key
from support.fake_node import FakeNode
from support.rpc_served import Ask, ask_server, serve
from support.sending import Sending

ALICE = make_key(bytes(31) + b"\x01")
BOB = make_key(bytes(31) + b"\x02")
MINER = make_key(bytes(31) + b"\x03")
START = TimeMs(1_700_000_000_000)
FUNDS = 100 * 10**9
EASY = "0f" + "ff" * 31
RNG = np.random.default_rng(5)
X = RNG.integers(-64, 64, (24, 50), np.int8)
W = RNG.integers(-64, 64, (16, 50), np.int8)


class StoredResults:
    """Checks results with Freivalds' algorithm on the matrices of the store."""

    def __init__(self, store: MatrixStore) -> None:
        self._store = store

    def get_verdict(self, product: Product) -> bool:
        job, x, w, y = product.job, product.x, product.w, product.y
        arrays = [self._store.get(MatrixId(ref.id)) for ref in (x, w, y)]
        if any(array is None for array in arrays):
            raise MatrixMissing([MatrixId(ref.id) for ref in (x, w, y)])
        a, b, c = (np.asarray(array) for array in arrays)
        return work.freivalds(a, b, c, work.compute_freivalds_seed(job, x.id, w.id, y.id))


class RealNode(FakeNode):
    """A FakeNode with a real ledger, pool and store."""

    ledger: Any
    mempool: Any
    store: Any

    def __init__(self, network: Network, path: Path) -> None:
        super().__init__(network)
        self.store = MatrixStore(path / "matrices")
        self.matrices = SimpleNamespace(store=self.store, put=self._put, fetch=self._fetch)
        self.transactions = Sending(self._add)
        self.full_ledger = Ledger.open(
            path / "chain",
            network.params,
            network.state,
            results=StoredResults(self.store),
            bls=get_bls(),
            is_durable=False,
        )
        self.ledger = self.full_ledger.view
        self.mempool = Mempool(network.params)

    async def _add(self, tx: Transaction) -> TxId:
        check_transaction_sanity(self.params, tx, get_bls())
        return TxId(self.mempool.add(tx, self.ledger.state, self.ledger.tip.header.height))

    async def _put(self, array: NDArray[Any]) -> MatrixRef:
        return self.store.put(array)

    async def _fetch(self, matrix: MatrixId, timeout_s: float) -> NDArray[Any]:
        array = self.store.get(matrix)
        if array is None:
            raise MatrixMissing([matrix])
        return np.asarray(array)

    def mine_block(self) -> None:
        """Find a winning ticket and connect the block."""
        now = TimeMs(START + (self.ledger.tip.header.height + 1) * self.params.spacing_ms)
        template = make_template(self.full_ledger.view, self.mempool, beneficiary=MINER.address, now_ms=now)
        self.mempool.on_refused(template.refusals, self.ledger.state)
        operand = work.Operand.commit(np.ones((64, 64), np.int8))
        for nonce in range(100):
            header = replace(template.header, nonce=nonce)
            mined = work.mine(operand, operand, compute_anchor(header), template.allowed_target, backend="numpy")
            if mined.wins:
                win = mined.wins[0]
                block = Block(replace(header, seal=win.seal), template.transactions)
                self.full_ledger.add_block(block, win.witness, now)
                self.mempool.on_connected(block)
                return
        raise AssertionError("no ticket won")


@pytest.fixture
def node(tmp_path: Path) -> RealNode:
    funds = {key.address: Nano(FUNDS) for key in (ALICE, MINER)}
    easy = {"genesis_target": EASY, "max_target": EASY}
    network = make_network(parse_genesis(derive_devnet("devnet", START, funds, params=easy), "a test's genesis"))
    return RealNode(network, tmp_path)


@pytest.fixture
async def ask(node: RealNode, tmp_path: Path) -> AsyncIterator[Ask]:
    async with serve(node, tmp_path) as server, ask_server(server, tmp_path) as ask:
        yield ask
    node.full_ledger.close()


def text(key: Key) -> str:
    return encode_address("dinos", key.address)


def sign(node: RealNode, key: Key, nonce: int, payload: Payload) -> str:
    return encode_transaction(sign_transaction(key.secret, node.params.chain_id, nonce, 1000, payload))


async def mine(node: RealNode) -> None:
    await asyncio.to_thread(node.mine_block)


async def test_blocks_from_genesis_to_tip(ask: Ask, node: RealNode) -> None:
    genesis = await ask("chain_getBlock", 0)
    assert genesis["id"] == node.genesis_id.hex()
    assert genesis["header"]["status"] == "connected"
    sent = await ask("tx_send", sign(node, ALICE, 0, Transfer(BOB.address, 10**9)))
    await mine(node)
    await mine(node)
    head = await ask("chain_head")
    assert (head["height"], head["best_header_height"], head["pool"]) == (2, 2, 0)
    block = await ask("chain_getBlock", 1)
    assert block["header"]["parent"] == genesis["id"]
    assert block["header"]["seal"]["x"]["rows"] == 64
    assert int(block["header"]["seal"]["digest"], 16) <= int(block["header"]["target"], 16)
    assert [tx["id"] for tx in block["transactions"]] == [sent["id"]]
    found = await ask("chain_getTransaction", sent["id"])
    assert (found["height"], found["confirmations"]) == (1, 2)
    useful = await ask("chain_usefulWork", 10)
    assert (useful["blocks"], useful["weight_mined"]) == (2, head["weight"])


async def test_refusals_name_the_rule(ask: Ask, node: RealNode) -> None:
    other = encode_transaction(sign_transaction(ALICE.secret, 7, 0, 1000, Transfer(BOB.address, 1)))
    error = await ask("tx_send", other)
    assert (error["code"], error["data"]["expected"], error["data"]["got"]) == (-32003, "1338", "7")
    rich = await ask("tx_send", sign(node, ALICE, 0, Transfer(BOB.address, 2 * FUNDS)))
    assert (rich["code"], rich["data"]["code"]) == (-32004, "insufficient-balance")
    good = sign(node, ALICE, 0, Transfer(BOB.address, 1))
    await ask("tx_send", good)
    again = await ask("tx_send", good)
    assert (again["code"], again["data"]["code"]) == (-32004, "already-known")
    flipped = good[:-2] + f"{int(good[-2:], 16) ^ 1:02x}"
    assert (await ask("tx_send", flipped))["code"] == -32003
    assert (await ask("tx_pool"))["count"] == 1


async def test_proofs_check_out(ask: Ask, node: RealNode) -> None:
    await mine(node)
    for key in (ALICE, BOB, MINER):
        account = await ask("state_getAccount", address=text(key), prove=True)
        proof = account["proof"]
        other = proof["other_path"] and OtherLeaf(
            bytes.fromhex(proof["other_path"]), bytes.fromhex(proof["other_value"])
        )
        state_key: Any = bytes.fromhex(proof["key"])
        assert state_key == bytes([Kind.ACCOUNT]) + key.address
        assert check_proof(
            StateRoot(bytes.fromhex(proof["state_root"])),
            state_key,
            None if proof["value"] is None else bytes.fromhex(proof["value"]),
            StateProof(tuple(bytes.fromhex(one) for one in proof["siblings"]), other),
        )
        assert proof["state_root"] == (await ask("chain_head"))["state_root"]


def fold_proof(address: bytes, proof: dict[str, Any]) -> str:
    """Return the root that a proof leads to, computed as docs/protocol.md says."""

    def derive(context: str, data: bytes) -> bytes:
        return blake3(data, derive_key_context="inos v1 " + context).digest()

    path = derive("state key", b"\x01" + address)
    siblings = [bytes.fromhex(sibling) for sibling in proof["siblings"]]
    if proof["value"] is not None:
        node = derive("state leaf", path + bytes.fromhex(proof["value"]))
    elif proof["other_path"] is None:
        node = bytes(32)
    else:
        other = bytes.fromhex(proof["other_path"])
        bits, others = (f"{int.from_bytes(one, 'big'):0256b}" for one in (path, other))
        assert bits[: len(siblings)] == others[: len(siblings)]
        assert bits != others
        node = derive("state leaf", other + bytes.fromhex(proof["other_value"]))
    for depth in reversed(range(len(siblings))):
        is_right = path[depth // 8] >> (7 - depth % 8) & 1
        pair = siblings[depth] + node if is_right else node + siblings[depth]
        node = derive("state node", pair)
    return node.hex()


async def test_a_stranger_can_check_the_proofs(ask: Ask, node: RealNode) -> None:
    await mine(node)
    addresses = [key.address for key in (ALICE, BOB, MINER)] + [bytes([at]) * 20 for at in range(40)]
    shapes = set()
    for address in addresses:
        account = await ask("state_getAccount", address=encode_address(node.network.hrp, address), prove=True)
        proof, header = account["proof"], await ask("chain_getHeader", id=account["block"])
        assert fold_proof(address, proof) == header["state_root"] == proof["state_root"]
        if proof["value"] is None:
            assert (account["nonce"], account["balance"], account["reputation"]) == (0, "0", "0")
        else:
            nonce, balance, bonded, reputation = msgspec.msgpack.decode(bytes.fromhex(proof["value"]))[:4]
            assert (nonce, str(balance), str(bonded), str(reputation)) == tuple(
                account[name] for name in ("nonce", "balance", "bonded", "reputation")
            )
            proof["value"] = proof["value"][:-2] + "7f"
            assert fold_proof(address, proof) != header["state_root"]
        shapes.add((proof["value"] is None, proof["other_path"] is None))
    assert shapes == {(False, True), (True, True), (True, False)}


async def test_a_job_through_history_and_audit(ask: Ask, node: RealNode) -> None:
    post = PostJob(
        x=node.store.put(X),
        w=node.store.put(W),
        reward=2 * 10**9,
        bond=node.params.min_bond,
        claim_window=20,
        deadline=100,
        mode=JobMode.CHECKED,
        max_burn=10**13,
    )
    job = (await ask("tx_send", sign(node, ALICE, 0, post)))["id"]
    await mine(node)
    await ask("tx_send", sign(node, MINER, 0, ClaimJob(bytes.fromhex(job))))
    await mine(node)
    claimed = await ask("job_get", job)
    assert (claimed["state"], claimed["claim"]["worker"], claimed["claim"]["expires_at"]) == (
        "claimed",
        text(MINER),
        22,
    )
    supply = await ask("state_supply", audit=True)
    assert (supply["is_conserved"], supply["escrowed"]) == (True, "2000000000")
    y = X.astype(np.int32) @ W.astype(np.int32).T
    await ask("tx_send", sign(node, MINER, 1, SubmitResult(bytes.fromhex(job), node.store.put(y))))
    await mine(node)
    settled = await ask("job_get", job)
    assert (settled["state"], settled["closed_at"], settled["y"]["id"]) == ("settled", 3, work.matrix_id(y).hex())
    assert (await ask("job_list", state="settled", poster=text(ALICE)))["jobs"] == [settled]
    supply = await ask("state_supply", audit=True)
    assert supply["sum_of_records"] == supply["supply"] == str(2 * FUNDS + 3 * 50 * 10**9 - int(settled["burned"]))
    history = await ask("state_getHistory", text(MINER), 100)
    kinds = [entry["kind"] for entry in history["entries"]]
    assert kinds.count("block_reward") == 3
    assert [kind for kind in kinds if kind != "block_reward"] == ["submit_result", "claim_job", "genesis"]
    reward = next(entry for entry in history["entries"] if entry["kind"] == "block_reward")
    assert (reward["balance"], reward["fee"], reward["id"]) == (
        str(50 * 10**9 - 50 * 10**9 // 64 + 1000),
        "0",
        reward["block"],
    )
    assert [each["reason"] for each in reward["movements"]] == ["subsidy", "fees_collected"]
    account = await ask("state_getAccount", text(MINER))
    assert sum(int(entry["balance"]) for entry in history["entries"]) == int(account["balance"])
    assert sum(int(entry["bonded"]) for entry in history["entries"]) == int(account["bonded"])
    seen: list[str] = []
    before: dict[str, str] = {}
    while True:
        page = await ask("state_getHistory", address=text(MINER), limit=2, **before)
        seen += [entry["id"] for entry in page["entries"]]
        if page["next"] is None:
            break
        before = {"before": page["next"]}
    assert seen == [entry["id"] for entry in history["entries"]]
    assert (await ask("state_getHistory", address=text(MINER), before="1-99999999999"))["code"] == -32602
    assert (await ask("state_getHistory", address=text(MINER), before="1-9999999999"))["code"] == -32602


async def test_everything_is_found_by_the_first_digits_of_its_id(ask: Ask, node: RealNode) -> None:
    stored = node.store.put(X).id.hex()
    paid = (await ask("tx_send", sign(node, ALICE, 0, Transfer(BOB.address, 5_000_000))))["id"]
    await mine(node)
    block = node.ledger.tip.id.hex()
    waiting = (await ask("tx_send", sign(node, ALICE, 1, Transfer(BOB.address, 6))))["id"]
    for kind, id_ in (("matrix", stored), ("transaction", paid), ("block", block), ("transaction", waiting)):
        for digits in (8, 9, 64):
            found = await ask("chain_find", prefix=id_[:digits])
            assert found == {"matches": [{"kind": kind, "id": id_}], "is_complete": True}
    assert (await ask("chain_find", prefix="0" * 63))["matches"] == []
    assert (await ask("chain_find", prefix="abc"))["code"] == -32602
