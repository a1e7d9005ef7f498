"""Writes consensus.json beside itself: known answers for those who write another implementation.

    python tests/vectors/make_consensus.py

The format is described in consensus.md here. Run it only when a rule changed on purpose; the tests compare
the committed file with what the code says now.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from inos.consensus.costs import compute_payments_cost
from inos.consensus.execution import Execution
from inos.consensus.finality.aggregates import apply_link
from inos.consensus.finality.committee import make_committee
from inos.consensus.genesis_state import make_genesis
from inos.consensus.jury import compute_task_mib
from inos.consensus.params import Params, compute_subsidy
from inos.consensus.prices import compute_job_price, compute_price_per_tera, compute_product_bytes, compute_task_price
from inos.consensus.records import (
    FINALITY_KEY,
    MARKET_KEY,
    NETWORK_MINED_KEY,
    VOTER_COUNT_KEY,
    Account,
    Ballot,
    Claim,
    DisputeRecord,
    Finality,
    Job,
    JobState,
    Juror,
    Kind,
    Market,
    Member,
    NetworkMined,
    Pot,
    ProductWork,
    Queued,
    StateKey,
    TaskWork,
    Voter,
    VoterCount,
    VoterKey,
    account_key,
    bls_key_key,
    claim_key,
    committee_key,
    dispute_key,
    job_key,
    pot_key,
    queue_key,
    voter_key,
)
from inos.consensus.reputation import compute_halved
from inos.consensus.statetree import compute_path, compute_state_root, make_proof
from inos.consensus.target import compute_asert
from inos.consensus.transactionrules import check_transaction_sanity
from inos.primitives.blocks import (
    HEADER_VERSION,
    Header,
    compute_anchor,
    compute_block_id,
    compute_difficulty,
    compute_tx_root,
    encode_target,
)
from inos.primitives.bls import compute_secret, get_bls
from inos.primitives.codec import encode
from inos.primitives.errors import RuleViolation
from inos.primitives.jury import compute_commitment, compute_reveal_hash
from inos.primitives.jury import compute_vote_hash as compute_jury_vote_hash
from inos.primitives.matrices import DType, MatrixRef, Seal, make_matrix_ref
from inos.primitives.payments import MAX_PAYMENTS, Payment, pack_payments
from inos.primitives.signatures import compute_address, compute_public_key
from inos.primitives.transactions import (
    CancelJob,
    ClaimJob,
    Dispute,
    JobMode,
    JuryReveal,
    JuryVote,
    Payload,
    PostJob,
    PostTask,
    RegisterVoter,
    ReportVoter,
    SubmitOutcome,
    SubmitResult,
    TaskKind,
    Transaction,
    Transfer,
    TransferMany,
    UnbondVoter,
    Verdict,
    WithdrawBond,
    compute_signing_hash,
    compute_tx_id,
)
from inos.primitives.units import Address, DurationMs, Hash, Height, JobId, Nano, Target, Tickets, TimeMs
from inos.primitives.votes import (
    Aggregate,
    Checkpoint,
    Link,
    SignedLink,
    compute_aggregate_leaf,
    compute_vote_hash,
    is_slashable,
    make_possession_message,
)

FILE: Final = Path(__file__).with_name("consensus.json")
SECRET: Final = bytes(31) + b"\x01"
OTHER: Final = bytes(31) + b"\x02"
CHAIN_ID: Final = 7
TARGET: Final = 2**256 // 600 - 1
PARAMS: Final = Params(
    network="vectors",
    chain_id=CHAIN_ID,
    spacing_ms=DurationMs(30_000),
    asert_half_life_ms=DurationMs(3_600_000),
    genesis_target=Target(TARGET),
    max_target=Target(2**252 - 1),
    max_future_ms=DurationMs(15_000),
    median_time_blocks=11,
    max_block_bytes=1_048_576,
    subsidy_initial=Nano(50_000_000_000),
    subsidy_decay_interval=10_000,
    subsidy_tail=Nano(1_000_000_000),
    burn_per_mille=125,
    byte_burn_per_mille=125,
    job_fee=Nano(1_000_000),
    account_fee=Nano(100_000),
    max_checked_bytes=33_554_432,
    max_checked_block_bytes=67_108_864,
    max_optimistic_bytes=2_147_483_648,
    max_block_cost_us=500_000,
    min_bond=Nano(100_000_000),
    min_claim_window=5,
    max_claim_window=2000,
    max_job_lifetime=50_000,
    base_open_claims=4,
    reputation_per_claim=Nano(10_000_000_000),
    max_open_claims=64,
    reputation_half_life=5000,
    job_retention=5000,
    result_depth=240,
    challenge_window=30,
    jury_size=7,
    jury_window=30,
    jury_mib_fee=Nano(10_000),
    epoch_blocks=8,
    finality_start=8,
    bond_leverage=1000,
    max_voters=512,
    min_voter_bond=Nano(1_000_000_000),
    unbonding_epochs=36,
)


def make_ref(dtype: int, rows: int, cols: int, tag: int) -> MatrixRef:
    """Return a reference to a matrix whose root is the byte `tag` 32 times."""
    return make_matrix_ref(dtype, rows, cols, Hash(bytes([tag]) * 32))


X: Final = make_ref(DType.INT7, 32, 1500, 0x11)
W: Final = make_ref(DType.INT7, 48, 1500, 0x22)
Y: Final = make_ref(DType.INT32, 32, 48, 0x33)
ALICE: Final = compute_address(compute_public_key(SECRET))
BOB: Final = compute_address(compute_public_key(OTHER))
JOB: Final = JobId(b"\x44" * 32)
TASK_JOB: Final = JobId(b"\x45" * 32)
SALT: Final = b"\x5a" * 32
BLS_SECRET: Final = compute_secret(b"\x01" * 32)
OTHER_BLS_SECRET: Final = compute_secret(b"\x02" * 32)
BLS_KEY: Final = get_bls().compute_public_key(BLS_SECRET)
OTHER_BLS_KEY: Final = get_bls().compute_public_key(OTHER_BLS_SECRET)
LINK: Final = Link(Checkpoint(2, b"\x99" * 32), Checkpoint(3, b"\xaa" * 32))
OTHER_LINK: Final = Link(Checkpoint(1, b"\x99" * 32), Checkpoint(4, b"\xbb" * 32))


def make_half(link: Link) -> SignedLink:
    return SignedLink(link, get_bls().sign(BLS_SECRET, compute_vote_hash(CHAIN_ID, link)))


def make_aggregate() -> Aggregate:
    """Return an aggregate of two voters, the first and the third of a committee of three."""
    signed = [get_bls().sign(secret, compute_vote_hash(CHAIN_ID, LINK)) for secret in (BLS_SECRET, OTHER_BLS_SECRET)]
    return Aggregate(LINK, b"\x05", get_bls().aggregate(signed))


def prove(secret: bytes, owner: Address) -> bytes:
    """Return the proof that the sender has the secret of a BLS key."""
    return get_bls().prove_possession(
        secret, make_possession_message(get_bls().compute_public_key(secret), owner, CHAIN_ID)
    )


def make_jury_vote() -> JuryVote:
    """Return a vote for the jury drawn at height 77; the verdict is "unavailable", the salt 32 bytes of 0x5a."""
    commitment = compute_commitment(Verdict.UNAVAILABLE, SALT, BLS_KEY)
    digest = compute_jury_vote_hash(CHAIN_ID, JOB, 77, commitment)
    return JuryVote(JOB, 77, BLS_KEY, commitment, get_bls().sign(BLS_SECRET, digest))


def make_jury_reveal() -> JuryReveal:
    digest = compute_reveal_hash(CHAIN_ID, JOB, 77, Verdict.UNAVAILABLE, SALT)
    return JuryReveal(JOB, 77, BLS_KEY, Verdict.UNAVAILABLE, SALT, get_bls().sign(BLS_SECRET, digest))


def make_transactions() -> list[tuple[str, Transaction]]:
    """Return a transaction of each kind. The signature is 64 bytes of 0x55, since real ones contain fresh
    randomness.
    """
    payloads: list[tuple[str, Payload]] = [
        ("transfer", Transfer(BOB, 1_500_000_000)),
        ("post", PostJob(X, W, 10**9, 10**8, 20, 1000, JobMode.CHECKED, 2 * 10**9)),
        ("claim", ClaimJob(JOB)),
        ("result", SubmitResult(JOB, Y)),
        ("cancel", CancelJob(JOB)),
        ("register voter", RegisterVoter(BLS_KEY, prove(BLS_SECRET, ALICE), 10**9)),
        ("unbond voter", UnbondVoter()),
        ("withdraw bond", WithdrawBond()),
        ("report voter", ReportVoter(BLS_KEY, make_half(LINK), make_half(OTHER_LINK))),
        ("dispute", Dispute(JOB)),
        ("jury vote", make_jury_vote()),
        ("jury reveal", make_jury_reveal()),
        ("post task", make_task()),
        ("outcome", SubmitOutcome(JOB, (b"\xcc" * 32, b"\xdd" * 32))),
        ("largest transfer", Transfer(BOB, 2**64 - 1)),
        ("payments", TransferMany(pack_payments([Payment(ALICE, 10**9), Payment(BOB, 2**63)]))),
    ]
    key = compute_public_key(SECRET)
    return [(kind, Transaction(CHAIN_ID, key, n, 1000 + n, p, b"\x55" * 64)) for n, (kind, p) in enumerate(payloads)]


def make_task() -> PostTask:
    """Return a program of two inputs, priced by 5,000 units of which 4,000 are tickets."""
    inputs = (b"\xaa" * 32, b"\xbb" * 32)
    return PostTask(TaskKind.PROGRAM, b"\x99" * 32, inputs, 4000, 5000, 10**9, 10**9, 20, 1000, 2 * 10**9)


def make_header(**changes: Any) -> Header:
    seal = Seal(X, W, 1, 2, 1, bytes(8) + b"\x66" * 24)
    fields: dict[str, Any] = {
        "version": HEADER_VERSION,
        "chain_id": CHAIN_ID,
        "height": 9,
        "parent": b"\x77" * 32,
        "time_ms": 1_700_000_000_123,
        "tx_root": compute_tx_root([tx for _, tx in make_transactions()]),
        "state_root": b"\x88" * 32,
        "target": encode_target(TARGET),
        "beneficiary": ALICE,
        "nonce": 5,
        "seal": seal,
    }
    return Header(**(fields | changes))


def make_records() -> dict[StateKey, bytes]:
    """Return a record of each kind."""
    job = Job(
        poster=ALICE,
        work=ProductWork(X, W, JobMode.CHECKED),
        reward=10**9,
        bond=10**8,
        claim_window=20,
        deadline=1000,
        posted_at=3,
        burned=12,
        state=JobState.CLAIMED,
        worker=BOB,
        closed_at=0,
    )
    task = make_task()
    work = TaskWork(task.kind, task.spec, task.inputs, task.tickets, task.units, (b"\xcc" * 32,))
    task_job = msgspec.structs.replace(job, work=work, state=JobState.DELIVERED)
    return {
        account_key(ALICE): encode(Account(nonce=1, balance=5)),
        account_key(BOB): encode(Account(2, 10**12, 10**8, 1234, 77, 1, 5 * 10**10, 76)),
        job_key(JOB): encode(job),
        job_key(TASK_JOB): encode(task_job),
        claim_key(JOB): encode(Claim(BOB, 10**8, 5, 25)),
        queue_key(Kind.LAPSE, Height(26), JOB): encode(Queued()),
        queue_key(Kind.DEADLINE, Height(1001), JOB): encode(Queued()),
        dispute_key(JOB): encode(DisputeRecord(ALICE, 2 * 10**8, 10**8, 75, 77, (Juror(BOB, OTHER_BLS_KEY, 7),))),
        MARKET_KEY: encode(Market(10**13, 12, 10**9)),
        voter_key(ALICE): encode(Voter(BLS_KEY, 10**9, 70, True, 77)),
        bls_key_key(BLS_KEY): encode(VoterKey(ALICE)),
        VOTER_COUNT_KEY: encode(VoterCount(1)),
        NETWORK_MINED_KEY: encode(NetworkMined(10**12, 77)),
        pot_key(3): encode(Pot(781_250_000)),
        FINALITY_KEY: encode(Finality(LINK.source, OTHER_LINK.source, (Ballot(LINK, 1),), (1, 2))),
        committee_key(1): encode(make_committee(make_candidates(), 10**12)),
    }


def make_candidates() -> list[Member]:
    """Return two candidates of one weight, of whom the lower address goes first, one heavier, and one without
    weight.
    """
    weights = ((ALICE, BLS_KEY, 5), (BOB, OTHER_BLS_KEY, 5), (b"\x07" * 20, BLS_KEY, 9), (b"\x08" * 20, BLS_KEY, 0))
    return [Member(address, key, weight, 2 * weight) for address, key, weight in weights]


def make_finality() -> dict[str, Any]:
    """Return signatures, hashes, the choice of a committee, and the effects of links."""
    aggregate = make_aggregate()
    before = Finality(LINK.source, OTHER_LINK.source)
    return {
        "keys": [
            {
                "secret": secret.hex(),
                "key": get_bls().compute_public_key(secret).hex(),
                "proof": prove(secret, ALICE).hex(),
                "vote": get_bls().sign(secret, compute_vote_hash(CHAIN_ID, LINK)).hex(),
            }
            for secret in (BLS_SECRET, OTHER_BLS_SECRET)
        ],
        "owner": ALICE.hex(),
        "link": encode(LINK).hex(),
        "vote_hash": compute_vote_hash(CHAIN_ID, LINK).hex(),
        "aggregate": encode(aggregate).hex(),
        "aggregate_leaf": compute_aggregate_leaf(aggregate).hex(),
        "tx_root_with_aggregate": compute_tx_root([tx for _, tx in make_transactions()], aggregate).hex(),
        "tx_root_of_aggregate_alone": compute_tx_root([], aggregate).hex(),
        "candidates": [encode(member).hex() for member in make_candidates()],
        "committee": encode(make_committee(make_candidates(), 10**12)).hex(),
        "slashable": [
            {"first": [a, b], "second": [c, d], "is_slashable": is_slashable(make_link(a, b), make_link(c, d, tag))}
            for a, b, c, d, tag in (
                (0, 1, 0, 1, 1),
                (0, 1, 0, 1, 2),
                (0, 4, 1, 3, 1),
                (1, 3, 0, 4, 1),
                (0, 3, 0, 4, 1),
                (0, 4, 1, 4, 1),
                (1, 2, 2, 3, 1),
            )
        ],
        "links": [
            {
                "before": encode(before).hex(),
                "link": encode(link).hex(),
                "after": encode(apply_link(before, link)).hex(),
            }
            for link in (LINK, Link(LINK.source, OTHER_LINK.target))
        ],
    }


def make_link(source: int, target: int, tag: int = 1) -> Link:
    return Link(Checkpoint(source, b"\x01" * 32), Checkpoint(target, bytes([tag]) * 32))


def make_asert() -> list[dict[str, Any]]:
    """Return targets for schedules that are met, nearly met, and missed by whole and broken half-lives."""
    cases = [(0, 0), (1, 0), (-1, 0), (3_600_000, 5), (-3_600_000, 5), (1_800_000, 9), (-1_234_567, 1000), (10**9, 70)]
    return [_make_asert_case(30_000 * (blocks + 1) + late, blocks) for late, blocks in cases]


def _make_asert_case(time_delta: int, blocks: int) -> dict[str, Any]:
    spacing, half_life = DurationMs(30_000), DurationMs(3_600_000)
    target = compute_asert(
        TARGET, time_delta_ms=time_delta, height_delta=blocks, spacing_ms=spacing, half_life_ms=half_life
    )
    return {
        "anchor_target": f"{TARGET:064x}",
        "spacing_ms": spacing,
        "half_life_ms": half_life,
        "height_delta": blocks,
        "time_delta_ms": time_delta,
        "target": f"{target:x}",
    }


def make_prices() -> list[dict[str, Any]]:
    """Return what jobs of some shapes burn, part by part, at two difficulties and two subsidies."""
    shapes = ((512, 256, 1024), (1024, 1024, 1024), (360, 64, 64), (1, 1, 1), (2**20, 1, 3), (17, 257, 1025))
    cases = [
        (shape, height, difficulty, mode)
        for shape in shapes
        for height, difficulty in ((1, 20_000), (10_000, 600))
        for mode in JobMode
    ]
    return [_make_price(*case) for case in cases]


def _make_price(shape: tuple[int, int, int], height: int, difficulty: int, mode: JobMode) -> dict[str, Any]:
    m, n, k = shape
    price = compute_job_price(PARAMS, Height(height), Tickets(difficulty), rows_x=m, rows_w=n, depth=k, mode=mode)
    return {
        "m": m,
        "n": n,
        "k": k,
        "height": height,
        "difficulty": difficulty,
        "mode": int(mode),
        "product_bytes": compute_product_bytes(m, n, k),
        "work": str(price.work),
        "bytes": str(price.bytes),
        "place": str(price.place),
        "per_tera": str(compute_price_per_tera(PARAMS, Height(height), Tickets(difficulty))),
    }


def make_task_prices() -> list[dict[str, Any]]:
    """Return what tasks of some units burn, and the MiB for which their juries are paid."""
    return [_make_task_price(*case) for case in ((1, 1, 20_000), (4096, 1, 600), (4097, 10_000, 600), (2**40, 1, 600))]


def _make_task_price(units: int, height: int, difficulty: int) -> dict[str, Any]:
    price = compute_task_price(PARAMS, Height(height), Tickets(difficulty), units)
    return {
        "units": units,
        "height": height,
        "difficulty": difficulty,
        "work": str(price.work),
        "place": str(price.place),
        "jury_mib": compute_task_mib(units),
    }


def make_proofs(records: dict[StateKey, bytes]) -> list[dict[str, Any]]:
    keys = [*records, account_key(Address(bytes(20))), account_key(Address(b"\x09" * 20))]
    proofs = []
    for key in keys:
        proof, value = make_proof(records, key), records.get(key)
        proofs.append(
            {
                "key": key.hex(),
                "value": None if value is None else value.hex(),
                "siblings": [s.hex() for s in proof.siblings],
                "other": proof.other and {"path": proof.other.path.hex(), "value": proof.other.value.hex()},
            }
        )
    return proofs


class Records:
    """Satisfies inos.consensus.records.StateReader over a dictionary."""

    def __init__(self, records: dict[StateKey, bytes]) -> None:
        self._records = records
        self.get = records.get

    def iterate(self, prefix: bytes, start: StateKey | None = None) -> Iterator[tuple[StateKey, bytes]]:
        found = sorted(each for each in self._records.items() if each[0].startswith(prefix))
        return (each for each in found if each[0] >= (start or prefix))


def make_payments() -> dict[str, Any]:
    """Return a block that pays three accounts with one transaction, transactions that are refused, and costs."""
    genesis = make_genesis(PARAMS, TimeMs(1_700_000_000_000), {ALICE: Nano(10**9), BOB: Nano(5)})
    parent = compute_block_id(genesis.header)
    new = Address(b"\x07" * 20)
    paid = sorted([Payment(ALICE, 50_000_000), Payment(BOB, 10_000_000), Payment(new, 1_000_000)])
    tx = make_payments_tx(pack_payments(paid))
    execution = Execution(
        PARAMS,
        Records(dict(genesis.records)),
        height=Height(1),
        beneficiary=BOB,
        target=TARGET,
        results=None,
        parent=parent,
        bls=get_bls(),
    )
    execution.add(tx)
    changes = execution.finish().changes
    after = {key: value for key, value in (dict(genesis.records) | changes).items() if value is not None}
    return {
        "accepted": {
            "records": [{"key": k.hex(), "value": v.hex()} for k, v in sorted(genesis.records.items())],
            "height": 1,
            "parent": parent.hex(),
            "target": f"{TARGET:064x}",
            "beneficiary": BOB.hex(),
            "transaction": encode(tx).hex(),
            "changes": [
                {"key": key.hex(), "value": None if value is None else value.hex()}
                for key, value in sorted(changes.items())
            ],
            "state_root": compute_state_root(after).hex(),
        },
        "refused": [
            {"transaction": encode(make_payments_tx(packed)).hex(), "code": find_payments_code(packed)}
            for packed in make_refused_payments()
        ],
        "costs": [{"payments": n, "microseconds": compute_payments_cost(n)} for n in (1, 2, 100, MAX_PAYMENTS)],
    }


def make_payments_tx(packed: bytes) -> Transaction:
    return Transaction(CHAIN_ID, compute_public_key(SECRET), 0, 1000, TransferMany(packed), b"\x55" * 64)


def make_refused_payments() -> list[bytes]:
    """Return payments of a wrong length, too many, out of order, paid twice, too small, and with too large a sum."""
    least = PARAMS.job_fee
    first, second = (Payment(Address(bytes([n]) * 20), least) for n in (1, 2))
    many = [Payment(Address(n.to_bytes(20, "big")), least) for n in range(MAX_PAYMENTS + 1)]
    return [
        b"",
        pack_payments([first])[:-1],
        pack_payments([first]) + b"\x00",
        b"".join(pack_payments([each]) for each in many),
        pack_payments([second]) + pack_payments([first]),
        2 * pack_payments([first]),
        pack_payments([Payment(first.to, least - 1)]),
        pack_payments([Payment(first.to, 0)]),
        pack_payments([Payment(first.to, 2**63), Payment(second.to, 2**63 - 1000)]),
    ]


def find_payments_code(packed: bytes) -> str:
    """Return the code with which a transaction is refused before its signature is checked."""
    try:
        check_transaction_sanity(PARAMS, make_payments_tx(packed), get_bls())
    except RuleViolation as error:
        return error.code
    raise AssertionError("these payments are not refused")


def make_vectors() -> dict[str, Any]:
    """Return the whole file as plain data."""
    transactions, records = make_transactions(), make_records()
    genesis = make_genesis(PARAMS, TimeMs(1_700_000_000_000), {ALICE: Nano(10**9), BOB: Nano(5)})
    return {
        "transactions": [
            {
                "kind": kind,
                "encoding": encode(tx).hex(),
                "signing_hash": compute_signing_hash(tx).hex(),
                "id": compute_tx_id(tx).hex(),
            }
            for kind, tx in transactions
        ],
        "tx_roots": [
            {"count": n, "root": compute_tx_root([tx for _, tx in transactions[:n]]).hex()}
            for n in range(len(transactions) + 1)
        ],
        "headers": [
            {"encoding": encode(h).hex(), "anchor": compute_anchor(h).hex(), "id": compute_block_id(h).hex()}
            for h in (make_header(), make_header(nonce=2**64 - 1), make_header(height=0, seal=None))
        ],
        "genesis": {"parent": genesis.header.parent.hex(), "id": compute_block_id(genesis.header).hex()},
        "state": {
            "records": [
                {"key": k.hex(), "value": v.hex(), "path": compute_path(k).hex()} for k, v in sorted(records.items())
            ],
            "roots": [
                {"count": n, "root": compute_state_root(dict(sorted(records.items())[:n])).hex()}
                for n in range(len(records) + 1)
            ],
            "proofs": make_proofs(records),
        },
        "payments": make_payments(),
        "finality": make_finality(),
        "asert": make_asert(),
        "targets": [
            {
                "target": f"{t:064x}",
                "difficulty": str(compute_difficulty(t)),
            }
            for t in (2**192, TARGET, 2**252 - 1, 2**255)
        ],
        "prices": make_prices(),
        "task_prices": make_task_prices(),
        "subsidies": [
            {"height": h, "subsidy": compute_subsidy(PARAMS, Height(h))}
            for h in (1, 9_999, 10_000, 100_000, 1_000_000, 3_880_000, 3_900_000, 10**9)
        ],
        "reputation": [
            {
                "written": 4_999,
                "value": 1_001,
                "height": h,
                "at": compute_halved(PARAMS, 1_001, Height(4_999), Height(h)),
            }
            for h in (4_999, 5_000, 9_999, 10_000, 60_000)
        ],
    }


def main() -> int:
    FILE.write_text(json.dumps(make_vectors(), indent=1) + "\n", "utf-8")
    print(f"wrote {FILE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
