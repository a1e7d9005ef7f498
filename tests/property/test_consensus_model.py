"""The rules against a second, slow implementation of them, over random histories of all payloads across many epochs.

`support.slow_rules` is written from the protocol's text. For every order, it lists all rules that the order would
break. The real rules must agree on whether the order is valid, name one of the listed rules, and leave the same state.
The same holds for the votes that a block carries.
"""

import copy
import random
from collections import Counter
from typing import Any, Final, get_args

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inos.consensus.codes import Code
from inos.consensus.jobevents import JobEventKind
from inos.consensus.records import JobState, TaskWork
from inos.consensus.validity import check_transaction_sanity
from inos.primitives.jury import compute_commitment, compute_reveal_hash, compute_vote_hash
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
    Transfer,
    TransferMany,
    UnbondVoter,
    Verdict,
    WithdrawBond,
    compute_tx_id,
)
from inos.primitives.units import JobId, Nano, Target
from inos.primitives.votes import (
    Aggregate,
    Checkpoint,
    Link,
    SignedLink,
    make_bits,
    make_possession_message,
)
from inos.primitives.votes import compute_vote_hash as compute_link_hash
from support.consensus_lab import (
    ALICE,
    BOB,
    CAROL,
    CHAIN_ID,
    MINER,
    PARAMS,
    Key,
    Lab,
    get_code,
    make_post,
    make_result,
    make_task,
)
from support.fake_bls import FakeBls
from support.slow_rules import SlowRules
from support.tiles import BAD_REF, W_REF, X_REF, Y_REF, make_challenge

D = 24
"""Tickets per block; a checked job of the lab has half as many."""
RULES = msgspec.structs.replace(
    PARAMS,
    genesis_target=Target(2**256 // D - 1),
    max_block_bytes=2_000_000,
    min_bond=Nano(1),
    min_claim_window=1,
    max_claim_window=3,
    max_job_lifetime=9,
    base_open_claims=2,
    max_open_claims=4,
    reputation_per_claim=Nano(30_000),
    reputation_half_life=5,
    subsidy_decay_interval=2,
    job_retention=3,
    challenge_window=3,
    jury_size=3,
    jury_window=6,
    epoch_blocks=3,
    finality_start=6,
    bond_leverage=10,
    max_voters=3,
    unbonding_epochs=1,
)
PEOPLE = (ALICE, BOB, CAROL, MINER)
BALANCES = {ALICE.address: Nano(2_000_000), BOB.address: Nano(2_000_000), CAROL.address: Nano(150_000)}
MINERS = (ALICE, ALICE, BOB, BOB, CAROL, CAROL, MINER)
RIGHT, WRONG, BENT = make_result(32, 48, 1), make_result(32, 48, 2), make_result(48, 32, 3)
BLS: Final = FakeBls()
SECRETS = {BLS.compute_public_key(secret): secret for key in PEOPLE for secret in (key.secret, key.secret[::-1])}
"""Two keys of each person, by the BLS key."""
SALT = bytes(range(32))
OUTPUT = bytes(range(32, 64))
WRONG_TILE = make_challenge(JobId(bytes(32)))


class Game:
    """Plays one random history on the real rules and on the slow ones."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.lab = Lab(RULES, BALANCES)
        self.lab.bls = BLS
        self.lab.products.wrong.add(WRONG.id)
        genesis = self.lab.context.parent_id
        self.model = SlowRules(RULES, BALANCES, genesis, {WRONG.id, BAD_REF.id})
        self.events: Counter[str] = Counter()
        self.check()

    def check(self) -> None:
        real, slow = self.lab.records.all, self.model.encode()
        differing = {
            key.hex(): (real.get(key), slow.get(key)) for key in {*real, *slow} if real.get(key) != slow.get(key)
        }
        assert not differing, f"records at height {self.model.height}, real and slow: {differing}"
        assert self.model.sum_held() == self.model.market["minted"] - self.model.market["burned"]

    def play_block(self) -> None:
        """Offer votes and orders one by one, then mine a block of the valid ones; it is on schedule, so D stays."""
        miner, parent = self.rng.choice(MINERS).address, self.lab.context.parent_id
        aggregate = self._choose_aggregate()
        if aggregate is not None:
            faults = self.model.list_aggregate_faults(aggregate)
            code = get_code(lambda: self.lab.begin(miner=miner, aggregate=aggregate))
            self.events[code or "Aggregate"] += 1
            assert code in faults if code else not faults
            aggregate = None if code else aggregate
        following = copy.deepcopy(self.model)
        following.begin(parent, aggregate, miner)
        self.model, execution, taken = following, self.lab.begin(miner=miner, aggregate=aggregate), []
        for _ in range(self.rng.randrange(14)):
            tx = self._play_order(execution)
            taken += [] if tx is None else [tx]
        executed = self.lab.mine(*taken, miner=miner, aggregate=aggregate)
        assert executed.stats.weight == D
        self.model.end(miner)
        for event in executed.job_events:
            self.events[event.kind.name] += 1
        self.check()

    def _play_order(self, execution: Any) -> Any:
        """Give one order to both, and return the transaction, or None if it is not valid."""
        key, payload = self._choose_order(self.rng.choice(PEOPLE))
        nonce = self.model.get(key.address)["nonce"] + (self.rng.random() < 0.03)
        fee = self.rng.randrange(4)
        tx = self.lab.sign(key, payload, fee=fee, nonce=nonce)
        faults = self.model.list_faults(key.address, nonce, fee, payload, D)
        code = get_code(lambda: check_transaction_sanity(RULES, tx, BLS)) or get_code(lambda: execution.add(tx))
        self.events[code or type(payload).__name__] += 1
        assert code in faults if code else not faults, (code, faults, payload)
        if code:
            return None
        self.model.apply(key.address, fee, payload, compute_tx_id(tx), D)
        return tx

    def _choose_aggregate(self) -> Aggregate | None:
        if not self.model.ballots or self.rng.random() < 0.2:
            return None
        ballot = self.rng.choice(self.model.ballots)
        members = self.model.committees[ballot.committee]["members"]
        part = len(members) if self.rng.random() < 0.7 else self.rng.randint(1, len(members))
        places = set(self.rng.sample(range(len(members)), part))
        digest = compute_link_hash(CHAIN_ID, ballot.link)
        signatures = [BLS.sign(SECRETS[members[place].key], digest) for place in places]
        return Aggregate(ballot.link, make_bits(places, len(members)), BLS.aggregate(signatures))

    def _choose_order(self, key: Key) -> tuple[Key, Payload]:
        rng, roll = self.rng, self.rng.random()
        if roll < 0.45:
            return self._choose_job_step(key)
        if roll < 0.70:
            return key, self._choose_jury_step()
        if roll < 0.80:
            return key, self._choose_voter_step(key)
        if roll < 0.84:
            return key, Transfer(rng.choice(PEOPLE).address, rng.choice([0, 1, 3, 4, 500, 20_000, 2**63]))
        if roll < 0.87:
            return key, self._choose_payments()
        return key, self._choose_post() if rng.random() < 0.5 else ClaimJob(
            rng.choice(self._list_jobs(JobState.OPEN) or [bytes(32)])
        )

    def _choose_payments(self) -> TransferMany:
        """Payments to accounts of the game and others; some are out of order, too small, or no whole number of them."""
        rng = self.rng
        count = self._pick([1, 2, 5], [0])
        receivers = rng.sample([person.address for person in PEOPLE] + [bytes([n]) * 20 for n in range(9)], count)
        amounts = [self._pick([7, 8, 900], [0, 6, 2**62, 2**63]) for _ in receivers]
        pieces = sorted(to + amount.to_bytes(8, "big") for to, amount in zip(receivers, amounts, strict=True))
        self._pick([lambda _: None], [rng.shuffle, lambda found: found.append(pieces[-1] if pieces else b"")])(pieces)
        return TransferMany(b"".join(pieces) + self._pick([b""], [b"\x01"]))

    def _pick(self, usual: list[Any], odd: list[Any]) -> Any:
        """Mostly something that is allowed."""
        return self.rng.choice(odd if self.rng.random() < 0.04 else usual)

    def _choose_post(self) -> PostJob | PostTask:
        height = self.model.height
        changes: dict[str, Any] = {
            "bond": self._pick([1, 101, 2000, 7777], [0]),
            "claim_window": self._pick([1, 2, 3, 3], [0, 4]),
            "deadline": height + self._pick([1, 4, 6, 8, 9], [0, 10]),
            "reward": self._pick([1, 2, 101, 5000], [0]),
        }
        if self.rng.random() < 0.7:
            bond = self._pick([5000, 5001, 8007, 30_000], [59, 300_000])
            changes |= {"x": X_REF, "w": W_REF, "mode": JobMode.OPTIMISTIC, "bond": bond}
        if self.rng.random() < 0.3:
            return self._choose_task(changes)
        post = make_post(height, **changes)
        return msgspec.structs.replace(post, max_burn=self.model.compute_burn(post, D) - self._pick([0], [1]))

    def _choose_task(self, changes: dict[str, Any]) -> PostTask:
        units = self._pick([1, 12, 5000], [0, 2**40 + 1])
        task = make_task(
            self.model.height,
            kind=self.rng.choice(list(TaskKind)),
            tickets=self._pick([0], [units, units + 1]),
            units=units,
            **{name: changes[name] for name in ("claim_window", "deadline", "reward")},
            bond=self._pick([5000, 5001, 8007, 30_000], [59, 300_000]),
        )
        return msgspec.structs.replace(task, max_burn=max(0, self.model.compute_burn(task, D) - self._pick([0], [1])))

    def _list_jobs(self, *states: JobState) -> list[bytes]:
        """Return ids of jobs in some states; at times those of any jobs, and one that is no job's."""
        found = [job_id for job_id, job in self.model.jobs.items() if job["state"] in states]
        return self._pick([found], [[*self.model.jobs, bytes(32)]])  # type: ignore[no-any-return]

    def _choose_job_step(self, key: Key) -> tuple[Key, Payload]:
        """Return an order that brings a job further, or one that posts another job if no job is in the state for it."""
        rng, model, roll = self.rng, self.model, self.rng.random()
        if roll < 0.3 and (ids := self._list_jobs(JobState.OPEN)):
            return key, CancelJob(rng.choice(ids)) if rng.random() < 0.1 else ClaimJob(rng.choice(ids))
        if roll < 0.65 and (ids := self._list_jobs(JobState.CLAIMED)):
            job_id = rng.choice(ids)
            claim, job = model.claims.get(job_id), model.jobs.get(job_id)
            if claim is not None and rng.random() < 0.95:
                key = next(each for each in PEOPLE if each.address == claim["worker"])
            is_task = job is not None and isinstance(job["work"], TaskWork)
            if is_task == self._pick([True], [False]):
                return key, SubmitOutcome(job_id, self._pick([(OUTPUT,), (OUTPUT, OUTPUT)], [()]))
            is_optimistic = job is not None and not is_task and job["work"].mode == JobMode.OPTIMISTIC
            result = rng.choice([BAD_REF, Y_REF]) if is_optimistic else self._pick([RIGHT], [WRONG, BENT])
            return key, SubmitResult(job_id, result)
        if roll < 0.85 and (ids := self._list_jobs(JobState.DELIVERED)):
            return key, Dispute(rng.choice(ids))
        if rng.random() < 0.5 and (ids := self._list_jobs(JobState.DELIVERED, JobState.DISPUTED)):
            return key, msgspec.structs.replace(WRONG_TILE, job=rng.choice(ids))
        return key, self._choose_post()

    def _choose_jury_step(self) -> Payload:
        """A vote or a reveal of one juror; jurors of some jobs agree, those of others do not."""
        rng, model = self.rng, self.model
        ids = [job_id for job_id, dispute in model.disputes.items() if self._pick([dispute["drawn_at"]], [1])]
        if not ids:
            return self._choose_post()
        job_id = rng.choice(ids)
        dispute = model.disputes[job_id]
        key = self._pick([juror["key"] for juror in dispute["jurors"]] or list(SECRETS), list(SECRETS))
        drawn_at = dispute["drawn_at"] + self._pick([0], [1])
        verdict = (Verdict.RIGHT, Verdict.WRONG, Verdict.UNAVAILABLE, Verdict(key[2] % 3))[job_id[0] % 4]
        if (model.height >= model.get_reveal_start(dispute)) == self._pick([True], [False]):
            shown = self._pick([verdict], [Verdict((verdict + 1) % 3)])
            digest = compute_reveal_hash(CHAIN_ID, job_id, drawn_at, shown, SALT)
            return JuryReveal(job_id, drawn_at, key, shown, SALT, BLS.sign(SECRETS[key], digest))
        commitment = compute_commitment(verdict, SALT, key)
        digest = compute_vote_hash(CHAIN_ID, job_id, drawn_at, commitment)
        return JuryVote(job_id, drawn_at, key, commitment, BLS.sign(SECRETS[key], digest))

    def _choose_voter_step(self, key: Key) -> Payload:
        rng, roll = self.rng, self.rng.random()
        if roll < 0.7:
            secret = key.secret if rng.random() < 0.9 else rng.choice(list(SECRETS.values()))
            bls_key = BLS.compute_public_key(secret)
            proof = BLS.prove_possession(secret, make_possession_message(bls_key, key.address, CHAIN_ID))
            return RegisterVoter(bls_key, proof, self._pick([1000, 8000, 20_000, 30_000], [999]))
        if roll < 0.93:
            return UnbondVoter() if rng.random() < 0.25 else WithdrawBond()
        guilty = rng.choice(list(SECRETS))
        links = [Link(Checkpoint(0, bytes(32)), Checkpoint(1, bytes([n]) * 32)) for n in (1, 2)]
        first, second = (
            SignedLink(each, BLS.sign(SECRETS[guilty], compute_link_hash(CHAIN_ID, each))) for each in links
        )
        return ReportVoter(guilty, first, second)


def play(seed: int, blocks: int) -> Game:
    game = Game(seed)
    for _ in range(blocks):
        game.play_block()
    return game


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_both_come_to_the_same_state(seed: int, blocks: int) -> None:
    play(seed, blocks)


def test_a_few_long_histories_contain_everything() -> None:
    """The histories have every payload, every event of a job, final checkpoints, and many broken rules."""
    events: Counter[str] = Counter()
    final_epochs = []
    for seed in range(8):
        game = play(seed, 60)
        events += game.events
        final_epochs.append(game.model.finalized.epoch)
    assert {each.__name__ for each in get_args(Payload)} <= events.keys()
    assert {kind.name for kind in JobEventKind} <= events.keys()
    assert events["Aggregate"] > 20
    assert sum(epoch > 2 for epoch in final_epochs) >= 4
    assert len([code for code in Code if code in events]) >= 40
