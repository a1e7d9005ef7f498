"""A chain that is made fast, until the state has what a kind of block needs."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import chain, count
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from coincurve import PrivateKey
from msgspec import Struct

from inos import work
from inos.bench.errors import BenchError
from inos.bench.voting import Voter
from inos.chain.ledger import Ledger
from inos.chain.template import NO_ROOM
from inos.consensus.execution import Execution
from inos.consensus.params import Params
from inos.consensus.results import TRUSTED_RESULTS
from inos.core.verification.signatures import RememberedSignatures
from inos.genesis import derive_devnet, load_network
from inos.mesh.store import MatrixStore
from inos.node.datadir import DataDir
from inos.primitives.blocks import (
    HEADER_VERSION,
    MAX_HEADER_BYTES,
    Block,
    Header,
    compute_anchor,
    compute_difficulty,
    compute_tx_root,
    encode_target,
    get_target,
)
from inos.primitives.bls import compute_secret as compute_bls_secret
from inos.primitives.bls import get_bls
from inos.primitives.codec import encode
from inos.primitives.errors import RuleViolation
from inos.primitives.matrices import Witness
from inos.primitives.signatures import compute_address, compute_public_key
from inos.primitives.transactions import Payload, Transaction, compute_signing_hash
from inos.primitives.units import U256_MAX, Address, Height, Nano, TimeMs
from inos.primitives.votes import Aggregate

GENESIS_NAME: Final = "genesis.json"
EASIEST: Final = f"{U256_MAX:064x}"
FUNDS: Final = Nano(10**15)
FEE: Final = 100_000
"""Nano; enough for any transaction but a challenge, by its bytes."""
AGE_MS: Final = 60 * 86_400_000
"""Genesis lies so far back that no block made here is ahead of the clock."""
RIVAL: Final = Address(bytes([78]) * 20)
EASY_TICKETS: Final = 64
"""A block that takes fewer tickets is found with a small product."""
DOUBLINGS: Final = 22
"""The worst block takes 2^22 tickets, as many as two fast cores draw in two to five seconds."""
FREE: Final = {
    "genesis_target": EASIEST,
    "max_target": EASIEST,
    "reputation_half_life": 10**9,
    "subsidy_decay_interval": 10**9,
    "max_claim_window": 10_000,
    "max_job_lifetime": 10_000,
    "base_open_claims": 10_000,
    "max_open_claims": 10_000,
    "job_retention": 100,
    "challenge_window": 100,
    "jury_window": 90,
    "finality_start": 1,
    "unbonding_epochs": 36,
}
"""Parameters that say how hard blocks are, how long records wait, and how many one account may have."""


class Person(Struct, frozen=True, eq=False):
    """An account with credits, which may vote."""

    secret: PrivateKey
    public: bytes
    address: Address
    bls_secret: bytes

    def to_voter(self) -> Voter:
        """Return the account as one of `inos.bench.voting`."""
        return Voter(self.address, self.bls_secret)


class Workshop:
    """Makes one chain. Use through `open_workshop`.

    Args:
        doublings: the block after the chain takes about 2^doublings tickets.
    """

    def __init__(self, ledger: Ledger, store: MatrixStore, people: Sequence[Person], doublings: int) -> None:
        self.ledger = ledger
        self.store = store
        self.people = people
        self.params: Params = ledger.view.params
        self.voters: list[Person] = []
        """They find the blocks in turn, once there are some."""
        self.rival: tuple[Block, Witness] | None = None
        """A block beside the one that the worst one comes after; it is as heavy, and so never connected."""
        self._doublings = doublings
        self._nonces: dict[bytes, int] = {}

    @property
    def height(self) -> int:
        """The height of the tip."""
        return int(self.ledger.view.tip.header.height)

    def sign(self, person: Person, payload: Payload, fee: int = FEE) -> Transaction:
        """Return the person's next order."""
        nonce = self._nonces.get(person.public, 0)
        self._nonces[person.public] = nonce + 1
        unsigned = Transaction(self.params.chain_id, person.public, nonce, fee, payload, bytes(64))
        signature = person.secret.sign_schnorr(compute_signing_hash(unsigned), bytes(32))
        return msgspec.structs.replace(unsigned, signature=signature)

    def order(self, payloads: Iterable[Payload], fee: int = FEE) -> Iterator[Transaction]:
        """Yield an order for each payload, of one person after another."""
        for number, payload in enumerate(payloads):
            yield self.sign(self.people[number % len(self.people)], payload, fee)

    def mine(self, orders: Iterable[Transaction] = (), *, finder: Address | None = None) -> int:
        """Make the block with all these orders, or as many blocks as they take, and return the last one's height."""
        left = iter(orders)
        filled = self.fill(left, finder)
        self._add(filled)
        while filled.left_out is not None:
            filled = self.fill(chain((filled.left_out,), left), finder)
            if not filled.transactions:
                raise BenchError("order-too-large", "an order of the chain's fits into no block")
            self._add(filled)
        return self.height

    def mine_until(self, height: int) -> None:
        """Make empty blocks up to `height`."""
        while self.height < height:
            self.mine()

    @property
    def soonest(self) -> int:
        """The height of the worst block if it comes as soon as it can."""
        return self.height + self._doublings + 1

    def harden(self, height: int | None = None, before_last: Iterable[Transaction] = ()) -> None:
        """Make the last blocks before the worst one: each makes the next block twice as hard to find.

        Args:
            height: of the worst block; by default it comes as soon as it can.
            before_last: orders for the block two below the worst one.
        """
        height = height or self.soonest
        if height < self.soonest:
            raise BenchError("too-late", f"the block at {height} cannot be made hard to find from {self.height} on")
        self.mine_until(height - 1 - self._doublings)
        while self.height < height - 1:
            if self.height == height - 2:
                self.rival = self.seal(self.fill((), RIVAL))
            self._add(self.fill(before_last if self.height == height - 3 else ()), is_early=True)

    def fill(
        self, orders: Iterable[Transaction], finder: Address | None = None, aggregate: Aggregate | None = None
    ) -> "Filled":
        """Execute as many of the orders as the next block has room for."""
        ledger, tip = self.ledger, self.ledger.view.tip
        context, target = ledger.compute_next()
        beneficiary = finder or self._choose_finder()
        execution = Execution(
            self.params,
            ledger.view.state,
            height=Height(tip.header.height + 1),
            beneficiary=beneficiary,
            target=target,
            results=TRUSTED_RESULTS,
            parent=tip.id,
            bls=ledger.view.bls,
            aggregate=aggregate,
        )
        chosen: list[Transaction] = []
        room, left_out = self.params.max_block_bytes - MAX_HEADER_BYTES, None
        for tx in orders:
            size = len(encode(tx))
            if size > room or not _add_order(execution, tx):
                left_out = tx
                break
            chosen.append(tx)
            room -= size
        executed = execution.finish()
        header = Header(
            version=HEADER_VERSION,
            chain_id=self.params.chain_id,
            height=tip.header.height + 1,
            parent=tip.id,
            time_ms=context.parent.time_ms + self.params.spacing_ms,
            tx_root=compute_tx_root(chosen, aggregate),
            state_root=ledger.compute_state_root(executed.changes),
            target=encode_target(target),
            beneficiary=beneficiary,
            nonce=0,
            seal=None,
        )
        return Filled(header, tuple(chosen), aggregate, executed.stats.cost_us, left_out)

    def seal(self, filled: "Filled", *, is_early: bool = True) -> tuple[Block, Witness]:
        """Find the block of what was filled.

        Args:
            is_early: date it a millisecond after its parent, so that the next one is harder to find.
        """
        header = filled.header
        if is_early:
            header = msgspec.structs.replace(header, time_ms=header.time_ms - self.params.spacing_ms + 1)
        return find_block(header, filled.transactions, filled.aggregate)

    def _add(self, filled: "Filled", *, is_early: bool = False) -> None:
        block, witness = self.seal(filled, is_early=is_early)
        self.ledger.add_block(block, witness, TimeMs(block.header.time_ms), is_verified=lambda tx: True)

    def _choose_finder(self) -> Address:
        return self.voters[self.height % len(self.voters)].address if self.voters else Address(bytes(20))


class Filled(Struct, frozen=True):
    """A block that is not found yet."""

    header: Header
    transactions: tuple[Transaction, ...]
    aggregate: Aggregate | None
    cost_us: int
    """What it costs by the table of `inos.consensus.costs`."""
    left_out: Transaction | None
    """The first order that had no room; None if all had."""


def find_block(
    header: Header, transactions: tuple[Transaction, ...], aggregate: Aggregate | None = None
) -> tuple[Block, Witness]:
    """Multiply under one nonce after another until a ticket wins."""
    target = get_target(header)
    is_easy = compute_difficulty(target) < EASY_TICKETS
    operand = _make_operand(16 if is_easy else 2048)
    for nonce in count():
        header = msgspec.structs.replace(header, nonce=nonce)
        mined = work.mine_strips(
            operand, operand, compute_anchor(header), target, 0, operand.strips, threads=1 if is_easy else None
        )
        if mined.wins:
            sealed = msgspec.structs.replace(header, seal=mined.wins[0].seal)
            return Block(sealed, transactions, aggregate), mined.wins[0].witness
    raise AssertionError("the nonces never end")


@cache
def _make_operand(rows: int) -> work.Operand:
    return work.Operand.commit(np.random.default_rng(rows).integers(-64, 64, (rows, 1024), np.int8))


def _add_order(execution: Execution, tx: Transaction) -> bool:
    """Execute an order; return False if the block has no room for it."""
    try:
        execution.add(tx)
    except RuleViolation as error:
        if error.code not in NO_ROOM:
            raise
        return False
    return True


@contextmanager
def open_workshop(
    folder: Path, network: str, people: int, params: Mapping[str, Any], doublings: int = DOUBLINGS
) -> Iterator[Workshop]:
    """Begin a chain in the data directory `folder`.

    Args:
        network: a preset's name. params: parameters to replace besides `FREE`, as in a genesis file.
        people: how many accounts have credits.
    """
    # With this half-life each block that comes at once makes the next one twice as hard to find.
    folder.mkdir(parents=True, exist_ok=True)
    crowd = make_people(people)
    began = TimeMs(time.time_ns() // 1_000_000 - AGE_MS)
    funds = {person.address: FUNDS for person in crowd}
    genesis = folder / GENESIS_NAME
    steep = {"asert_half_life_ms": load_network(network).params.spacing_ms}
    genesis.write_text(derive_devnet(network, began, funds, params={**FREE, **steep, **params}), encoding="utf-8")
    net = load_network(str(genesis))
    with DataDir(folder, net.genesis_id) as data:
        store = MatrixStore(data.matrices)
        ledger = Ledger.open(
            data.ledger,
            net.params,
            net.state,
            results=TRUSTED_RESULTS,
            bls=RememberedSignatures(get_bls()),
            is_durable=False,
        )
        try:
            yield Workshop(ledger, store, crowd, doublings)
        finally:
            ledger.close()
            store.close()


def make_people(count: int) -> list[Person]:
    """Return accounts whose secrets are the numbers from 1 on."""
    return [_make_person((number + 1).to_bytes(32, "big")) for number in range(count)]


def _make_person(secret: bytes) -> Person:
    public = compute_public_key(secret)
    return Person(PrivateKey(secret), public, compute_address(public), compute_bls_secret(secret))
