"""Accounts, matrices and transactions for tests of RPC methods, which run on a node in memory."""

import numpy as np

from inos.primitives.transactions import JobMode, Payload, PostJob, sign_transaction
from inos.wallet.addresses import encode_address
from inos.wallet.build import encode_transaction
from inos.wallet.keys import make_key
from support.fake_node import FEE, FakeNode

ALICE = make_key(bytes(31) + b"\x01")
BOB = make_key(bytes(31) + b"\x02")
FUNDS = 1000 * 10**9
BURN = "9254395"
"""What `make_post` burns: 625,000 nano for 2 tickets at D = 20,000, 7,629,395 for 5 strips, 1,000,000 for its place."""
RNG = np.random.default_rng(1)
X = RNG.integers(-64, 64, (20, 30), np.int8)
W = RNG.integers(-64, 64, (10, 30), np.int8)


def text(address: bytes) -> str:
    return encode_address("dinos", address)


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
