"""A second implementation of the rules in sections 4 to 6, written from the protocol's text, over random histories.

`Model` uses plain dictionaries and does not import `consensus`. For every order, it lists all rules that the order
would break. The real rules must agree on whether the order is valid, name one of the listed rules, and leave the same
state.
"""

import copy
from typing import Any

import msgspec
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from inos.consensus.execution import Execution
from inos.consensus.records import MARKET_KEY, Account, Claim, Job, Kind, Lapse, Market, account_key
from inos.consensus.validity import check_transaction_sanity
from inos.primitives.bls import get_bls
from inos.primitives.codec import decode, encode
from inos.primitives.transactions import CancelJob, ClaimJob, Payload, PostJob, SubmitResult, Transfer, compute_tx_id
from inos.primitives.units import Nano, Target, Tickets
from support.consensus_lab import (
    ALICE,
    BOB,
    CAROL,
    MINER,
    PARAMS,
    Key,
    Lab,
    get_code,
    make_operand,
    make_post,
    make_result,
)

D = 24
"""Half of it, 12 tickets, is one job of the lab, so one job per block keeps the base fee."""
RULES = msgspec.structs.replace(
    PARAMS,
    genesis_target=Target(2**256 // D - 1),
    min_bond=Nano(1),
    min_claim_window=1,
    max_claim_window=3,
    max_job_lifetime=4,
    base_open_claims=1,
    max_open_claims=3,
    reputation_per_claim=Tickets(20),
    reputation_half_life=3,
    subsidy_decay_interval=2,
    base_fee_initial=Nano(64),
)
PEOPLE = (ALICE, BOB, CAROL, MINER)
RIGHT, WRONG, BENT = make_result(32, 48, 1), make_result(32, 48, 2), make_result(48, 32, 3)
EMPTY = dict.fromkeys(Account.__struct_fields__, 0)


class Model:
    """The state before one block, and the block that is being built on it."""

    def __init__(self) -> None:
        self.height = 0
        self.accounts: dict[bytes, dict[str, int]] = {}
        self.jobs: dict[bytes, dict[str, Any]] = {}
        self.claims: dict[bytes, dict[str, Any]] = {}  # in the order in which they were created
        self.market = {"base_fee": 64, "minted": 0, "burned": 0, "escrowed": 0}
        self.subsidy = 50_000
        self.fees = self.posted = 0

    def get(self, address: bytes) -> dict[str, int]:
        return self.accounts.setdefault(address, dict(EMPTY))

    def read_reputation(self, address: bytes) -> int:
        """It is halved at every multiple of 3 after the height at which it was written."""
        account, value = self.get(address), self.get(address)["reputation"]
        for height in range(account["reputation_height"] + 1, self.height + 1):
            value = value // 2 if height % 3 == 0 else value
        return value

    def write_reputation(self, address: bytes, value: int) -> None:
        self.get(address).update(reputation=value, reputation_height=self.height if value else 0)

    def begin(self, miner: bytes, uses_merit: bool) -> bool:
        """Return whether the next block may begin like this."""
        self.height += 1
        self.fees = self.posted = 0
        may = not uses_merit or self.get(miner)["merit"] >= D  # the parent's state
        for job_id, claim in list(self.claims.items()):
            if claim["expires_at"] < self.height:
                worker, bond = claim["worker"], claim["bond"]
                self.get(worker)["bonded"] -= bond
                self.get(worker)["open_claims"] -= 1
                self.write_reputation(worker, self.read_reputation(worker) * 3 // 4)
                self.get(self.jobs[job_id]["poster"])["balance"] += bond // 2
                self.market["burned"] += bond - bond // 2
                self.jobs[job_id].update(state=0, worker=None)
                del self.claims[job_id]
        if uses_merit and may:
            self.get(miner)["merit"] -= D
        return may

    def end(self, miner: bytes, uses_merit: bool) -> None:
        self.subsidy = max(49_000, self.subsidy * 99 // 100) if self.height % 2 == 0 else self.subsidy
        self.get(miner)["balance"] += self.subsidy + self.fees
        self.market["minted"] += self.subsidy
        self.write_reputation(miner, self.read_reputation(miner) + (D // 4 if uses_merit else D))
        fee, wanted = self.market["base_fee"], D // 2
        step = fee * min(abs(self.posted - wanted), wanted) // wanted // 8
        self.market["base_fee"] = fee + max(1, step) if self.posted > wanted else max(1, fee - step)

    def list_faults(self, sender: bytes, nonce: int, fee: int, payload: Payload) -> set[str]:
        """Return every rule that the order breaks; "late" rules are checked as if the order had passed all others."""
        account = self.get(sender)
        wrong = set() if nonce == account["nonce"] else {"bad-nonce"}
        cost = fee
        match payload:
            case Transfer():
                cost += payload.amount
                wrong |= {"zero-amount"} if payload.amount == 0 else set()
            case PostJob():
                cost += payload.reward + 12 * self.market["base_fee"]
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
                wrong |= {"job-not-open"} if job["state"] != 0 else set()
        return wrong | ({"insufficient-balance"} if cost > account["balance"] else set())

    def _list_post_faults(self, payload: PostJob) -> set[str]:
        faults = {
            "zero-reward": payload.reward == 0,
            "bond-too-small": payload.bond < 1,
            "bad-claim-window": not 1 <= payload.claim_window <= 3,
            "deadline-passed": payload.deadline <= self.height,
            "deadline-too-far": payload.deadline > self.height + 4,
            "base-fee-above-maximum": self.market["base_fee"] > payload.max_base_fee,
        }
        return {code for code, is_broken in faults.items() if is_broken}

    def _list_claim_faults(self, sender: bytes, job_id: bytes) -> set[str]:
        job = self.jobs.get(job_id)
        if job is None:
            return {"unknown-job"}
        limit = min(3, 1 + self.read_reputation(sender) // 20)
        faults = {
            "job-not-open": job["state"] != 0,
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
                self.get(payload.to)["balance"] += payload.amount
            case PostJob():
                burned = 12 * self.market["base_fee"]
                account["balance"] -= payload.reward + burned
                self.market["burned"] += burned
                self.market["escrowed"] += payload.reward
                self.posted += 12
                kept = {name: getattr(payload, name) for name in ("x", "w", "reward", "bond", "claim_window")}
                kept |= {"deadline": payload.deadline, "mode": payload.mode, "posted_at": self.height}
                self.jobs[tx_id] = kept | {
                    "poster": sender, "burned": burned, "state": 0, "worker": None, "y": None, "closed_at": 0,
                }  # fmt: skip
            case ClaimJob():
                job = self.jobs[payload.job]
                account["balance"] -= job["bond"]
                account["bonded"] += job["bond"]
                account["open_claims"] += 1
                job.update(state=1, worker=sender)
                last = min(self.height + job["claim_window"], job["deadline"])
                self.claims[payload.job] = {
                    "worker": sender, "bond": job["bond"], "claimed_at": self.height, "expires_at": last,
                }  # fmt: skip
            case SubmitResult():
                job, claim = self.jobs[payload.job], self.claims.pop(payload.job)
                account["bonded"] -= claim["bond"]
                account["open_claims"] -= 1
                account["balance"] += claim["bond"] + job["reward"]
                account["merit"] += 12
                self.market["escrowed"] -= job["reward"]
                self.write_reputation(sender, self.read_reputation(sender) + 12)
                job.update(state=2, worker=sender, y=payload.y, closed_at=self.height)
            case CancelJob():
                job = self.jobs[payload.job]
                account["balance"] += job["reward"]
                self.market["escrowed"] -= job["reward"]
                job.update(state=3, closed_at=self.height)

    def encode(self) -> dict[bytes, bytes]:
        """Return every record as the state tree must have it."""
        records = {b"\x01" + a: encode(Account(**v)) for a, v in self.accounts.items() if v != EMPTY}
        records |= {b"\x02" + job_id: encode(Job(**job)) for job_id, job in self.jobs.items()}
        records |= {b"\x03" + job_id: encode(Claim(**claim)) for job_id, claim in self.claims.items()}
        for last in {claim["expires_at"] for claim in self.claims.values()}:
            ids = tuple(job_id for job_id, claim in self.claims.items() if claim["expires_at"] == last)
            records[b"\x04" + last.to_bytes(8, "big")] = encode(Lapse(ids))
        return records | {b"\x05": encode(Market(**self.market))}


orders = st.tuples(
    st.sampled_from(PEOPLE),
    st.sampled_from(["transfer", "post", "post", "claim", "claim", "result", "result", "cancel"]),
    st.sampled_from(PEOPLE),
    st.sampled_from([0, 1, 1, 2, 3, 101, 5000, 2**63]),  # amount, reward
    st.integers(0, 11),  # which job, and the job's numbers
    st.sampled_from([0, 0, 0, 0, 0, 0, 0, 1]),  # how far the nonce is ahead
    st.sampled_from([RIGHT, RIGHT, RIGHT, WRONG, BENT]),
)
histories = st.lists(
    st.tuples(st.sampled_from(PEOPLE), st.booleans(), st.lists(orders, max_size=7)), min_size=2, max_size=12
)


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
            limit = model.market["base_fee"] - (amount == 2)
            changes = {"bond": bond, "claim_window": window, "deadline": deadline, "max_base_fee": limit}
            return sender, make_post(model.height, reward=amount, **changes)
        case "claim":
            return sender, ClaimJob(job_id)
        case "cancel":
            return sender, CancelJob(job_id)
        case _:
            return sender, SubmitResult(job_id, y)


def play(lab: Lab, model: Model, execution: Execution, order: Any) -> None:
    key, payload = make_payload(order, model)
    nonce, fee = model.get(key.address)["nonce"] + order[5], order[4] % 4
    tx = lab.sign(key, payload, fee=fee, nonce=nonce)
    faults = model.list_faults(key.address, nonce, fee, payload)
    code = get_code(lambda: check_transaction_sanity(lab.params, tx, get_bls())) or get_code(lambda: execution.add(tx))
    event(code or type(payload).__name__)
    if code:
        assert code in faults
        return
    assert not faults
    model.apply(key.address, fee, payload, compute_tx_id(tx))


def list_market_records(lab: Lab) -> dict[bytes, bytes]:
    """The kinds that the model covers; votes and checkpoints have scenarios and vectors of their own."""
    return {key: value for key, value in lab.records.all.items() if key[0] < Kind.VOTER}


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories)
def test_both_come_to_the_same_state(history: list[Any]) -> None:
    lab, model = Lab(RULES, {}), Model()
    lab.products.wrong.add(WRONG.id)
    for key, balance, merit in ((ALICE, 60_000, 0), (BOB, 9_000, 36), (CAROL, 500, 0)):
        lab.records.all[account_key(key.address)] = encode(Account(balance=balance, merit=merit))
        model.get(key.address).update(balance=balance, merit=merit)
        model.market["minted"] += balance
    lab.records.all[MARKET_KEY] = encode(Market(**model.market))
    assert list_market_records(lab) == model.encode()
    for miner, wants_merit, given_orders in history:
        model = _play_block(lab, model, miner, wants_merit, given_orders)
        assert list_market_records(lab) == model.encode()
        held = sum(a["balance"] + a["bonded"] for a in model.accounts.values()) + model.market["escrowed"]
        assert held == model.market["minted"] - model.market["burned"]
    assert all(key[0] in set(Kind) for key in lab.records.all)
    assert decode(Market, lab.records.all[MARKET_KEY], limit=100).base_fee >= 1


def _play_block(lab: Lab, model: Model, miner: Key, wants_merit: bool, given_orders: list[Any]) -> Model:
    uses_merit = wants_merit
    following = copy.deepcopy(model)
    if not following.begin(miner.address, uses_merit):
        assert get_code(lambda: lab.begin(miner=miner.address, uses_merit=True)) == "merit-too-low"
        uses_merit, following = False, copy.deepcopy(model)
        following.begin(miner.address, uses_merit)
    event(f"merit {uses_merit}")
    execution = lab.begin(miner=miner.address, uses_merit=uses_merit)
    for order in given_orders:
        play(lab, following, execution, order)
    executed = execution.finish()
    following.end(miner.address, uses_merit)
    lab.records.apply(executed.changes)
    # D is constant: only heights matter here, so the headers are those of a chain on schedule.
    lab.headers.append(lab.make_block().header)
    assert executed.stats.supply == following.market["minted"] - following.market["burned"]
    return following


def test_the_lab_s_job_is_12_tickets() -> None:
    assert -(-32 // 16) * -(-48 // 16) * -(-1500 // 1024) == 12
    assert make_operand(32, 1500).rows == 32
