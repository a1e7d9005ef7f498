"""A chain in memory for tests of the rules: keys, blocks that are made and checked through all stages, and balance
checks.

Seals are made up: their digest meets the target, but no witness could prove them. Tests of
`check_seal` make real ones.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from coincurve import PrivateKey

from inos.consensus.context import AsertAnchor, HeaderContext
from inos.consensus.execution import Executed, Execution, check_state_root, execute_block
from inos.consensus.genesis_state import make_genesis
from inos.consensus.params import Params
from inos.consensus.records import Account, Kind, Market, Pot, StateKey
from inos.consensus.state import StateView
from inos.consensus.statetree import compute_state_root
from inos.consensus.target import compute_target
from inos.consensus.validity import check_block_sanity, check_header_context
from inos.primitives.blocks import Block, Header, compute_block_id, compute_tx_root, encode_target
from inos.primitives.bls import Bls, get_bls
from inos.primitives.codec import decode
from inos.primitives.errors import MatrixMissing, RuleViolation, VerdictMissing
from inos.primitives.matrices import DType, MatrixRef, Product, Seal, make_matrix_ref
from inos.primitives.multisig import Multisig, join_signatures
from inos.primitives.signatures import compute_address, compute_public_key
from inos.primitives.transactions import (
    JobMode,
    Payload,
    PostJob,
    PostTask,
    TaskKind,
    Transaction,
    compute_signing_hash,
    compute_tx_id,
)
from inos.primitives.units import Address, BlockId, Hash, Height, JobId, MatrixId, Nano, Target, TimeMs
from inos.primitives.votes import Aggregate

CHAIN_ID: Final = 77
GENESIS_TIME: Final = TimeMs(1_700_000_000_000)
PARAMS: Final = Params(
    network="lab",
    chain_id=CHAIN_ID,
    spacing_ms=2000,
    asert_half_life_ms=60_000,
    genesis_target=Target(2**256 // 600 - 1),
    max_target=Target(2**252 - 1),
    max_future_ms=15_000,
    median_time_blocks=11,
    max_block_bytes=20_000,
    subsidy_initial=Nano(50_000),
    subsidy_decay_interval=10,
    subsidy_tail=Nano(49_000),
    burn_per_mille=125,
    byte_burn_per_mille=125,
    job_fee=Nano(7),
    account_fee=Nano(3),
    max_checked_bytes=1 << 20,
    max_checked_block_bytes=1 << 21,
    max_optimistic_bytes=1 << 22,
    max_block_cost_us=500_000,
    min_bond=Nano(101),
    min_claim_window=2,
    max_claim_window=6,
    max_job_lifetime=20,
    base_open_claims=2,
    reputation_per_claim=Nano(1000),
    max_open_claims=4,
    reputation_half_life=10,
    job_retention=30,
    result_depth=10,
    challenge_window=3,
    jury_size=5,
    jury_window=6,
    jury_mib_fee=Nano(10),
    epoch_blocks=8,
    finality_start=8,
    bond_leverage=1000,
    max_voters=64,
    min_voter_bond=Nano(1000),
    unbonding_epochs=2,
)


class Key(msgspec.Struct, frozen=True):
    """A person of a test."""

    secret: bytes

    @property
    def public(self) -> bytes:
        return compute_public_key(self.secret)

    @property
    def address(self) -> Address:
        return compute_address(compute_public_key(self.secret))


ALICE, BOB, CAROL, MINER = (Key(bytes(31) + bytes([n])) for n in (11, 12, 13, 14))
PEOPLE: Mapping[str, Key] = {"alice": ALICE, "bob": BOB, "carol": CAROL, "miner": MINER}
NOBODY: Final = Address(bytes(20))
ALLOCATIONS: Final = {ALICE.address: Nano(1_000_000), BOB.address: Nano(500_000)}


def make_operand(rows: int, cols: int, tag: int = 1) -> MatrixRef:
    """Return a reference to an operand whose bytes nobody has."""
    return make_matrix_ref(DType.INT7, rows, cols, Hash(tag.to_bytes(32, "big")))


def make_result(rows: int, cols: int, tag: int = 1) -> MatrixRef:
    return make_matrix_ref(DType.INT32, rows, cols, Hash(tag.to_bytes(32, "big")))


def make_post(height: int, **changes: Any) -> PostJob:
    """Return a valid job for a block at `height`: 32 x 48 with depth 1500, 12 tickets."""
    job = PostJob(
        x=make_operand(32, 1500, 1),
        w=make_operand(48, 1500, 2),
        reward=1000,
        bond=101,
        claim_window=3,
        deadline=height + 10,
        mode=JobMode.CHECKED,
        max_burn=10_000,
    )
    return msgspec.structs.replace(job, **changes)


def make_task(height: int, **changes: Any) -> PostTask:
    """Return a valid task for a block at `height`: a program of 20 units, 12 of them tickets."""
    task = PostTask(
        kind=TaskKind.PROGRAM,
        spec=b"\x51" * 32,
        inputs=(b"\x52" * 32, b"\x53" * 32),
        tickets=12,
        units=20,
        reward=1000,
        bond=5000,
        claim_window=3,
        deadline=height + 10,
        max_burn=10_000,
    )
    return msgspec.structs.replace(task, **changes)


class Records:
    """Implements consensus.StateReader over a dictionary."""

    def __init__(self, records: Mapping[StateKey, bytes]) -> None:
        self.all = dict(records)

    def get(self, key: StateKey) -> bytes | None:
        return self.all.get(key)

    def iterate(self, prefix: bytes, start: StateKey | None = None) -> Iterator[tuple[StateKey, bytes]]:
        yield from sorted((k, v) for k, v in self.all.items() if k.startswith(prefix) and k >= (start or prefix))

    def apply(self, changes: Mapping[StateKey, bytes | None]) -> None:
        for key, value in changes.items():
            if value is None:
                del self.all[key]
            else:
                self.all[key] = value


class Products:
    """Implements consensus.ResultChecker: it accepts everything except the ids in `wrong`.

    It lacks the matrices in `missing`, and has not checked the results in `unchecked`.
    """

    def __init__(self) -> None:
        self.wrong: set[bytes] = set()
        self.missing: set[bytes] = set()
        self.unchecked: set[bytes] = set()
        self.asked: list[JobId] = []

    def get_verdict(self, product: Product) -> bool | None:
        self.asked.append(product.job)
        if missing := [MatrixId(r.id) for r in (product.x, product.w, product.y) if r.id in self.missing]:
            raise MatrixMissing(missing)
        return None if product.y.id in self.unchecked else product.y.id not in self.wrong


def sum_held(records: Mapping[StateKey, bytes]) -> int:
    """Return all balances, bonds, escrows and pots, counted record by record."""
    total = 0
    for key, value in records.items():
        if key[0] == Kind.ACCOUNT:
            account = decode(Account, value, limit=1000)
            total += account.balance + account.bonded
        elif key[0] == Kind.MARKET:
            total += decode(Market, value, limit=1000).escrowed
        elif key[0] == Kind.POT:
            total += decode(Pot, value, limit=1000).amount
    return total


def check_movements(before: Records, executed: Executed) -> None:
    """Check that the movements that a block records are its changes to balances and bonds."""
    moved: dict[bytes, list[int]] = {}
    for entry in executed.history:
        sums = moved.setdefault(entry.address, [0, 0])
        for movement in entry.movements:
            sums[0] += movement.balance
            sums[1] += movement.bonded
    for key in (key for key in executed.changes if key[0] == Kind.ACCOUNT):
        old, new = (
            Account() if data is None else decode(Account, data, limit=1000)
            for data in (before.get(key), executed.changes[key])
        )
        assert moved.pop(key[1:], [0, 0]) == [new.balance - old.balance, new.bonded - old.bonded]
    assert all(sums == [0, 0] for sums in moved.values())


class Lab:
    """One chain from genesis on."""

    def __init__(self, params: Params = PARAMS, allocations: Mapping[Address, Nano] = ALLOCATIONS) -> None:
        self.params = params
        genesis = make_genesis(params, GENESIS_TIME, allocations)
        self.records = Records(genesis.records)
        self.headers = [genesis.header]
        self.products = Products()
        self.bls: Bls = get_bls()

    @property
    def height(self) -> Height:
        return Height(len(self.headers) - 1)

    @property
    def state(self) -> StateView:
        return StateView(self.records)

    @property
    def context(self) -> HeaderContext:
        parent = self.headers[-1]
        first = self.headers[1] if len(self.headers) > 1 else None
        return HeaderContext(
            parent=parent,
            parent_id=BlockId(compute_block_id(parent)),
            recent_times_ms=tuple(TimeMs(h.time_ms) for h in self.headers[-11:]),
            first=first and AsertAnchor(Height(1), TimeMs(first.time_ms), Target(int.from_bytes(first.target, "big"))),
        )

    def sign(
        self, key: Key, payload: Payload, *, fee: int = 1, ahead: int = 0, nonce: int | None = None
    ) -> Transaction:
        """Return a transaction with the key's next nonce at the tip, or a nonce `ahead` of it."""
        number = self.state.get_account(key.address).nonce + ahead if nonce is None else nonce
        return sign_steadily(key, number, fee, payload)

    def begin(self, *, miner: Address = MINER.address, aggregate: Aggregate | None = None) -> Execution:
        """Begin an execution of the next block."""
        return Execution(
            self.params,
            self.records,
            height=Height(self.height + 1),
            beneficiary=miner,
            target=compute_target(self.params, self.context),
            results=self.products,
            parent=self.context.parent_id,
            aggregate=aggregate,
            bls=self.bls,
        )

    def make_block(
        self,
        transactions: Sequence[Transaction] = (),
        *,
        miner: Address = MINER.address,
        aggregate: Aggregate | None = None,
    ) -> Block:
        """Return the next block; its state root is right if its transactions are valid, else zero."""
        header = self._make_header(transactions, miner, aggregate)
        block = Block(header, tuple(transactions), aggregate)
        try:
            executed = execute_block(self.params, self.records, block, self.products, self.bls)
        except (RuleViolation, VerdictMissing):
            return block
        after = Records(self.records.all)
        after.apply(executed.changes)
        return edit(block, state_root=compute_state_root(after.all))

    def _make_header(self, transactions: Sequence[Transaction], miner: Address, aggregate: Aggregate | None) -> Header:
        context = self.context
        seal = Seal(make_operand(16, 1024, 3), make_operand(16, 1024, 4), 0, 0, 0, bytes(32))
        return Header(
            version=3,
            chain_id=CHAIN_ID,
            height=context.parent.height + 1,
            parent=context.parent_id,
            time_ms=context.parent.time_ms + self.params.spacing_ms,
            tx_root=compute_tx_root(transactions, aggregate),
            state_root=bytes(32),
            target=encode_target(compute_target(self.params, context)),
            beneficiary=miner,
            nonce=0,
            seal=seal,
        )

    def check(self, block: Block) -> Executed:
        """Run all stages except the checks of the seal's witness and the clock."""
        check_block_sanity(self.params, block, self.bls)
        check_header_context(self.params, block.header, self.context)
        executed = execute_block(self.params, self.records, block, self.products, self.bls)
        after = Records(self.records.all)
        after.apply(executed.changes)
        check_state_root(block.header, compute_state_root(after.all))
        return executed

    def connect(self, block: Block) -> Executed:
        """Check a block, apply it, and check that the balances add up and every change of an account is recorded."""
        executed = self.check(block)
        check_movements(self.records, executed)
        self.records.apply(executed.changes)
        self.headers.append(block.header)
        assert sum_held(self.records.all) == executed.stats.supply
        return executed

    def mine(
        self,
        *transactions: Transaction,
        miner: Address = MINER.address,
        aggregate: Aggregate | None = None,
    ) -> Executed:
        """Make and connect the next block."""
        block = self.make_block(transactions, miner=miner, aggregate=aggregate)
        return self.connect(block)

    def mine_until(self, height: int) -> None:
        """Add empty blocks up to `height`, without a beneficiary."""
        while self.height < height:
            self.mine(miner=NOBODY)

    def post(self, key: Key = ALICE, **changes: Any) -> JobId:
        """Mine a block with a job in it."""
        tx = self.sign(key, make_post(self.height + 1, **changes))
        self.mine(tx, miner=NOBODY)
        return JobId(compute_tx_id(tx))


def edit(block: Block, **changes: Any) -> Block:
    """Return the block with some fields of its header changed."""
    return Block(msgspec.structs.replace(block.header, **changes), block.transactions, block.aggregate)


def get_code(action: Callable[[], object]) -> str:
    """Return the code of the rule that `action` breaks, or "" if it breaks none."""
    try:
        action()
    except RuleViolation as error:
        return error.code
    return ""


def sign_jointly(owners: Multisig, signers: Sequence[Key], nonce: int, fee: int, payload: Payload) -> Transaction:
    """Sign for an account of several keys, without randomness."""
    unsigned = Transaction(CHAIN_ID, owners, nonce, fee, payload, bytes(64))
    digest = compute_signing_hash(unsigned)
    parts = {key.public: PrivateKey(key.secret).sign_schnorr(digest, bytes(32)) for key in signers}
    return msgspec.structs.replace(unsigned, signature=join_signatures(owners, parts))


def sign_steadily(key: Key, nonce: int, fee: int, payload: Payload) -> Transaction:
    """Sign without randomness, so that ids, and with them whole test runs, are the same for one seed."""
    unsigned = Transaction(CHAIN_ID, key.public, nonce, fee, payload, bytes(64))
    signature = PrivateKey(key.secret).sign_schnorr(compute_signing_hash(unsigned), bytes(32))
    return msgspec.structs.replace(unsigned, signature=signature)
