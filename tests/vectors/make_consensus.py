"""Writes consensus.json beside itself: known answers for whoever writes the next implementation.

    python tests/vectors/make_consensus.py

The format is described in consensus.md here. Run it only when a rule changed on purpose; the tests compare
the committed file with what the code says now.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

from inos.consensus.basefee import compute_next_base_fee

from inos.consensus.finality.aggregates import apply_link
from inos.consensus.finality.committee import make_committee
from inos.consensus.genesis_state import make_genesis
from inos.consensus.params import Params, compute_subsidy
from inos.consensus.records import (
    FINALITY_KEY,
    MARKET_KEY,
    VOTERS_KEY,
    Account,
    Ballot,
    Claim,
    Finality,
    Job,
    JobState,
    Lapse,
    Market,
    Member,
    StateKey,
    Voter,
    VoterKey,
    Voters,
    account_key,
    bls_key_key,
    claim_key,
    committee_key,
    job_key,
    lapse_key,
    voter_key,
)
from inos.consensus.reputation import compute_halved
from inos.consensus.statetree import compute_path, compute_state_root, make_proof
from inos.consensus.target import compute_asert
from inos.primitives.blocks import (
    HEADER_VERSION,
    Header,
    compute_allowed_target,
    compute_anchor,
    compute_block_id,
    compute_difficulty,
    compute_tx_root,
    encode_target,
)
from inos.primitives.bls import compute_secret, get_bls
from inos.primitives.codec import encode
from inos.primitives.matrices import DTYPE_INT7, DTYPE_INT32, MatrixRef, Seal, make_matrix_ref
from inos.primitives.signatures import compute_address, compute_public_key
from inos.primitives.transactions import (
    CancelJob,
    ClaimJob,
    JobMode,
    Payload,
    PostJob,
    RegisterVoter,
    ReportVoter,
    SubmitResult,
    Transaction,
    Transfer,
    UnbondVoter,
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
    merit_premium=4,
    base_fee_initial=Nano(1),
    base_fee_floor=Nano(1),
    base_fee_change_denominator=8,
    useful_target_percent=50,
    max_checked_bytes=33_554_432,
    min_bond=Nano(100_000_000),
    min_claim_window=5,
    max_claim_window=2000,
    max_job_lifetime=50_000,
    base_open_claims=4,
    reputation_per_claim=Tickets(1000),
    max_open_claims=64,
    reputation_half_life=5000,
    challenge_window=30,
    epoch_blocks=8,
    min_voter_bond=Nano(1_000_000_000),
    unbonding_epochs=30,
)


def make_ref(dtype: int, rows: int, cols: int, tag: int) -> MatrixRef:
    """A reference to a matrix whose root is the byte `tag` 32 times."""
    return make_matrix_ref(dtype, rows, cols, Hash(bytes([tag]) * 32))


X: Final = make_ref(DTYPE_INT7, 32, 1500, 0x11)
W: Final = make_ref(DTYPE_INT7, 48, 1500, 0x22)
Y: Final = make_ref(DTYPE_INT32, 32, 48, 0x33)
ALICE: Final = compute_address(compute_public_key(SECRET))
BOB: Final = compute_address(compute_public_key(OTHER))
JOB: Final = JobId(b"\x44" * 32)
BLS_SECRET: Final = compute_secret(b"\x01" * 32)
OTHER_BLS_SECRET: Final = compute_secret(b"\x02" * 32)
BLS_KEY: Final = get_bls().compute_public_key(BLS_SECRET)
OTHER_BLS_KEY: Final = get_bls().compute_public_key(OTHER_BLS_SECRET)
LINK: Final = Link(Checkpoint(2, b"\x99" * 32), Checkpoint(3, b"\xaa" * 32))
OTHER_LINK: Final = Link(Checkpoint(1, b"\x99" * 32), Checkpoint(4, b"\xbb" * 32))


def make_half(link: Link) -> SignedLink:
    return SignedLink(link, get_bls().sign(BLS_SECRET, compute_vote_hash(CHAIN_ID, link)))


def make_aggregate() -> Aggregate:
    """Of both voters, the first and the third of a committee of three."""
    signed = [get_bls().sign(secret, compute_vote_hash(CHAIN_ID, LINK)) for secret in (BLS_SECRET, OTHER_BLS_SECRET)]
    return Aggregate(LINK, b"\x05", get_bls().aggregate(signed))


def make_transactions() -> list[tuple[str, Transaction]]:
    """One of each kind. The signature is 64 bytes of 0x55, since real ones contain fresh randomness."""
    payloads: list[tuple[str, Payload]] = [
        ("transfer", Transfer(BOB, 1_500_000_000)),
        ("post", PostJob(X, W, 10**9, 10**8, 20, 1000, JobMode.CHECKED, 5)),
        ("claim", ClaimJob(JOB)),
        ("result", SubmitResult(JOB, Y)),
        ("cancel", CancelJob(JOB)),
        ("register voter", RegisterVoter(BLS_KEY, get_bls().prove_possession(BLS_SECRET), 10**9)),
        ("unbond voter", UnbondVoter()),
        ("withdraw bond", WithdrawBond()),
        ("report voter", ReportVoter(BLS_KEY, make_half(LINK), make_half(OTHER_LINK))),
        ("largest transfer", Transfer(BOB, 2**64 - 1)),
    ]
    key = compute_public_key(SECRET)
    return [(kind, Transaction(CHAIN_ID, key, n, 1000 + n, p, b"\x55" * 64)) for n, (kind, p) in enumerate(payloads)]


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
        "uses_merit": False,
        "nonce": 5,
        "seal": seal,
    }
    return Header(**(fields | changes))


def make_records() -> dict[StateKey, bytes]:
    """A record of each kind."""
    job = Job(
        poster=ALICE,
        x=X,
        w=W,
        reward=10**9,
        bond=10**8,
        claim_window=20,
        deadline=1000,
        mode=JobMode.CHECKED,
        posted_at=3,
        burned=12,
        state=JobState.CLAIMED,
        worker=BOB,
        y=None,
        closed_at=0,
    )
    return {
        account_key(ALICE): encode(Account(nonce=1, balance=5)),
        account_key(BOB): encode(Account(2, 10**12, 10**8, 600, 1234, 77, 1)),
        job_key(JOB): encode(job),
        claim_key(JOB): encode(Claim(BOB, 10**8, 5, 25)),
        lapse_key(Height(25)): encode(Lapse((JOB,))),
        MARKET_KEY: encode(Market(1, 10**13, 12, 10**9)),
        voter_key(ALICE): encode(Voter(BLS_KEY, 10**9, 77)),
        bls_key_key(BLS_KEY): encode(VoterKey(ALICE)),
        VOTERS_KEY: encode(Voters((ALICE, BOB))),
        FINALITY_KEY: encode(Finality(LINK.source, OTHER_LINK.source, (Ballot(LINK, 1),), (1, 2))),
        committee_key(1): encode(make_committee(make_candidates())),
    }


def make_candidates() -> list[Member]:
    """Two of one weight, of whom the lower address goes first, one heavier, and one who weighs nothing."""
    weights = ((ALICE, BLS_KEY, 5), (BOB, OTHER_BLS_KEY, 5), (b"\x07" * 20, BLS_KEY, 9), (b"\x08" * 20, BLS_KEY, 0))
    return [Member(address, key, weight) for address, key, weight in weights]


def make_finality() -> dict[str, Any]:
    """Signatures, hashes, the choice of a committee, and what links lead to."""
    aggregate = make_aggregate()
    before = Finality(LINK.source, OTHER_LINK.source)
    return {
        "keys": [
            {
                "secret": secret.hex(),
                "key": get_bls().compute_public_key(secret).hex(),
                "proof": get_bls().prove_possession(secret).hex(),
                "vote": get_bls().sign(secret, compute_vote_hash(CHAIN_ID, LINK)).hex(),
            }
            for secret in (BLS_SECRET, OTHER_BLS_SECRET)
        ],
        "link": encode(LINK).hex(),
        "vote_hash": compute_vote_hash(CHAIN_ID, LINK).hex(),
        "aggregate": encode(aggregate).hex(),
        "aggregate_leaf": compute_aggregate_leaf(aggregate).hex(),
        "tx_root_with_aggregate": compute_tx_root([tx for _, tx in make_transactions()], aggregate).hex(),
        "tx_root_of_aggregate_alone": compute_tx_root([], aggregate).hex(),
        "candidates": [encode(member).hex() for member in make_candidates()],
        "committee": encode(make_committee(make_candidates())).hex(),
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
    """Targets for schedules met, nearly met, and missed by whole and broken half-lives."""
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


def make_vectors() -> dict[str, Any]:
    """The whole file as plain data."""
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
            for h in (make_header(), make_header(uses_merit=True, nonce=2**64 - 1), make_header(height=0, seal=None))
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
        "finality": make_finality(),
        "asert": make_asert(),
        "targets": [
            {
                "target": f"{t:064x}",
                "difficulty": str(compute_difficulty(t)),
                "allowed_with_merit": f"{compute_allowed_target(t, True, 4):064x}",
                "weight_with_merit": str(compute_difficulty(compute_allowed_target(t, True, 4))),
            }
            for t in (2**192, TARGET, 2**252 - 1, 2**255)
        ],
        "base_fees": [
            {"base_fee": f, "posted": p, "difficulty": 600, "next": step}
            for f in (1, 8, 1000, 2**40)
            for p in (0, 150, 299, 300, 301, 450, 600, 10_000)
            for step in [compute_next_base_fee(PARAMS, Nano(f), Tickets(p), Tickets(600))]
        ],
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
