"""A second implementation of sections 4 to 7 for transfers and checked jobs, over random histories.

`Model` is written from the protocol's text, uses plain dictionaries, and takes no rule from `consensus`; only the
records' types are shared, to compare encodings. For every order, it lists all rules that the order would break. The
real rules must agree on whether the order is valid, name one of the listed rules, and leave the same state.

Histories are shorter than one epoch, so the pot grows and is never paid or burned. Blocks are far below their limits of
cost and bytes, so no work at the start of a block is put off. Juries, voters and optimistic jobs are not modelled.
"""

import copy
from typing import Any

import msgspec
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from inos.consensus.execution import Execution
from inos.consensus.records import Account, Claim, Job, Market, NetworkMined, Pot, Queued
from inos.consensus.validity import check_transaction_sanity
from inos.primitives.bls import get_bls
from inos.primitives.codec import encode
from inos.primitives.transactions import CancelJob, ClaimJob, Payload, PostJob, SubmitResult, Transfer, compute_tx_id
from inos.primitives.units import Nano, Target
from support.consensus_lab import ALICE, BOB, CAROL, MINER, PARAMS, Key, Lab, get_code, make_post, make_result

D = 24
"""Tickets per block; a job of the lab has half as many."""
RULES = msgspec.structs.replace(
    PARAMS,
    genesis_target=Target(2**256 // D - 1),
    min_bond=Nano(1),
    min_claim_window=1,
    max_claim_window=3,
    max_job_lifetime=4,
    base_open_claims=1,
    max_open_claims=3,
    reputation_per_claim=Nano(3000),
    reputation_half_life=3,
    subsidy_decay_interval=2,
    job_retention=3,
    epoch_blocks=1000,
    finality_start=1000,
)
PEOPLE = (ALICE, BOB, CAROL, MINER)
BALANCES = {ALICE.address: Nano(60_000), BOB.address: Nano(9_000), CAROL.address: Nano(500)}
RIGHT, WRONG, BENT = make_result(32, 48, 1), make_result(32, 48, 2), make_result(48, 32, 3)
EMPTY = dict.fromkeys(Account.__struct_fields__, 0)
OPEN, CLAIMED, SETTLED, CANCELLED = range(4)


class Model:
    """The state before one block, and the block that is being built on it."""

    def __init__(self) -> None:
        self.height = 0
        self.accounts = {address: EMPTY | {"balance": int(balance)} for address, balance in BALANCES.items()}
        self.jobs: dict[bytes, dict[str, Any]] = {}
        self.claims: dict[bytes, dict[str, Any]] = {}
        self.market = {"minted": sum(BALANCES.values()), "burned": 0, "escrowed": 0}
        self.network = {"mined": 0, "height": 0}
        self.subsidy = 50_000
        self.fees = self.pot = 0

    def get(self, address: bytes) -> dict[str, int]:
        return self.accounts.setdefault(address, dict(EMPTY))

    def halve(self, value: int, written: int) -> int:
        """Return a figure halved at every multiple of 3 after the height at which it was written."""
        for height in range(written + 1, self.height + 1):
            value = value // 2 if height % 3 == 0 else value
        return value

    def read_reputation(self, address: bytes) -> int:
        account = self.get(address)
        return self.halve(account["reputation"], account["reputation_height"])

    def write_reputation(self, address: bytes, value: int) -> None:
        self.get(address).update(reputation=value, reputation_height=self.height if value else 0)

    def compute_burn(self) -> int:
        """Return what the lab's job burns: for 12 tickets of D, for 12 strips of 16,384 bytes of the 2 MiB of a block,
        and for its place.
        """
        work = -(-self.subsidy * 125 * 12 // (1000 * D))
        size = -(-self.subsidy * 125 * 12 * 16_384 // (1000 * 2**21))
        return work + size + 7

    def begin(self) -> None:
        """Do the work that is due at the start of the next block: claims lapse, deadlines pass, jobs are dropped."""
        self.height += 1
        self.fees = 0
        self.subsidy = max(49_000, self.subsidy * 99 // 100) if self.height % 2 == 0 else self.subsidy
        for job_id in [job_id for job_id, claim in self.claims.items() if claim["expires_at"] < self.height]:
            claim, job = self.claims.pop(job_id), self.jobs[job_id]
            worker, bond = claim["worker"], claim["bond"]
            self.get(worker)["bonded"] -= bond
            self.get(worker)["open_claims"] -= 1
            self.write_reputation(worker, self.read_reputation(worker) * 3 // 4)
            self.get(job["poster"])["balance"] += bond // 2
            self.market["burned"] += bond - bond // 2
            job.update(state=OPEN, worker=None)
            event("a claim lapsed")
        for job_id, job in list(self.jobs.items()):
            if job["state"] == OPEN and job["deadline"] < self.height:
                self._cancel(job)
                event("a deadline passed")
            elif job["state"] in {SETTLED, CANCELLED} and job["closed_at"] + 3 <= self.height:
                del self.jobs[job_id]
                event("a job was dropped")

    def end(self, miner: bytes) -> None:
        """Divide subsidy and fees between the beneficiary and the epoch's pot, and count the block as mined."""
        account, put_aside = self.get(miner), self.subsidy // 64
        account["balance"] += self.subsidy - put_aside + self.fees
        self.pot += put_aside
        self.market["minted"] += self.subsidy
        mined = self.halve(account["mined"], account["mined_height"]) + self.subsidy
        account.update(mined=mined, mined_height=self.height)
        mined = self.halve(self.network["mined"], self.network["height"]) + self.subsidy
        self.network.update(mined=mined, height=self.height)

    def _cancel(self, job: dict[str, Any]) -> None:
        self.get(job["poster"])["balance"] += job["reward"]
        self.market["escrowed"] -= job["reward"]
        job.update(state=CANCELLED, closed_at=self.height)

    def list_faults(self, sender: bytes, nonce: int, fee: int, payload: Payload) -> set[str]:
        """Return every rule that the order breaks, each looked at as if the order had passed all others."""
        account = self.get(sender)
        wrong = set() if nonce == account["nonce"] else {"bad-nonce"}
        cost = fee
        match payload:
            case Transfer():
                cost += payload.amount
                wrong |= {"zero-amount"} if payload.amount == 0 else set()
                is_new = payload.to != sender and self.get(payload.to) == EMPTY
                wrong |= {"amount-too-small"} if is_new and payload.amount <= 3 else set()
            case PostJob():
                cost += payload.reward + self.compute_burn()
                wrong |= self._list_post_faults(payload)
            case ClaimJob():
                cost += self.jobs.get(payload.job, {"bond": 0})["bond"]
                wrong |= self._list_claim_faults(sender, payload.job)
            case SubmitResult():
                wrong |= self._list_result_faults(sender, payload)
            case CancelJob():
                job = self.jobs.get(payload.job)
                if job is None:
                    return wrong | {"unknown-job"} | ({"insufficient-balance"} if fee > account["balance"] else set())
                wrong |= {"not-the-poster"} if job["poster"] != sender else set()
                wrong |= {"job-not-open"} if job["state"] != OPEN else set()
        return wrong | ({"insufficient-balance"} if cost > account["balance"] else set())

    def _list_post_faults(self, payload: PostJob) -> set[str]:
        faults = {
            "zero-reward": payload.reward == 0,
            "bond-too-small": payload.bond < 1,
            "bad-claim-window": not 1 <= payload.claim_window <= 3,
            "deadline-passed": payload.deadline <= self.height,
            "deadline-too-far": payload.deadline > self.height + 4,
            "burn-above-maximum": self.compute_burn() > payload.max_burn,
        }
        return {code for code, is_broken in faults.items() if is_broken}

    def _list_claim_faults(self, sender: bytes, job_id: bytes) -> set[str]:
        job = self.jobs.get(job_id)
        if job is None:
            return {"unknown-job"}
        limit = min(3, 1 + self.read_reputation(sender) // 3000)
        faults = {
            "job-not-open": job["state"] != OPEN,
            "deadline-passed": self.height > job["deadline"],
            "too-many-claims": self.get(sender)["open_claims"] >= limit,
        }
        return {code for code, is_broken in faults.items() if is_broken}

    def _list_result_faults(self, sender: bytes, payload: SubmitResult) -> set[str]:
        if payload.job not in self.jobs:
            return {"unknown-job"}
        if payload.job not in self.claims:
            return {"job-not-claimed"}
        faults = {
            "not-the-claimer": self.claims[payload.job]["worker"] != sender,
            "bad-result-shape": payload.y == BENT,
            "wrong-result": payload.y == WRONG,
            "claim-expired": self.height > self.claims[payload.job]["expires_at"],
        }
        return {code for code, is_broken in faults.items() if is_broken}

    def apply(self, sender: bytes, fee: int, payload: Payload, tx_id: bytes) -> None:
        """Apply an order that breaks no rule."""
        account = self.get(sender)
        account["nonce"] += 1
        account["balance"] -= fee
        self.fees += fee
        match payload:
            case Transfer():
                account["balance"] -= payload.amount
                entry = 3 if self.get(payload.to) == EMPTY else 0  # the sender's nonce has grown, so it is not empty
                self.get(payload.to)["balance"] += payload.amount - entry
                self.market["burned"] += entry
            case PostJob():
                burned = self.compute_burn()
                account["balance"] -= payload.reward + burned
                self.market["burned"] += burned
                self.market["escrowed"] += payload.reward
                kept = {name: getattr(payload, name) for name in ("x", "w", "reward", "bond", "claim_window")}
                kept |= {"deadline": payload.deadline, "mode": payload.mode, "posted_at": self.height}
                self.jobs[tx_id] = kept | {
                    "poster": sender, "burned": burned, "state": OPEN, "worker": None, "y": None, "closed_at": 0,
                }  # fmt: skip
            case ClaimJob():
                job = self.jobs[payload.job]
                account["balance"] -= job["bond"]
                account["bonded"] += job["bond"]
                account["open_claims"] += 1
                job.update(state=CLAIMED, worker=sender)
                last = min(self.height + job["claim_window"], job["deadline"])
                self.claims[payload.job] = {
                    "worker": sender, "bond": job["bond"], "claimed_at": self.height, "expires_at": last,
                }  # fmt: skip
            case SubmitResult():
                job, claim = self.jobs[payload.job], self.claims.pop(payload.job)
                account["bonded"] -= claim["bond"]
                account["open_claims"] -= 1
                account["balance"] += claim["bond"] + job["reward"]
                self.market["escrowed"] -= job["reward"]
                self.write_reputation(sender, self.read_reputation(sender) + job["burned"])
                job.update(state=SETTLED, worker=sender, y=payload.y, closed_at=self.height)
            case CancelJob():
                self._cancel(self.jobs[payload.job])

    def encode(self) -> dict[bytes, bytes]:
        """Return every record as the state tree must have it."""
        records = {b"\x01" + a: encode(Account(**v)) for a, v in self.accounts.items() if v != EMPTY}
        records |= {b"\x02" + job_id: encode(Job(**job)) for job_id, job in self.jobs.items()}
        records |= {b"\x03" + job_id: encode(Claim(**claim)) for job_id, claim in self.claims.items()}
        for job_id, claim in self.claims.items():
            records[_queue_key(4, claim["expires_at"] + 1, job_id)] = encode(Queued())
        for job_id, job in self.jobs.items():
            is_closed = job["state"] in {SETTLED, CANCELLED}
            kind, height = (8, job["closed_at"] + 3) if is_closed else (7, job["deadline"] + 1)
            records[_queue_key(kind, height, job_id)] = encode(Queued())
        records[b"\x05"] = encode(Market(**self.market))
        if self.height:
            records[b"\x15"] = encode(NetworkMined(**self.network))
            records[b"\x16" + (1).to_bytes(8, "big")] = encode(Pot(self.pot))
        return records


def _queue_key(kind: int, height: int, job_id: bytes) -> bytes:
    return bytes([kind]) + height.to_bytes(8, "big") + job_id


orders = st.tuples(
    st.sampled_from(PEOPLE),
    st.sampled_from(["transfer", "post", "post", "claim", "claim", "result", "result", "cancel"]),
    st.sampled_from(PEOPLE),
    st.sampled_from([0, 1, 1, 2, 3, 101, 5000, 2**63]),  # amount, reward
    st.integers(0, 11),  # which job, and the job's numbers
    st.sampled_from([0, 0, 0, 0, 0, 0, 0, 1]),  # how far the nonce is ahead
    st.sampled_from([RIGHT, RIGHT, RIGHT, WRONG, BENT]),
)
histories = st.lists(st.tuples(st.sampled_from(PEOPLE), st.lists(orders, max_size=7)), min_size=2, max_size=12)


def make_payload(order: Any, model: Model) -> tuple[Key, Payload]:
    sender, kind, other, amount, pick, _, y = order
    jobs = list(model.jobs)
    job_id = jobs[-1 - pick % len(jobs)] if jobs else bytes(32)
    if kind == "result" and pick % 3 and job_id in model.claims:
        sender = next(key for key in PEOPLE if key.address == model.claims[job_id]["worker"])
    match kind:
        case "transfer":
            return sender, Transfer(other.address, amount)
        case "post":
            bond, window = (1, 2, 3, 101, 5, 7, 9, 11, 13, 15, 17, 0)[pick], (1, 2, 3, 3, 2, 3, 1, 2, 3, 2, 0, 4)[pick]
            deadline = model.height + (1, 2, 3, 4, 4, 3, 4, 4, 0, 5, 3, 2)[pick]
            limit = model.compute_burn() - (amount == 2)
            changes = {"bond": bond, "claim_window": window, "deadline": deadline, "max_burn": limit}
            return sender, make_post(model.height, reward=amount, **changes)
        case "claim":
            return sender, ClaimJob(job_id)
        case "cancel":
            return sender, CancelJob(job_id)
        case _:
            return sender, SubmitResult(job_id, y)


def play(lab: Lab, model: Model, execution: Execution, order: Any) -> Any:
    """Give one order to both, and return the transaction, or None if it is not valid."""
    key, payload = make_payload(order, model)
    nonce, fee = model.get(key.address)["nonce"] + order[5], order[4] % 4
    tx = lab.sign(key, payload, fee=fee, nonce=nonce)
    faults = model.list_faults(key.address, nonce, fee, payload)
    code = get_code(lambda: check_transaction_sanity(lab.params, tx, get_bls())) or get_code(lambda: execution.add(tx))
    event(code or type(payload).__name__)
    if code:
        assert code in faults
        return None
    assert not faults
    model.apply(key.address, fee, payload, compute_tx_id(tx))
    return tx


def list_modelled_records(lab: Lab) -> dict[bytes, bytes]:
    """Return records of all kinds except voters, committees and checkpoints, which have scenarios and vectors of their
    own.
    """
    return {key: value for key, value in lab.records.all.items() if not 16 <= key[0] <= 20}


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories)
def test_both_come_to_the_same_state(history: list[Any]) -> None:
    lab, model = Lab(RULES, BALANCES), Model()
    lab.products.wrong.add(WRONG.id)
    assert list_modelled_records(lab) == model.encode()
    for miner, given_orders in history:
        model = _play_block(lab, model, miner, given_orders)
        assert list_modelled_records(lab) == model.encode()
        held = sum(a["balance"] + a["bonded"] for a in model.accounts.values()) + model.market["escrowed"] + model.pot
        assert held == model.market["minted"] - model.market["burned"]


def _play_block(lab: Lab, model: Model, miner: Key, given_orders: list[Any]) -> Model:
    """Offer the orders one by one, then mine a block of the valid ones; it is on schedule, so D stays as it is."""
    following = copy.deepcopy(model)
    following.begin()
    execution = lab.begin(miner=miner.address)
    played = [play(lab, following, execution, order) for order in given_orders]
    executed = lab.mine(*(tx for tx in played if tx is not None), miner=miner.address)
    following.end(miner.address)
    assert executed.stats.weight == D
    return following


def test_the_lab_s_job_is_12_tickets_and_12_strips() -> None:
    post = make_post(1)
    assert (post.x.rows, post.w.rows, post.x.cols) == (32, 48, 1500)
    assert -(-32 // 16) * -(-48 // 16) * -(-1500 // 1024) == 12
    assert (2 * 2) + (3 * 2) + (2 * 1) == 12  # X, W, and Y with 48 int32 in a row
