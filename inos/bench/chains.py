"""Makes chains fast: valid blocks with real seals at the easiest target, written into a node's data directory.

A node that is started on the directory serves the chain at once. The target lets every ticket win, so a seal
costs one product of one ticket. Signatures, state roots and the schedule are as on any network.
"""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from coincurve import PrivateKey
from msgspec import Struct

from inos import work
from inos.bench.voting import Voter, make_due_aggregate
from inos.chain.ledger import Ledger
from inos.consensus.execution import Execution
from inos.core.verification.results import StoredResults
from inos.genesis import Network, derive_devnet, load_network
from inos.mesh.store import MatrixStore
from inos.node.datadir import DataDir
from inos.primitives.blocks import HEADER_VERSION, Block, Header, compute_anchor, compute_tx_root, encode_target
from inos.primitives.bls import compute_secret as compute_bls_secret
from inos.primitives.bls import get_bls
from inos.primitives.signatures import compute_address, compute_public_key
from inos.primitives.transactions import Payload, RegisterVoter, Transaction, Transfer, compute_signing_hash
from inos.primitives.units import U256_MAX, Address, BlockId, Height, Nano, TimeMs
from inos.primitives.votes import make_possession_message
from inos.work.engine import Lottery

SENDERS: Final = 256
"""Accounts with credits, which pay in turn."""
RECEIVERS: Final = 4096
"""Accounts that are paid; together with the senders they make the state tree about 12 levels deep."""
FUNDS: Final = Nano(10**15)
FEE: Final = 1000
SPACING_MS: Final = 2000
EASIEST: Final = f"{U256_MAX:064x}"
MAX_BLOCK_BYTES: Final = 4 << 20
MAX_BLOCK_COST_US: Final = 60_000_000
"""A block of transfers up to its bytes costs less."""
GENESIS_NAME: Final = "genesis.json"


class Chain(Struct, frozen=True):
    """A chain in a data directory."""

    folder: Path
    """The data directory."""
    network: Path
    """The genesis file."""
    blocks: int
    transfers: int
    """Number of transfers in all blocks together."""
    tip: BlockId
    seconds: float
    """Time it took to make the chain."""


def make_network(path: Path, blocks: int) -> Network:
    """Write the genesis of a network whose blocks cost nothing, and whose start leaves time for `blocks` until now."""
    rng = random.Random(1)
    allocations = {address: FUNDS for _, _, address in _make_senders(rng)}
    params = {
        "spacing_ms": SPACING_MS,
        "genesis_target": EASIEST,
        "max_target": EASIEST,
        "max_block_bytes": MAX_BLOCK_BYTES,
        "max_block_cost_us": MAX_BLOCK_COST_US,
    }
    began = TimeMs(time.time_ns() // 1_000_000 - (blocks + 60) * SPACING_MS)
    path.write_text(derive_devnet("devnet", began, allocations, params=params), encoding="utf-8")
    return load_network(str(path))


def make_chain(
    folder: Path,
    blocks: int,
    transfers: int = 0,
    *,
    network: Path | None = None,
    seed: int = 1,
    receivers: int = RECEIVERS,
    voters: int = 0,
) -> Chain:
    """Fill the data directory `folder` with `blocks` blocks of `transfers` transfers each.

    Args:
        network: a genesis file made by `make_network`; by default one is made in the folder.
        seed: another seed gives other blocks on the same network, and so a fork.
        receivers: accounts that are paid, one after another.
        voters: this many senders mine, register once each has found a block, and vote on every checkpoint.
    """
    started = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    genesis = network or folder / GENESIS_NAME
    net = make_network(genesis, blocks) if network is None else load_network(str(genesis))
    with _open_ledger(folder, net) as ledger:
        maker = _Maker(ledger, transfers, seed, receivers, voters)
        for _ in range(blocks):
            maker.add_block()
        tip = ledger.view.tip.id
    return Chain(folder, genesis, blocks, blocks * transfers, tip, time.monotonic() - started)


BOND_PARTS: Final = 1000
"""Least bonds a voter locks, so that what it mines counts on chains of any length that is made here."""


class _Maker:
    """Makes one chain, block after block."""

    def __init__(self, ledger: Ledger, transfers: int, seed: int, receivers: int, voters: int) -> None:
        rng = random.Random(1)
        self._ledger = ledger
        self._senders = _make_senders(rng)
        self._nonces = [0] * SENDERS
        self._receivers = [Address(rng.randbytes(20)) for _ in range(receivers)]
        self._paid = 0
        self._voters = [
            Voter(address, compute_bls_secret(secret.secret)) for secret, _, address in self._senders[:voters]
        ]
        self._rng = random.Random(seed)
        self._turn = 0
        self._transfers = transfers
        self._beneficiary = Address(random.Random(seed).randbytes(20))
        data = np.random.default_rng(seed)
        self._x, self._w = (work.Operand.commit(data.integers(-64, 64, (16, 1024), np.int8)) for _ in range(2))

    def add_block(self) -> None:
        """Add the next block on the tip."""
        ledger, params = self._ledger, self._ledger.view.params
        context, target = ledger.compute_next()
        tip = ledger.view.tip
        voters = self._voters
        beneficiary = voters[tip.header.height % len(voters)].address if voters else self._beneficiary
        aggregate = make_due_aggregate(params, ledger.view.state, voters) if voters else None
        execution = Execution(
            params,
            ledger.view.state,
            height=Height(tip.header.height + 1),
            beneficiary=beneficiary,
            target=target,
            results=ledger.view.results,
            parent=tip.id,
            bls=ledger.view.bls,
            aggregate=aggregate,
        )
        if voters and tip.header.height == len(voters):
            transactions = tuple(self._make_registration(index) for index in range(len(voters)))
        else:
            transactions = tuple(self._make_transfer() for _ in range(self._transfers))
        for tx in transactions:
            execution.add(tx)
        header = Header(
            version=HEADER_VERSION,
            chain_id=params.chain_id,
            height=tip.header.height + 1,
            parent=tip.id,
            time_ms=context.parent.time_ms + params.spacing_ms,
            tx_root=compute_tx_root(transactions, aggregate),
            state_root=ledger.compute_state_root(execution.finish().changes),
            target=encode_target(target),
            beneficiary=beneficiary,
            nonce=0,
            seal=None,
        )
        (win,) = Lottery(self._w, compute_anchor(header), target, threads=1).mine_strips(self._x, 0, 1).wins
        sealed = msgspec.structs.replace(header, seal=win.seal)
        ledger.add_block(Block(sealed, transactions, aggregate), win.witness, TimeMs(sealed.time_ms))

    def _make_transfer(self) -> Transaction:
        self._turn = (self._turn + 1) % SENDERS
        self._paid = (self._paid + 1) % len(self._receivers)
        return self._sign(self._turn, Transfer(self._receivers[self._paid], self._rng.randrange(10**6, 2 * 10**6)))

    def _make_registration(self, index: int) -> Transaction:
        secret, bls = self._voters[index].secret, get_bls()
        params = self._ledger.view.params
        bond = BOND_PARTS * params.min_voter_bond
        key = bls.compute_public_key(secret)
        message = make_possession_message(key, self._voters[index].address, params.chain_id)
        return self._sign(index, RegisterVoter(key, bls.prove_possession(secret, message), bond))

    def _sign(self, sender: int, payload: Payload) -> Transaction:
        secret, public, _ = self._senders[sender]
        nonce, self._nonces[sender] = self._nonces[sender], self._nonces[sender] + 1
        unsigned = Transaction(self._ledger.view.params.chain_id, public, nonce, FEE, payload, bytes(64))
        signature = secret.sign_schnorr(compute_signing_hash(unsigned), bytes(32))
        return msgspec.structs.replace(unsigned, signature=signature)


def _make_senders(rng: random.Random) -> list[tuple[PrivateKey, bytes, Address]]:
    secrets = [rng.randbytes(32) for _ in range(SENDERS)]
    keys = [compute_public_key(secret) for secret in secrets]
    return [(PrivateKey(s), key, compute_address(key)) for s, key in zip(secrets, keys, strict=True)]


@contextmanager
def _open_ledger(folder: Path, network: Network) -> Iterator[Ledger]:
    with DataDir(folder, network.genesis_id) as data:
        results = StoredResults(MatrixStore(data.matrices))
        ledger = Ledger.open(
            data.ledger, network.params, network.state, results=results, bls=get_bls(), is_durable=False
        )
        try:
            yield ledger
        finally:
            ledger.close()
