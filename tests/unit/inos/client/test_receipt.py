"""Tests receipts: which of them are accepted, and that no changed field is."""

import itertools
import json
import os
import random
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from inos import work
from inos.client.errors import ClientError
from inos.client.receipt import MAX_RECEIPT_BYTES, Receipt, ReceiptBlock, make_receipt, read_receipt
from inos.client.receipt_bounds import bind_to_checkpoint, bind_to_node
from inos.client.receipt_checks import Bound, Verdict, check_receipt
from inos.consensus.records import Job, JobMode, JobState, ProductWork, job_key
from inos.consensus.statetree import compute_state_root
from inos.consensus.target import MIN_TARGET
from inos.genesis import load_network
from inos.primitives.blocks import HEADER_VERSION, Header, compute_anchor, compute_block_id
from inos.primitives.bls import get_bls
from inos.primitives.codec import decode, encode
from inos.primitives.units import Address, BlockId, Hash, Height, JobId, Nano, StateRoot, TimeMs
from support.chain_maker import EASY
from support.receipts import PROVEN_AT, PaidProduct, make_paid_product

EPOCH = EASY.epoch_blocks


@pytest.fixture(scope="module")
def paid(tmp_path_factory: pytest.TempPathFactory) -> PaidProduct:
    return make_paid_product(tmp_path_factory.mktemp("paid"))


def believe(paid: PaidProduct, height: int) -> Bound:
    return bind_to_checkpoint(EASY, height, paid.blocks[height - 1].id, get_bls())


def check(paid: PaidProduct, receipt: Receipt | None = None, bound: Bound | None = None) -> Verdict:
    return check_receipt(receipt or paid.receipt, paid.network, paid.x, paid.w, paid.y, bound)


@pytest.mark.parametrize(("epoch", "is_paid"), [(1, False), (2, False), (3, True), (4, True), (5, True), (6, False)])
def test_votes_lead_from_a_believed_block_to_the_receipt_s(paid: PaidProduct, epoch: int, is_paid: bool) -> None:
    verdict = check(paid, bound=believe(paid, epoch * EPOCH))
    assert not verdict.is_wrong
    assert verdict.is_product
    assert verdict.is_paid == is_paid, verdict


def test_without_a_bound_the_payment_is_not_proven(paid: PaidProduct) -> None:
    verdict = check(paid)
    assert [each.is_ok for each in verdict.checks if each.name != "bound"] == [True] * 8
    assert verdict.is_product
    assert not verdict.is_paid
    assert not verdict.is_wrong


def test_a_believed_block_that_is_on_another_chain_proves_nothing(paid: PaidProduct) -> None:
    for height in (3 * EPOCH, PROVEN_AT):
        bound = bind_to_checkpoint(EASY, height, BlockId(bytes(32)), get_bls())
        assert not check(paid, bound=bound).is_paid
    with pytest.raises(ValueError, match="multiples of 8"):
        bind_to_checkpoint(EASY, EPOCH + 1, BlockId(bytes(32)), get_bls())


def test_confirmations_without_a_witness_do_not_count(paid: PaidProduct) -> None:
    bare = tuple(replace(block, witness=None) for block in paid.receipt.confirmations)
    depth = {each.name: each for each in check(paid, replace(paid.receipt, confirmations=bare)).checks}["depth"]
    assert depth.is_ok is None
    mixed = (paid.receipt.confirmations[0], *bare[1:])
    depth = {each.name: each for each in check(paid, replace(paid.receipt, confirmations=mixed)).checks}["depth"]
    assert depth.detail.startswith("1 blocks")


def test_targets_easier_than_the_network_s_are_refused(paid: PaidProduct) -> None:
    network = replace(paid.network, params=replace(EASY, max_target=EASY.max_target >> 1))
    checks = {each.name: each.is_ok for each in check_receipt(paid.receipt, network).checks}
    assert checks["block"] is False
    assert checks["depth"] is False


# Every field changed. The steps up to the believed one are no evidence: what is believed stands in for them.


def list_leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every string, number and list."""
    if isinstance(value, dict | list):
        if isinstance(value, list):
            yield path
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from list_leaves(part, (*path, key))
    else:
        yield path


def change(value: Any, path: tuple[Any, ...], how: Callable[[Any], Any]) -> Any:
    """Return a copy with the part under `path` changed."""
    if not path:
        return how(value)
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = change(value[path[0]], path[1:], how)
    return copy


def flip(value: Any, at: int = 40) -> Any:
    """Return another value of the same kind."""
    if isinstance(value, str):
        at %= max(1, len(value))
        return value[:at] + ("1" if value[at : at + 1] != "1" else "0") + value[at + 1 :]
    return value[:1] + value if isinstance(value, list) else value + 1


CHANGES: dict[str, Callable[[Any], Any]] = {
    "another": flip,
    "its end": lambda v: flip(v, len(v) - 1) if isinstance(v, str) else v,
    "shorter": lambda v: v[:-2] if isinstance(v, str) else v,
    "empty": lambda v: "" if isinstance(v, str) else v,
    "capitals": lambda v: v.upper() if isinstance(v, str) else v,
    "blanks": lambda v: v[:2] + " " + v[2:] if isinstance(v, str) else v,
    "twice": lambda v: v + v if isinstance(v, str | list) else 2 * v,
    "backwards": lambda v: v[::-1] if isinstance(v, str | list) else -v,
    "of another type": lambda v: [v] if isinstance(v, str) else str(v),
    "nothing": lambda v: None if not isinstance(v, list) else {},
}


def is_weaker(path: tuple[Any, ...], how: str) -> bool:
    """Return True for changes that leave a true receipt: a witness left out, and votes before the believed block."""
    return (path[-1] == "witness" and how == "nothing") or path[:2] in (("steps", 0), ("steps", 1))


def is_paid(paid: PaidProduct, fields: Any, folder: Path) -> bool:
    """Return the verdict on a file with these fields."""
    path = folder / "changed.json"
    path.write_text(json.dumps(fields))
    try:
        receipt = read_receipt(path)
    except ClientError:
        return False
    verdict = check_receipt(receipt, paid.network, bound=believe(paid, 3 * EPOCH))
    assert verdict.is_paid or verdict.is_wrong or fields["steps"] != list(paid.receipt.steps)
    return verdict.is_paid


def test_no_changed_field_is_believed(paid: PaidProduct, tmp_path: Path) -> None:
    fields = json.loads(msgspec.json.encode(paid.receipt))
    assert is_paid(paid, fields, tmp_path)
    for path, (how, make) in itertools.product(list_leaves(fields), CHANGES.items()):
        changed = change(fields, path, make)
        if changed != fields and not is_weaker(path, how):
            assert not is_paid(paid, changed, tmp_path), (path, how)


def test_no_pair_of_changed_fields_is_believed(paid: PaidProduct, tmp_path: Path) -> None:
    fields = json.loads(msgspec.json.encode(paid.receipt))
    leaves = [path for path in list_leaves(fields) if not is_weaker(path, "another")]
    for one, other in itertools.combinations(leaves, 2):
        assert not is_paid(paid, change(change(fields, other, flip), one, flip), tmp_path), (one, other)


def test_no_changed_digit_is_believed(paid: PaidProduct) -> None:
    fields, rng = json.loads(msgspec.json.encode(paid.receipt)), random.Random(5)
    leaves = [path for path in list_leaves(fields) if not is_weaker(path, "another")]
    texts = [path for path in leaves if isinstance(get(fields, path), str)]
    for path in texts * 3:
        at = rng.randrange(10**6)
        changed = msgspec.convert(change(fields, path, partial(flip, at=at)), Receipt)
        if path != ("format",):
            assert not check(paid, changed, believe(paid, 3 * EPOCH)).is_paid, (path, at)


def get(value: Any, path: tuple[Any, ...]) -> Any:
    return get(value[path[0]], path[1:]) if path else value


def test_unknown_fields_and_other_versions_are_refused(paid: PaidProduct, tmp_path: Path) -> None:
    fields, path = json.loads(msgspec.json.encode(paid.receipt)), tmp_path / "r.json"
    for place in ((), ("block",), ("confirmations", 0)):
        path.write_text(json.dumps(change(fields, place, lambda value: value | {"note": "paid"})))
        with pytest.raises(ClientError, match="unknown field"):
            read_receipt(path)
    for text, hint in (("inos receipt 1", "again"), ("inos receipt 3", "newer"), ("a poem", "a file that")):
        path.write_text(json.dumps(fields | {"format": text}))
        with pytest.raises(ClientError) as caught:
            read_receipt(path)
        assert hint in caught.value.hint
    path.write_bytes(b" " * (MAX_RECEIPT_BYTES + 1))
    with pytest.raises(ClientError, match="16 MiB"):
        read_receipt(path)


def test_a_receipt_made_from_nothing_is_not_believed() -> None:
    """A state has one invented job, in a block that its author mined alone, under headers that claim a digest of 0."""
    network, rng = load_network("testnet"), np.random.default_rng(2)
    x, w = (rng.integers(-64, 64, (rows, 256), np.int8) for rows in (64, 32))
    y = (x.astype(np.int64) @ w.astype(np.int64).T).astype(np.int32)
    job = JobId(os.urandom(32))
    refs = {"x": work.matrix_ref(x), "w": work.matrix_ref(w), "y": work.matrix_ref(y)}
    record = Job(
        poster=Address(bytes(20)),
        reward=Nano(2**60),
        bond=Nano(0),
        claim_window=10,
        deadline=Height(10**6),
        work=ProductWork(mode=JobMode.CHECKED, **refs),
        posted_at=Height(999_000),
        burned=Nano(10**12),
        state=JobState.SETTLED,
        worker=Address(b"\x22" * 20),
        closed_at=Height(999_990),
    )
    root = compute_state_root({job_key(job): encode(record)})
    blocks = [make_forged(network.params.chain_id, x, w, root)]
    head = decode(Header, bytes.fromhex(blocks[0].header), limit=4096)
    assert head.seal is not None
    last = head
    for _ in range(6):
        seal = replace(head.seal, digest=Hash(bytes(32)))
        last = replace(
            head,
            height=last.height + 1,
            parent=compute_block_id(last),
            target=Hash(MIN_TARGET.to_bytes(32, "big")),
            seal=seal,
        )
        blocks.append(ReceiptBlock(header=encode(last).hex(), witness=None))
    proof = {"value": encode(record).hex(), "siblings": []}
    forged = make_receipt(job.hex(), "testnet", network.genesis_id.hex(), proof, blocks)
    verdict = check_receipt(forged, network, x, w, y)
    assert {each.name for each in verdict.checks if each.is_ok is False} == {"block"}, verdict.checks[3]
    assert not verdict.is_paid
    easy = replace(network, params=replace(network.params, max_target=EASY.max_target))
    verdict = check_receipt(forged, easy, x, w, y)
    assert not verdict.is_wrong
    assert not verdict.is_paid
    bound = bind_to_checkpoint(network.params, 10**6 // 32 * 32, BlockId(bytes(32)), get_bls())
    assert not check_receipt(forged, easy, x, w, y, bound).is_paid


def make_forged(chain_id: int, x: Any, w: Any, root: StateRoot) -> ReceiptBlock:
    header = Header(
        version=HEADER_VERSION,
        chain_id=chain_id,
        height=Height(999_999),
        parent=BlockId(os.urandom(32)),
        time_ms=TimeMs(int(time.time() * 1000)),
        tx_root=Hash(bytes(32)),
        state_root=root,
        target=Hash(b"\xff" * 32),
        beneficiary=Address(b"\x22" * 20),
        nonce=0,
        seal=None,
    )
    mined = work.mine(x, w, compute_anchor(header), EASY.max_target)
    win = min(mined.wins, key=lambda each: each.seal.digest)
    return ReceiptBlock(header=encode(replace(header, seal=win.seal)).hex(), witness=encode(win.witness).hex())


class Node:
    """A node that is trusted, as `bind_to_node` asks it."""

    def __init__(self, paid: PaidProduct, height: int, final: int) -> None:
        self._paid, self._height, self._final = paid, height, final
        self.genesis = paid.network.genesis_id.hex()

    def version(self) -> Any:
        return type("Version", (), {"network": "tests", "genesis": self.genesis})

    def finality(self) -> Any:
        return type("Finality", (), {"final_height": self._final})

    def call(self, method: str, params: dict[str, int]) -> Any:
        assert method == "chain_getRawHeaders"
        if params["first"] > self._height:
            return {"headers": [], "height": self._height}
        return {"headers": [encode(self._paid.blocks[params["first"] - 1].block.header).hex()], "height": self._height}


@pytest.mark.parametrize(
    ("height", "final", "is_paid", "is_wrong"),
    [
        (PROVEN_AT + 1, PROVEN_AT, True, False),
        (PROVEN_AT + 6, 0, True, False),
        (PROVEN_AT + 5, 0, False, False),
        (PROVEN_AT - 1, 0, False, True),
    ],
)
def test_a_node_that_is_believed(paid: PaidProduct, height: int, final: int, is_paid: bool, is_wrong: bool) -> None:
    bound = bind_to_node(Node(paid, height, final), paid.network)  # type: ignore[arg-type]
    verdict = check(paid, bound=bound)
    assert (verdict.is_paid, verdict.is_wrong) == (is_paid, is_wrong)


def test_a_node_of_another_network_or_branch(paid: PaidProduct) -> None:
    node: Any = Node(paid, PROVEN_AT + 9, PROVEN_AT)
    node.genesis = bytes(32).hex()
    checks = {each.name: each.is_ok for each in check(paid, bound=bind_to_node(node, paid.network)).checks}
    assert checks["bound"] is False
    node.genesis = paid.network.genesis_id.hex()
    other = replace(paid.receipt, block=paid.receipt.confirmations[0])
    assert check(paid, other, bind_to_node(node, paid.network)).is_wrong
